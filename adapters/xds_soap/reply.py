"""The answer to one HTTP request: status, headers, and bytes that are there or will be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from xds.ports import Include, Later, OutgoingPart
from xds_soap import envelope, faults
from xds_soap.envelope import CLOSE, OldSoap
from xds_soap.faults import SoapFault
from xds_soap.mtom import Piece, included, inlined, length, package, stream

SOAP_TYPE: Final = "application/soap+xml; charset=UTF-8"
# an answer up to this size is put together before it goes out; what is larger is read while it is sent
WHOLE: Final = 512 * 1024


@dataclass(frozen=True, slots=True)
class SoapReply:
    """An HTTP answer. ``chunks`` is a list when all of it is in memory; an iterator is read once, and may block.

    When the iterator raises, the rest cannot be delivered: the connection must be broken, because the beginning said
    Success (DESIGN D5).
    """

    status: int
    headers: Sequence[tuple[str, str]]
    chunks: Iterable[bytes]

    @property
    def content(self) -> bytes:
        """All bytes; reads the iterator to its end."""
        return b"".join(self.chunks)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def plain(
    status: int, text: str = "", headers: Sequence[tuple[str, str]] = (), *, kind: str = "text/plain; charset=UTF-8"
) -> SoapReply:
    """An answer below SOAP: a status and a line of text."""
    body = text.encode()
    return SoapReply(
        status, (("Content-Type", kind), ("Content-Length", str(len(body))), *headers), [body] if body else []
    )


@dataclass(frozen=True, slots=True)
class Addressed:
    """Where an answer goes: packaged as the request was, related to it, to ``to`` when it is a message of its own."""

    mtom: bool
    relates_to: str | None
    to: str | None = None


def build(
    target: Addressed,
    action: str,
    body: Sequence[bytes | Include | Later],
    parts: Sequence[OutgoingPart] = (),
    *,
    status: int = 200,
    blocks: bytes = b"",
) -> SoapReply:
    """An envelope around ``body``, as a package with ``parts`` or plain with the documents as base64.

    Without ``parts`` the package has those that the body includes.
    """
    head = envelope.opening(
        action, message_id=envelope.new_message_id(), relates_to=target.relates_to, to=target.to, blocks=blocks
    )
    if target.mtom:
        parts = parts or [piece.part for piece in body if isinstance(piece, Include)]
        kind, pieces = package((head, *included(body), CLOSE), parts)
    else:
        kind, pieces = SOAP_TYPE, [head, *inlined(body), CLOSE]
    return _ready(status, kind, pieces)


def _ready(status: int, kind: str, pieces: list[Piece]) -> SoapReply:
    size = length(pieces)
    if size is not None and size <= WHOLE:
        chunks = list(stream(pieces))
        return SoapReply(status, (("Content-Type", kind), ("Content-Length", str(size))), chunks)
    headers = [("Content-Type", kind)]
    if size is not None:
        headers.append(("Content-Length", str(size)))
    return SoapReply(status, headers, stream(pieces))


def fault(target: Addressed, error: SoapFault) -> SoapReply:
    """A fault, packaged as the request was."""
    if isinstance(error, OldSoap):
        content = faults.encode_soap11_mismatch()
        kind = "text/xml; charset=UTF-8"
        return SoapReply(error.kind.status, (("Content-Type", kind), ("Content-Length", str(len(content)))), [content])
    return build(target, error.action, (faults.encode(error),), status=error.kind.status, blocks=error.headers)
