"""MIME on the wire: header parameters, the cut of a multipart stream, transfer encodings.

Sans-IO: :class:`MultipartSplitter` is fed chunks of any size and tells a sink what it finds. It is our own because the
kept libraries refuse what SOAP peers send. python-multipart's ``MultipartParser`` raises on a preamble, on LF line
ends, on folded headers and on blanks after the first boundary, reads past the end of a part without a body, and says
nothing when the closing boundary is missing; it serves as a second opinion in the tests.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol

from xds.errors import MalformedMessage, MessageTooLarge

Write = Callable[[bytes | memoryview], None]

MAX_BOUNDARY = 256  # RFC 2046, 5.1.1 allows 70; some stacks write more
MAX_PREAMBLE = 64 * 1024
MAX_PADDING = 1024


# --------------------------------------------------------------------------- header parameters

_PARAMETER = re.compile(
    r"""\s*;+\s*([!#$%&'*+.^_`|~\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"(?=\s*(?:;|$))|([^;]*))""", re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
# for headers whose inner quotes are not escaped: the parameters that matter, wherever they stand
_WANTED = re.compile(r"""(?:^|[;\s])(boundary|start|type|action)\s*=\s*(?:"([^"]*)"|([^;\s"]+))""", re.IGNORECASE)


def parse_header(value: str) -> tuple[str, Mapping[str, str]]:
    """A Content-Type as its lower-case type and its parameters (names lower case, the first of a name counts).

    Metro writes ``start-info="application/soap+xml;action=\\"urn:…\\""``, and in another release the same without the
    backslashes; parameters are then searched for where the grammar has lost its way.
    """
    return _parse_remembered(value) if len(value) <= _REMEMBERED else _parse_header(value)


_REMEMBERED = 400  # peers write the same few values again and again


def _parse_header(value: str) -> tuple[str, Mapping[str, str]]:
    kind, _, _ = value.partition(";")
    parameters: dict[str, str] = {}
    position = len(kind)
    while match := _PARAMETER.match(value, position):
        name, quoted, bare = match.groups()
        if quoted is not None:
            text = _ESCAPED.sub(r"\1", quoted) if "\\" in quoted else quoted
        else:
            text = bare.strip()
            if text.startswith('"'):  # quotes that do not pair up
                break
        parameters.setdefault(name.lower(), text)
        position = match.end()
    if value[position:].strip("; \t\r\n"):
        for name, quoted, bare in _WANTED.findall(value, position):
            parameters.setdefault(name.lower(), quoted or bare)
    return kind.strip().lower(), MappingProxyType(parameters)


_parse_remembered = lru_cache(maxsize=256)(_parse_header)


def content_id(value: str) -> str:
    """A Content-ID, or the ``start`` that names one, as it is compared: without brackets and blanks."""
    value = value.strip()
    if value.startswith("<") and value.endswith(">"):
        value = value[1:-1].strip()
    return value


_FOLD = re.compile(r"\r?\n[ \t]+")


def parse_part_headers(block: bytes) -> dict[str, str]:
    """The headers of a part, names in lower case, continuation lines joined; the first of a name counts."""
    headers: dict[str, str] = {}
    for line in _FOLD.sub(" ", block.decode("utf-8", "surrogateescape")).split("\n"):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise MalformedMessage("a header line of a MIME part has no colon")
        headers.setdefault(name.strip().lower(), value.strip())
    return headers


# --------------------------------------------------------------------------- the cut


class PartSink(Protocol):
    """Is told about the parts of a multipart stream, in their order."""

    def begin_part(self, headers: Mapping[str, str]) -> Write:
        """A part starts; its content goes to what is returned here. The memory views are valid during the call only."""

    def end_part(self) -> None: ...


class _State(Enum):
    PREAMBLE = auto()
    HEADERS = auto()
    CONTENT = auto()
    EPILOGUE = auto()


# an empty line, or (at the very start of the block) no headers at all
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_NO_HEADERS = re.compile(rb"\r?\n")
_AFTER_BOUNDARY = re.compile(rb"[ \t]*(\r\n|\n|--)")
_MAYBE_AFTER_BOUNDARY = re.compile(rb"[ \t]*(\r|-)?\Z")


class MultipartSplitter:
    """Cuts a multipart stream into parts (RFC 2046, 5.1).

    The line end after the first boundary decides for the whole message: after CRLF only ``CRLF--boundary`` ends a part,
    after a bare LF only ``LF--boundary`` does, so that no byte of a document is taken for a line end. Header lines may
    end either way. Preamble and epilogue are dropped. Nothing is kept but the bytes that could be a boundary.

    Raises MalformedMessage on a stream that would lose data: no boundary, a part without end, too many parts.
    """

    def __init__(
        self, boundary: str, sink: PartSink, *, max_parts: int = 1000, max_header_size: int = 64 * 1024
    ) -> None:
        if not boundary:
            raise MalformedMessage("the multipart Content-Type has no boundary")
        if len(boundary) > MAX_BOUNDARY:
            raise MalformedMessage("the multipart boundary is too long")
        self._dashes = b"--" + boundary.encode("utf-8", "surrogateescape")
        self._delimiter = b"\r\n" + self._dashes
        self._first = re.compile(rb"(?:\A|\n)" + re.escape(self._dashes) + _AFTER_BOUNDARY.pattern)
        self._sink = sink
        self._max_parts = max_parts
        self._max_header_size = max_header_size
        self._parts = 0
        self._buffer = b""
        self._state = _State.PREAMBLE
        self._write: Write | None = None
        self._at_start = False  # no content of this part was seen yet: the delimiter may stand right here
        self.tolerated: list[str] = []  # names of ``tolerances.TOLERANCES``
        self._scanned = 0  # so much of the buffer needs no second look, however small the pieces come

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if self._state is _State.EPILOGUE:
            return
        buffer = self._buffer + data if self._buffer else data
        position = 0
        while (following := self._step(buffer, position)) is not None:
            position = following
        self._buffer = buffer[position:]

    def close(self) -> None:
        """The stream has ended; it must have ended with the closing boundary."""
        if self._state is not _State.EPILOGUE:
            found = "is cut off before its closing boundary" if self._parts else "does not hold its boundary"
            raise MalformedMessage(f"the multipart body {found}")

    # each step takes the buffer from a position and returns the next position; the last step of a feed is None after
    # having set what stays in the buffer through ``_keep``

    def _step(self, buffer: bytes, position: int) -> int | None:
        if self._state is _State.CONTENT:
            return self._content(buffer, position)
        if self._state is _State.HEADERS:
            return self._headers(buffer, position)
        if self._state is _State.PREAMBLE:
            return self._preamble(buffer, position)
        return None

    def _preamble(self, buffer: bytes, position: int) -> int | None:
        match = self._first.search(buffer, max(position, self._scanned))
        if match is None:
            if len(buffer) > MAX_PREAMBLE:
                raise MalformedMessage("the multipart body does not hold its boundary")
            last = buffer.rfind(self._dashes, self._scanned)
            self._scanned = max(0, (last if last >= 0 else len(buffer) - len(self._dashes)) - 1)
            return None
        self._scanned = 0
        if match.group(1) == b"\n":
            self._delimiter = b"\n" + self._dashes
            self.tolerated.append("line_feeds")
        if buffer[: match.start()].strip():
            self.tolerated.append("preamble")
        return self._after(match.group(1), match.end())

    def _after(self, mark: bytes, end: int) -> int:
        if mark == b"--":
            self._state = _State.EPILOGUE
        else:
            self._parts += 1
            if self._parts > self._max_parts:
                raise MessageTooLarge(f"the multipart body has more than {self._max_parts} parts")
            self._state = _State.HEADERS
        return end

    def _headers(self, buffer: bytes, position: int) -> int | None:
        if match := _NO_HEADERS.match(buffer, position):
            block = b""
        elif match := _END_OF_HEADERS.search(buffer, position + self._scanned, position + self._max_header_size + 4):
            block = buffer[position : match.start()]
        else:
            if len(buffer) - position > self._max_header_size:
                raise MessageTooLarge("the headers of a MIME part are too long")
            self._scanned = max(0, len(buffer) - position - 3)
            return None
        self._scanned = 0
        self._write = self._sink.begin_part(parse_part_headers(block))
        self._state = _State.CONTENT
        self._at_start = True
        return match.end()

    def _content(self, buffer: bytes, position: int) -> int | None:
        """Pass on what is content for certain; see whether the part ends."""
        if self._at_start and (after := self._empty_part(buffer, position)) != position:
            return after
        start = position
        while True:
            found = buffer.find(self._delimiter, start)
            if found < 0:
                # all but a beginning of the delimiter is content
                keep = self._partial(buffer, position)
                self._emit(buffer, position, keep)
                return keep if keep > position else None
            end = found + len(self._delimiter)
            if match := _AFTER_BOUNDARY.match(buffer, end):
                self._emit(buffer, position, found)
                self._end_part()
                return self._after(match.group(1), match.end())
            if _MAYBE_AFTER_BOUNDARY.match(buffer, end):
                if len(buffer) - end > MAX_PADDING:
                    raise MalformedMessage("a multipart boundary is followed by too many blanks")
                self._emit(buffer, position, found)
                return found if found > position else None
            start = found + 1  # a line that only begins like the boundary is content

    def _empty_part(self, buffer: bytes, position: int) -> int | None:
        """RFC 2046 lets the line end after the headers be that of the boundary: the part has no content at all."""
        dashes = self._dashes
        if not buffer.startswith(dashes, position):
            if dashes.startswith(buffer[position:]):
                return None  # cannot be told yet
            self._at_start = False
            return position
        end = position + len(dashes)
        if match := _AFTER_BOUNDARY.match(buffer, end):
            self._end_part()
            return self._after(match.group(1), match.end())
        if _MAYBE_AFTER_BOUNDARY.match(buffer, end) and len(buffer) - end <= MAX_PADDING:
            return None
        self._at_start = False
        return position

    def _partial(self, buffer: bytes, position: int) -> int:
        """Where a beginning of the delimiter stands at the end of the buffer; the length when there is none."""
        size = len(buffer)
        delimiter = self._delimiter
        lead = delimiter[:1]
        at = max(position, size - len(delimiter) + 1)
        while (at := buffer.find(lead, at)) >= 0:
            if delimiter.startswith(buffer[at:]):
                return at
            at += 1
        return size

    def _emit(self, buffer: bytes, start: int, end: int) -> None:
        if end > start:
            assert self._write is not None
            self._at_start = False
            self._write(memoryview(buffer)[start:end])

    def _end_part(self) -> None:
        self._write = None
        self._at_start = False
        self._sink.end_part()


# --------------------------------------------------------------------------- transfer encodings


class TransferDecoder(Protocol):
    """Undoes a Content-Transfer-Encoding as the bytes come."""

    def write(self, data: bytes | memoryview) -> None: ...

    def finish(self) -> None:
        """All bytes are here. Raises MalformedMessage when they are no whole encoding."""


_WHITE = b" \t\r\n"


class Base64Decoder:
    """base64 in lines of any length; anything outside the alphabet is an error, never skipped."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._rest = b""
        self._padded = False

    def write(self, data: bytes | memoryview) -> None:
        text = self._rest + bytes(data).translate(None, _WHITE)
        whole = len(text) - len(text) % 4
        self._rest = text[whole:]
        if whole:
            self._decode(text[:whole])

    def _decode(self, text: bytes) -> None:
        if self._padded:
            raise MalformedMessage("a base64 part goes on after its padding")
        try:
            decoded = binascii.a2b_base64(text, strict_mode=True)
        except binascii.Error:
            raise MalformedMessage("a base64 part cannot be decoded") from None
        self._padded = text.endswith(b"=")
        self._write(decoded)

    def finish(self) -> None:
        if self._rest:
            raise MalformedMessage("a base64 part is cut off")


class QuotedPrintableDecoder:
    """quoted-printable, decoded in whole lines."""

    _MAX_LINE = 64 * 1024

    def __init__(self, write: Write) -> None:
        self._write = write
        self._rest = b""

    def write(self, data: bytes | memoryview) -> None:
        text = self._rest + bytes(data)
        cut = text.rfind(b"\n") + 1
        self._rest = text[cut:]
        if len(self._rest) > self._MAX_LINE:
            raise MalformedMessage("a line of a quoted-printable part is too long")
        if cut:
            self._write(binascii.a2b_qp(text[:cut]))

    def finish(self) -> None:
        if self._rest:
            self._write(binascii.a2b_qp(self._rest))


class _Identity:
    def __init__(self, write: Write) -> None:
        self.write = write

    def finish(self) -> None:
        """Nothing is held back."""


_DECODERS: Mapping[str, Callable[[Write], TransferDecoder]] = {
    "": _Identity,
    "binary": _Identity,
    "8bit": _Identity,
    "7bit": _Identity,
    "base64": Base64Decoder,
    "quoted-printable": QuotedPrintableDecoder,
}


def transfer_decoder(encoding: str, write: Write) -> TransferDecoder:
    """What undoes this Content-Transfer-Encoding (RFC 2045, 6.1) in front of ``write``."""
    decoder = _DECODERS.get(encoding.strip().lower())
    if decoder is None:
        raise MalformedMessage("a MIME part has an unknown Content-Transfer-Encoding")
    return decoder(write)
