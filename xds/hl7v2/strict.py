"""The structural validator behind strict feeds: hl7apy, over the message definition of the sender's version.

It costs tens of milliseconds a message and is loaded only when it is asked for.
"""

from __future__ import annotations

import re
from typing import Final

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message

from xds.datatypes.time import dtm_number
from xds.hl7v2.er7 import NULL, Message
from xds.hl7v2.errors import Hl7Error, Location
from xds.vocab.hl7 import Hl7ErrorCode

_MISSING: Final = re.compile(r"Missing required child \w+\.(\w+)")
_TOO_MANY: Final = re.compile(r"Child limit exceeded \w+\.(\w+)|Cannot add <\w+ (\w+)[^>]*>: max limit")
_OF_TWO: Final = frozenset({"A24", "A37"})
_UNDEFINED: Final = "the message is not what its version defines"
_FIELD: Final = re.compile(r"\b([A-Z][A-Z0-9]{2})_(\d+)(?:_(\d+))?\b", re.IGNORECASE)


def validate(message: Message) -> list[Hl7Error]:
    """What is wrong with a message by the definition of its version; the first fault, and every impossible date.

    Locations name the segment or field. The texts are our own: those of the validator may hold values.
    """
    errors = _dates(message)
    try:
        parse_message(_known(message), validation_level=VALIDATION_LEVEL.STRICT, force_validation=True)
    except HL7apyException as error:
        errors.insert(0, _explained(str(error)))
    except (ValueError, LookupError, AttributeError):  # what its data types raise, and it does not catch
        if not errors:
            errors.append(Hl7Error(Hl7ErrorCode.DATA_TYPE_ERROR, None, _UNDEFINED))
    return errors


def _known(message: Message) -> str:
    """The message as text, without what hl7apy does not know.

    A blank is a value (PID-5 in ITI TF-2 3.10.4.1.2, 3.64.4.1.2), which it takes for none. Of ADT^A24 and A37 it allows
    one PID where they have two: the first patient stands for both. QPD has the three fields that all queries share.
    """
    f = message.delimiters.field
    text = str(message).replace(f"{f} {f}", f"{f}{NULL}{f}").replace(f"{f} \r", f"{f}{NULL}\r")
    qpd = message.find("QPD")
    if qpd is not None:
        text = text.replace(qpd.line, f.join(qpd.line.split(f, 4)[:4]))
    if message.find("PID") is None or message["MSH"][9][2] not in _OF_TWO:
        return text
    first = text.find("\rPID")
    second = text.find("\rPID", first + 1)
    return text if second < 0 else text[: second + 1]


def _explained(text: str) -> Hl7Error:
    many = _TOO_MANY.search(text)
    if many is not None:
        what = "there are more of it than the version allows"
        return Hl7Error(Hl7ErrorCode.SEGMENT_SEQUENCE_ERROR, _location(many[1] or many[2]), what)
    missing = _MISSING.search(text)
    if missing is not None:
        if _FIELD.fullmatch(missing[1]):
            return Hl7Error(Hl7ErrorCode.REQUIRED_FIELD_MISSING, _location(missing[1]), "a required field is missing")
        return Hl7Error(Hl7ErrorCode.SEGMENT_SEQUENCE_ERROR, _location(missing[1]), "a required segment is missing")
    field = _FIELD.search(text)
    return Hl7Error(Hl7ErrorCode.DATA_TYPE_ERROR, _location(field[0]) if field else None, _UNDEFINED)


def _location(name: str) -> Location | None:
    """``PID_3`` → PID^1^3, ``PV1`` → PV1^1; names of groups and data types are no location."""
    field = _FIELD.fullmatch(name)
    if field is not None:
        return Location(field[1].upper(), 1, int(field[2]))
    return Location(name) if re.fullmatch(r"[A-Z][A-Z0-9]{2}", name) else None


_DATES: Final = (("EVN", 2), ("PID", 7), ("PID", 29), ("PID", 33))


def _dates(message: Message) -> list[Hl7Error]:
    """hl7apy lets any text pass as TS."""
    errors = []
    for name, number in _DATES:
        segment = message.find(name)
        field = segment[number] if segment else None
        if field and not field.is_null and not _is_time(field[1]):
            where = Location(name, 1, number)
            errors.append(Hl7Error(Hl7ErrorCode.DATA_TYPE_ERROR, where, "this is no date of the calendar"))
    return errors


def _is_time(text: str) -> bool:
    """TS: YYYY[MM[DD[HHMM[SS[.S[S[S[S]]]]]]]][+/-ZZZZ]."""
    match = re.fullmatch(r"(\d{4,14})(?:\.\d{1,4})?(?:[+-]\d{4})?", text)
    return match is not None and dtm_number(match[1]) is not None
