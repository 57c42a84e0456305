"""Reads what was captured on the wire: an HTTP request with or without its head, an MTOM package, or plain XML.

For those who debug a sender; what arrives at a server is read by ``xds_soap.call``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from xds.errors import MalformedMessage, UnsupportedMessage
from xds.metadata.codes import CodeTable
from xds.metadata.rules import Finding, Profile
from xds.ports import StagedDocument
from xds.transactions import validate as messages
from xds_soap.limits import Limits, Quota
from xds_soap.mime import parse_header, parse_part_headers
from xds_soap.mtom import PackageReader
from xds_soap.staging import Staging

_REQUEST_LINE: Final = re.compile(rb"\A(?:[A-Z]{3,10} [^\r\n]* HTTP/\d|HTTP/\d[^\r\n]* \d{3})[^\r\n]*(?:\r?\n)").match
_HEADER: Final = re.compile(rb"\A[!#$%&'*+.^_`|~\w-]+:[ \t]*[^\r\n]*\r?\n").match
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n").search
_BOUNDARY: Final = re.compile(rb"(?:\A|\n)--([^\r\n]{1,256}?)[ \t]*\r?\n").search
_CHUNK: Final = re.compile(rb"\A([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n").match


@dataclass(frozen=True, slots=True)
class Capture:
    """A captured message: its XML, and the MTOM parts by Content-ID (None when it was no package)."""

    xml: bytes
    content_type: str | None = None
    parts: Mapping[str, StagedDocument] | None = field(default=None)


def read(data: bytes, content_type: str | None = None) -> Capture:
    """Take a capture apart. A Content-Type in it wins over ``content_type``; without any, a package is recognised by
    its first line, ``--boundary``, and its first part is the root. Raises MalformedMessage and UnsupportedMessage.
    """
    data, headers = _without_head(data)
    content_type = headers.get("content-type", content_type)
    kind, parameters = parse_header(content_type or "")
    first = _BOUNDARY(data) if data.lstrip()[:2] == b"--" else None
    if not kind.startswith("multipart/") and first is None:
        return Capture(data, content_type)
    if not parameters.get("boundary") and first is not None:
        parameters = {**parameters, "boundary": first[1].decode("utf-8", "surrogateescape")}
    staging = Staging(messages.Measure)
    size = len(data)  # it is in memory already: what may come before the root need not be limited
    reader = PackageReader(parameters, staging, Limits(early_parts=size, early_parts_total=size), Quota(size))
    reader.feed(data)
    reader.close()
    return Capture(reader.root, None, staging.parts)


def validate(
    data: bytes,
    *,
    content_type: str | None = None,
    profile: Profile | str | None = None,
    codes: CodeTable | None = None,
    notes: list[Finding] | None = None,
) -> list[Finding]:
    """As ``xds.validate``, for MTOM packages and HTTP captures as well; documents are compared with hash and size."""
    found = read(data, content_type)
    return messages.validate(
        found.xml, content_type=found.content_type, profile=profile, codes=codes, notes=notes, parts=found.parts
    )


# --------------------------------------------------------------------------- HTTP


def _without_head(data: bytes) -> tuple[bytes, Mapping[str, str]]:
    """The body, and the headers by lower-case name when the capture begins with some."""
    line = _REQUEST_LINE(data)
    start = line.end() if line else 0
    if line is None and _HEADER(data) is None:
        return data, {}
    end = _END_OF_HEAD(data, start)
    if end is None:
        raise MalformedMessage("the HTTP headers have no end: no empty line follows them")
    headers = parse_part_headers(data[start : end.start()])
    body = data[end.end() :]
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMessage("the captured body is compressed")
    if headers.get("transfer-encoding", "").strip().lower() == "chunked" and _CHUNK(body):
        body = _without_chunks(body)
    return body, headers


def _without_chunks(body: bytes) -> bytes:
    """The body of a chunked transfer (RFC 9112, 7.1)."""
    pieces: list[bytes] = []
    position = 0
    while True:
        head = _CHUNK(body[position : position + 1024])
        if head is None:
            raise MalformedMessage("the chunked body is cut off or damaged")
        size, start = int(head[1], 16), position + head.end()
        if size == 0:
            return b"".join(pieces)
        if start + size > len(body):
            raise MalformedMessage("the chunked body is cut off or damaged")
        pieces.append(body[start : start + size])
        position = start + size
        position += 2 if body[position : position + 2] == b"\r\n" else 1
