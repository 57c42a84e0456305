"""The HL7 v2 batch protocol: FHS, BHS, messages, BTS, FTS (HL7 v2.5 2.10.3); a file of messages without them too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from xds.errors import MessageTooLarge
from xds.hl7v2.er7 import segment
from xds.hl7v2.errors import Hl7Error, Location, MalformedHl7
from xds.vocab.hl7 import Hl7ErrorCode

MAX_MESSAGES: Final = 100_000
_WRAPPERS: Final = (b"FHS", b"BHS")
# what may begin a line; CR and LF are in no character of the supported sets, so bytes can be searched
_MESSAGE: Final = re.compile(rb"(?:\A|[\r\n])[\s\x0b\x1c]*(?=MSH[^A-Za-z0-9\s])")
_TRAILER: Final = re.compile(rb"[\r\n][\x0b\x1c\r\n]*(?:BTS|FTS|BHS|FHS)(?=[^A-Za-z0-9\s]|[\r\n]|\Z)|[\r\n]*\x1c")
_COUNT: Final = re.compile(rb"(?:\A|[\r\n])BTS[^A-Za-z0-9\s](\d+)")


@dataclass(frozen=True, slots=True)
class Batch:
    """The messages of a batch or file, each as bytes for :func:`~xds.hl7v2.er7.parse`."""

    messages: tuple[bytes, ...]


def is_batch(data: bytes) -> bool:
    """Whether these bytes begin with a batch or file header."""
    return data.startswith(_WRAPPERS) or (not data.startswith(b"MSH") and data.lstrip().startswith(_WRAPPERS))


def read_batch(data: bytes) -> Batch:
    """Cut a batch or a file into its messages; headers and trailers may be missing (HL7 v2.5 2.10.3.1).

    A file may also be a sequence of MLLP blocks. Raises MalformedHl7 when the counts of BTS-1 do not add up to the
    messages found, because then some are lost; MessageTooLarge above 100,000 messages.
    """
    starts = [match.end() for match in _MESSAGE.finditer(data)]
    if len(starts) > MAX_MESSAGES:
        raise MessageTooLarge(f"the batch has more than {MAX_MESSAGES} messages")
    bounds = zip(starts, [*starts[1:], len(data)], strict=False)
    messages = tuple(_trimmed(data[start:end]) for start, end in bounds)
    counts = [int(number[:10]) for number in _COUNT.findall(data)]
    if counts and sum(counts) != len(messages):
        problem = "the batch has another number of messages than BTS-1 says"
        raise MalformedHl7(problem, Hl7Error(Hl7ErrorCode.SEGMENT_SEQUENCE_ERROR, Location("BTS", 1, 1), problem))
    return Batch(messages)


def _trimmed(data: bytes) -> bytes:
    """One message, up to the trailer or the end of its block."""
    trailer = _TRAILER.search(data)
    return data[: trailer.start()] + b"\r" if trailer else data


def write_batch(messages: Sequence[bytes], *, control_id: str, time: str) -> bytes:
    """A batch of messages, each of which keeps its own delimiters and character set."""
    head = segment("BHS", None, None, None, None, time, None, None, None, control_id)
    return head.encode() + b"\r" + b"".join(messages) + segment("BTS", str(len(messages))).encode() + b"\r"
