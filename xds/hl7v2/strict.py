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
from xds.hl7v2.er7 import Message
from xds.hl7v2.errors import Hl7Error, Location
from xds.vocab.hl7 import Hl7ErrorCode

_PARENT_CHILD: Final = re.compile(r"Missing required child (\w+)\.(\w+)|Child limit exceeded (\w+)\.(\w+)")
_FIELD: Final = re.compile(r"\b([A-Z][A-Z0-9]{2})_(\d+)(?:_(\d+))?\b", re.IGNORECASE)


def validate(message: Message) -> list[Hl7Error]:
    """What is wrong with a message by the definition of its version; the first fault, and every impossible date.

    Locations name the segment or field. The texts are our own: those of the validator may hold values.
    """
    errors = _dates(message)
    try:
        parse_message(str(message), validation_level=VALIDATION_LEVEL.STRICT, force_validation=True)
    except HL7apyException as error:
        errors.insert(0, _explained(str(error)))
    return errors


def _explained(text: str) -> Hl7Error:
    missing = _PARENT_CHILD.search(text)
    if missing is not None:
        child = missing[2] or missing[4]
        field = _FIELD.fullmatch(child)
        if missing[2] is None:
            what = "there are more than the version allows"
            return Hl7Error(Hl7ErrorCode.SEGMENT_SEQUENCE_ERROR, _location(child), what)
        if field is None:
            return Hl7Error(Hl7ErrorCode.SEGMENT_SEQUENCE_ERROR, _location(child), "a required segment is missing")
        return Hl7Error(Hl7ErrorCode.REQUIRED_FIELD_MISSING, _location(child), "a required field is missing")
    field = _FIELD.search(text)
    where = _location(field[0]) if field else None
    return Hl7Error(Hl7ErrorCode.DATA_TYPE_ERROR, where, "the message is not what its version defines")


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
