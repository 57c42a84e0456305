"""The documents inside a message: OBX segments with text or encapsulated data (HL7 v2.5, 7.4.2 and 2.A.24)."""

from __future__ import annotations

import base64
import binascii
import email.parser
import email.policy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from xds.clients.cda import looks_like_cda
from xds.hl7v2.er7 import Segment
from xds.hl7v2.errors import Location, reject
from xds.vocab.hl7 import Hl7ErrorCode

MAX_SIZE: Final = 64 * 2**20  # bytes of one document; the message itself is limited before

_TEXT: Final = frozenset({"TX", "FT", "ST"})
_MIME: Final = {
    "PDF": "application/pdf",
    "XML": "text/xml",
    "X-HL7-CDA-LEVEL-ONE": "text/xml",
    "X-HL7-CDA": "text/xml",
    "HL7-CDA": "text/xml",
    "CDA": "text/xml",
    "RTF": "text/rtf",
    "HTML": "text/html",
    "PLAIN": "text/plain",
    "TEXT": "text/plain",
    "JPEG": "image/jpeg",
    "JPG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
    "DICOM": "application/dicom",
}
_TYPE: Final = re.compile(r"[A-Za-z0-9][\w.+-]*\Z", re.ASCII)
# the formatting commands of FT (HL7 v2.5, 2.7.6) that break a line; the others are dropped
_BREAK: Final = re.compile(r"\\\.(?:br|sp\+?\d*|ce)\\")
_FORMAT: Final = re.compile(r"\\(?:\.\w+[+-]?\d*|H|N)\\")
_ENCODING: Final = re.compile(r"(<\?xml[^>]*?)\s+encoding\s*=\s*[\"'][^\"']*[\"']")


@dataclass(frozen=True, slots=True)
class Content:
    """One document: its bytes, and the OBX it came from, counted from 1 in the message."""

    data: bytes
    mime_type: str
    observation: Segment
    number: int

    @property
    def is_cda(self) -> bool:
        return self.mime_type == "text/xml" and looks_like_cda(self.data)


def documents(observations: Sequence[tuple[int, Segment]], *, text: bool) -> list[Content]:
    """The documents in these OBX segments (with their numbers in the message).

    Each ED is one; with ``text`` what stands as TX, FT or ST is one document of all its lines, without ED only.
    Raises Hl7Rejected for what cannot be read, and for a reference pointer (RP), whose document is somewhere else.
    """
    found: list[Content] = []
    lines: list[tuple[int, Segment]] = []
    for number, observation in observations:
        kind = observation.text(2).upper()
        if kind == "ED":
            found.append(_encapsulated(observation, number))
        elif kind == "RP":
            raise reject(
                Hl7ErrorCode.DATA_TYPE_ERROR,
                Location("OBX", number, 2),
                "a reference (RP) has no document in it: send it as ED",
            )
        elif kind in _TEXT and text:
            lines.append((number, observation))
    if lines and not found:
        found.append(_plain(lines))
    return found


def _plain(lines: Sequence[tuple[int, Segment]]) -> Content:
    parts = []
    for _, observation in lines:
        formatted = observation.text(2).upper() == "FT"
        for repetition in observation[5].repetitions:
            line = str(repetition)
            parts.append(_FORMAT.sub("", _BREAK.sub("\n", line)) if formatted else line)
    number, first = lines[0]
    whole = "\n".join(parts)
    if looks_like_cda(whole[:65536].encode()):
        # it is written as UTF-8 now, whatever it was
        return Content(_ENCODING.sub(r"\1 encoding='UTF-8'", whole, count=1).encode(), "text/xml", first, number)
    return Content(whole.encode(), "text/plain", first, number)


def _encapsulated(observation: Segment, number: int) -> Content:
    """ED: source application ^ type of data ^ subtype ^ encoding ^ data."""
    value = observation[5]
    kind, subtype, encoding = value[2], value[3], value[4]
    # the data has no subcomponents: what looks like one is data
    data = _decoded(value.delimiters.subcomponent.join(value.subcomponents(5)), encoding, number)
    if not data:
        raise reject(Hl7ErrorCode.REQUIRED_FIELD_MISSING, Location("OBX", number, 5, 1, 5), "the document is empty")
    if len(data) > MAX_SIZE:
        raise reject(
            Hl7ErrorCode.APPLICATION_INTERNAL_ERROR,
            Location("OBX", number, 5, 1, 5),
            f"a document may have {MAX_SIZE} bytes",
        )
    if kind.lower() == "multipart" or data[:200].lower().startswith((b"mime-version:", b"content-type: multipart")):
        data = _first_part(data, number)
    return Content(data, _mime_type(kind, subtype, data), observation, number)


def _decoded(text: str, encoding: str, number: int) -> bytes:
    where = Location("OBX", number, 5, 1, 5)
    match encoding.strip().lower():
        case "base64":
            try:
                return base64.b64decode("".join(text.split()), validate=True)
            except (binascii.Error, ValueError):
                raise reject(Hl7ErrorCode.DATA_TYPE_ERROR, where, "the data is not base64") from None
        case "hex":
            try:
                return bytes.fromhex(text)
            except ValueError:
                raise reject(Hl7ErrorCode.DATA_TYPE_ERROR, where, "the data is not hexadecimal") from None
        case "a" | "":
            return text.encode()
    raise reject(
        Hl7ErrorCode.TABLE_VALUE_NOT_FOUND, Location("OBX", number, 5, 1, 4), "the encoding is A, Hex or Base64"
    )


def _first_part(data: bytes, number: int) -> bytes:
    """The document of a MIME package as HL7 uses it for CDA in MDM: its first part."""
    package = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(data)
    part = next((part for part in package.walk() if not part.is_multipart()), None)
    content = part.get_payload(decode=True) if part is not None else None
    if not isinstance(content, bytes) or not content:
        raise reject(
            Hl7ErrorCode.DATA_TYPE_ERROR, Location("OBX", number, 5, 1, 5), "the MIME package has no document in it"
        )
    return content


def _mime_type(kind: str, subtype: str, data: bytes) -> str:
    """What the data is; its first bytes have the last word, because senders leave the type at its default."""
    if data.startswith(b"%PDF-"):
        return "application/pdf"
    if looks_like_cda(data):
        return "text/xml"
    known = _MIME.get(subtype.strip().upper())
    if known:
        return known
    if "/" not in kind and _TYPE.match(kind) and _TYPE.match(subtype) and len(kind) > 2:
        return f"{kind.lower()}/{subtype.lower()}"
    return "text/plain" if kind.upper() in ("TEXT", "TX", "FT") else "application/octet-stream"
