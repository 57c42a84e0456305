"""MTOM packages (W3C MTOM and XOP; ITI TF-2 Appendix V.3.6): read as a stream, written as a stream.

Reading is tolerant of how stacks spell a package (parameters quoted, escaped or bare, any order of parts, brackets or
none, transfer encodings) and strict where data would be lost (no boundary, a part cut off, a root that is not there).
Documents go to their stages as they come; only the root part is held in memory.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Protocol
from urllib.parse import quote

from xds.errors import MalformedMessage, StoreUnavailable
from xds.ports import Include, Later, OutgoingPart, Stage
from xds_soap.limits import Limits, Quota, check
from xds_soap.mime import MultipartSplitter, TransferDecoder, Write, content_id, parse_header, transfer_decoder
from xds_soap.staging import Staging

ROOT_TYPES = frozenset({"application/xop+xml", "application/soap+xml", "text/xml", "application/xml", ""})


# --------------------------------------------------------------------------- reading


class PackageReader:
    """Takes a multipart/related body in chunks of any size; ``root`` and the staged parts are there after ``close``.

    ``parameters`` are those of the Content-Type. Without ``start`` the first part is the root. Parts that come before
    the root count against two quotas, because nothing is known yet about who sends them. Whoever feeds it discards
    ``staging`` when anything here raises, and calls ``release`` in any case. ``on_root`` is called when the root is
    there and before documents behind it are staged; what it raises ends the reading.
    """

    def __init__(
        self,
        parameters: Mapping[str, str],
        staging: Staging,
        limits: Limits,
        early: Quota,
        on_root: Callable[[], object] | None = None,
    ) -> None:
        splitter = MultipartSplitter(
            parameters.get("boundary", ""), self, max_parts=limits.parts, max_header_size=limits.part_headers
        )
        self._splitter: MultipartSplitter | None = splitter
        start = parameters.get("start", "").strip()
        self._start = content_id(start)
        self.tolerated = splitter.tolerated
        if start and not start.startswith("<"):
            self.tolerated.append("start_without_brackets")
        self._staging = staging
        self._limits = limits
        self._on_root = on_root
        self._early = early
        self._early_bytes = 0
        self._root: BytesIO | None = None  # its value is taken without a second copy
        self._root_size = 0
        self._first = True
        self._ids: set[str] = set()
        self._part: tuple[TransferDecoder, str, Stage | None] | None = None

    def feed(self, data: bytes) -> None:
        assert self._splitter is not None, "released already"
        self._splitter.feed(data)

    def close(self) -> None:
        """The body has ended. Raises MalformedMessage when it is not a whole package."""
        assert self._splitter is not None, "released already"
        self._splitter.close()
        if self._root is None:
            raise MalformedMessage("no part of the package is the one that start names")

    def release(self) -> None:
        """Give back what the quota lent, and let go of all that refers to this reader in turn.

        A request that only the cyclic garbage collector finds keeps its documents in memory until then.
        """
        self._splitter = self._root = self._on_root = self._part = None
        taken, self._early_bytes = self._early_bytes, 0
        self._early.give_back(taken)

    @property
    def root(self) -> bytes:
        """The XML of the root part."""
        assert self._root is not None
        return self._root.getvalue()

    # what the splitter tells

    def begin_part(self, headers: Mapping[str, str]) -> Write:
        own_id = content_id(headers.get("content-id", ""))
        first, self._first = self._first, False
        if self._root is None and self._is_root(own_id, first, headers):
            self._root = BytesIO()
            return self._begin(headers, self._write_root, "", None)
        if not own_id:
            return self._begin(headers, _drop, "", None)  # nothing can refer to it
        if self._root is not None and self._on_root is not None:
            on_root, self._on_root = self._on_root, None
            on_root()
        if own_id in self._ids:
            raise MalformedMessage("two parts of the package have the same Content-ID")
        self._ids.add(own_id)
        stage = self._staging.open_part(own_id)
        write = stage.write if self._root is not None else self._early_write(stage)
        return self._begin(headers, write, own_id, stage)

    def _is_root(self, own_id: str, first: bool, headers: Mapping[str, str]) -> bool:
        if self._start and (own_id or not first):
            if own_id != self._start:
                return False
        elif not first:
            return False
        kind = parse_header(headers.get("content-type", ""))[0]
        if kind not in ROOT_TYPES:
            raise MalformedMessage("the root part of the package is not XML")
        if kind != "application/xop+xml":
            self.tolerated.append("root_content_type")
        return True

    def _begin(self, headers: Mapping[str, str], write: Write, own_id: str, stage: Stage | None) -> Write:
        encoding = headers.get("content-transfer-encoding", "")
        decoder = transfer_decoder(encoding, write)
        if encoding.strip().lower() in ("base64", "quoted-printable"):
            self.tolerated.append("transfer_encoding")
        self._part = (decoder, own_id, stage)
        return decoder.write

    def end_part(self) -> None:
        assert self._part is not None
        decoder, own_id, stage = self._part
        self._part = None
        decoder.finish()
        if stage is not None:
            self._staging.close_part(own_id)

    def _write_root(self, data: bytes | memoryview) -> None:
        assert self._root is not None
        self._root_size += len(data)
        check(self._root_size, self._limits.envelope, "the SOAP envelope")
        self._root.write(data)

    def _early_write(self, stage: Stage) -> Write:
        def write(data: bytes | memoryview) -> None:
            size = len(data)
            check(self._early_bytes + size, self._limits.early_parts, "what comes before the SOAP envelope")
            self._early.take(size)
            self._early_bytes += size
            stage.write(data)

        return write


def _drop(data: bytes | memoryview) -> None:
    """Content of a part without Content-ID."""


# --------------------------------------------------------------------------- writing


class Sized(Protocol):
    """A stretch of output whose bytes come later."""

    @property
    def size(self) -> int | None: ...

    def chunks(self) -> Iterable[bytes]: ...


Piece = bytes | Sized


@dataclass(frozen=True, slots=True)
class PartContent:
    """The bytes of a part as they are; as many as were promised, or the transfer breaks."""

    part: OutgoingPart

    @property
    def size(self) -> int | None:
        return self.part.size

    def chunks(self) -> Iterator[bytes]:
        sent = 0
        for chunk in self.part.chunks:
            sent += len(chunk)
            if self.part.size is not None and sent > self.part.size:
                break
            yield chunk
        if self.part.size is not None and sent != self.part.size:
            raise StoreUnavailable("a document does not have its recorded size")


@dataclass(frozen=True, slots=True)
class PartBase64:
    """The bytes of a part as canonical base64, without line breaks (XOP 3.1)."""

    part: OutgoingPart

    @property
    def size(self) -> int | None:
        return None if self.part.size is None else (self.part.size + 2) // 3 * 4

    def chunks(self) -> Iterator[bytes]:
        rest = b""
        for chunk in PartContent(self.part).chunks():
            chunk = rest + chunk if rest else chunk
            whole = len(chunk) - len(chunk) % 3
            rest = chunk[whole:]
            yield base64.b64encode(chunk[:whole])
        if rest:
            yield base64.b64encode(rest)


_SAFE_ID = re.compile(r"[!#-;=?-~]+\Z")  # printable ASCII without <, >, quote and blank
_SAFE_TYPE = re.compile(
    r"[\w!#$&^.+-]+/[\w!#$&^.+-]+( *; *[\w!#$&^.+-]+=(\"[^\"\\\r\n]*\"|[\w!#$&^.+:-]+))*\Z", re.ASCII
)


def inlined(body: Iterable[bytes | Include | Later]) -> Iterator[Piece]:
    """A body for a message without MTOM: documents as base64."""
    for piece in body:
        yield PartBase64(piece.part) if isinstance(piece, Include) else piece


def included(body: Iterable[bytes | Include | Later]) -> Iterator[Piece]:
    """A body for a package: documents as xop:Include, which must be the only child of its element (XOP 2.1)."""
    for piece in body:
        yield include(piece.part.content_id) if isinstance(piece, Include) else piece


def include(part_id: str) -> bytes:
    """The xop:Include that refers to a part (RFC 2392: percent-coded in the URL); the envelope declares the prefix."""
    return f'<xop:Include href="cid:{quote(part_id, safe="@:+=*~$,/()")}"/>'.encode()


def package(root: Iterable[Piece], parts: Sequence[OutgoingPart], *, action: str = "") -> tuple[str, list[Piece]]:
    """Content-Type and pieces of an MTOM package around an envelope (all parameters quoted, CRLF)."""
    mark = uuid.uuid4().hex
    root_id = f"root.{mark}@ihe-xds"
    boundary = f"xds-{mark}"
    kind = (
        f'multipart/related; boundary="{boundary}"; type="application/xop+xml"; start="<{root_id}>"; '
        'start-info="application/soap+xml"'
    )
    if action and _SAFE_ID.match(action):
        kind += f'; action="{action}"'
    pieces: list[Piece] = [
        (
            f'--{boundary}\r\nContent-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\r\n'
            f"Content-Transfer-Encoding: binary\r\nContent-ID: <{root_id}>\r\n\r\n"
        ).encode()
    ]
    pieces += root
    for part in parts:
        pieces.append(_part_head(boundary, part))
        pieces.append(PartContent(part))
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    return kind, pieces


def _part_head(boundary: str, part: OutgoingPart) -> bytes:
    if not _SAFE_ID.match(part.content_id):
        raise ValueError("a Content-ID must be printable ASCII without blanks, brackets and quotes")
    kind = part.content_type if _SAFE_TYPE.match(part.content_type) else "application/octet-stream"
    return (
        f"\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: binary\r\n"
        f"Content-ID: <{part.content_id}>\r\n\r\n"
    ).encode()


def length(pieces: Iterable[Piece]) -> int | None:
    """How many bytes the pieces are; None when one of them does not know."""
    total = 0
    for piece in pieces:
        size = len(piece) if isinstance(piece, bytes) else piece.size
        if size is None:
            return None
        total += size
    return total


def stream(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """The bytes of the pieces, small neighbours joined."""
    waiting: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            waiting.append(piece)
            continue
        for chunk in piece.chunks():
            if waiting:
                waiting.append(chunk)
                yield b"".join(waiting)
                waiting = []
            else:
                yield chunk
    if waiting:
        yield b"".join(waiting)
