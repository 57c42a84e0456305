"""What a receiver would find wrong with HL7 v2 messages in a file, without a receiver: for who builds or debugs a feed.

A file holds one message, several, a batch (FHS, BHS) or what was captured of an MLLP connection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from xds.errors import MalformedMessage
from xds.hl7v2.batch import read_batch
from xds.hl7v2.er7 import parse
from xds.hl7v2.errors import Hl7Error, Hl7Rejected, Location, MalformedHl7
from xds.hl7v2.feeds import Feed
from xds.hl7v2.segments import read_header
from xds.hl7v2.strict import validate as validate_structure
from xds.transactions.base import Hl7v2Request
from xds.transactions.hl7v2 import HL7V2_TRANSACTIONS
from xds.vocab.hl7 import Hl7ErrorCode

_HL7V2: Final = re.compile(rb"[\s\x0b\x1c\xef\xbb\xbf]*(?:MSH|FHS|BHS)[^A-Za-z0-9\s]").match
_DECODERS: Final = {
    (row.binding.message_type, trigger): row.decode_request
    for row in HL7V2_TRANSACTIONS
    for trigger in row.binding.triggers
}


@dataclass(frozen=True, slots=True)
class Hl7Finding:
    """One finding. ``number`` counts the messages of the file from 1; ``tolerated``: only a strict feed refuses it."""

    number: int
    error: Hl7Error
    tolerated: bool = field(default=False)


def is_hl7v2(data: bytes) -> bool:
    """Whether a file begins like HL7 v2, in MLLP blocks or not."""
    return _HL7V2(data) is not None


def validate(data: bytes) -> list[Hl7Finding]:
    """Everything found in the messages of a file; empty when they are clean.

    What every feed refuses comes first for each message, then what only feeds with ``strict`` do: the definition of the
    message's version, by hl7apy. Raises MalformedMessage when there is no message at all, or a batch that lost some.
    """
    messages = read_batch(data.removeprefix(b"\xef\xbb\xbf")).messages
    if not messages:
        raise MalformedMessage("there is no HL7 v2 message in it")
    return [finding for number, message in enumerate(messages, 1) for finding in _findings(number, message)]


def _findings(number: int, data: bytes) -> list[Hl7Finding]:
    try:
        message = parse(data)
        header = read_header(message)
    except MalformedMessage as error:
        return [Hl7Finding(number, problem) for problem in _problems(error)]
    found = []
    decode = _DECODERS.get((header.message_type, header.trigger))
    if decode is not None:
        try:
            decode(Hl7v2Request(message, header, Feed()))
        except (Hl7Rejected, MalformedMessage) as error:
            found += [Hl7Finding(number, problem) for problem in _problems(error)]
    if message.lenient:
        text = "MSH-18 does not say what the bytes are: they were tried as UTF-8, then as Latin-1"
        problem = Hl7Error(Hl7ErrorCode.DATA_TYPE_ERROR, Location("MSH", 1, 18), text)
        found.append(Hl7Finding(number, problem, tolerated=True))
    known = {(str(finding.error.code), str(finding.error.location)) for finding in found}
    for fault in validate_structure(message):
        if (str(fault.code), str(fault.location)) not in known:
            found.append(Hl7Finding(number, fault, tolerated=True))
    return found


def _problems(error: Hl7Rejected | MalformedMessage) -> tuple[Hl7Error, ...]:
    if isinstance(error, Hl7Rejected):
        return error.errors
    if isinstance(error, MalformedHl7):
        return (error.error,)
    return (Hl7Error(Hl7ErrorCode.DATA_TYPE_ERROR, text=str(error)),)
