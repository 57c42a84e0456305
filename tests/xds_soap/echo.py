"""A small actor of the tests' own, with its transaction rows: what the adapter does is seen without any registry."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape, quoteattr

from xds.errors import MalformedMessage, RegistryError
from xds.ports import Include, OutgoingPart, StagedDocument
from xds.transactions.base import Soap, SoapAnswer, SoapRequest, Transaction
from xds.vocab.actors import Actor
from xds.vocab.namespaces import SOAP, WSA, XDS, XOP
from xds_soap import SoapEndpoint
from xds_soap.temporary import TemporaryStage

ECHO = "urn:test:Echo"
STORE = "urn:test:Store"
ANONYMOUS = f"{WSA}/anonymous"


@dataclass
class EchoStore:
    """Where the echo actor's documents are staged; knows what was discarded."""

    opened: list[RecordingStage] = field(default_factory=list)
    broken: Exception | None = None

    def stage(self) -> RecordingStage:
        stage = RecordingStage(self.broken)
        self.opened.append(stage)
        return stage

    @property
    def left(self) -> list[RecordingStage]:
        """Stages that were not discarded."""
        return [stage for stage in self.opened if not stage.discarded]


class RecordingStage(TemporaryStage):
    def __init__(self, broken: Exception | None = None) -> None:
        super().__init__()
        self.discarded = False
        self._broken = broken

    def write(self, data: bytes | memoryview) -> None:
        if self._broken is not None:
            raise self._broken
        super().write(data)

    def discard(self) -> None:
        self.discarded = True
        super().discard()


@dataclass
class Echoed:
    text: str
    documents: list[StagedDocument]


class EchoActor:
    """Gives back what it was sent; ``behave`` makes it do something else first."""

    def __init__(self) -> None:
        self.seen: list[Echoed] = []
        self.behave: Callable[[Echoed], Any] = lambda echoed: echoed

    def echo(self, echoed: Echoed) -> Any:
        self.seen.append(echoed)
        return self.behave(echoed)

    def store(self, echoed: Echoed) -> Future[Any]:
        """As echo, with the result of another thread later."""
        future: Future[Any] = Future()

        def work() -> None:
            try:
                future.set_result(self.echo(echoed))
            except Exception as error:
                future.set_exception(error)

        threading.Thread(target=work).start()
        return future


def decode(request: SoapRequest) -> Echoed:
    documents = []
    for element in request.body:
        include = element.find(f"{{{XOP}}}Include")
        if include is not None:
            href = include.get("href", "").removeprefix("cid:")
            found = request.parts.get(href) or request.parts.get(unquote(href))
            if found is None:
                raise MalformedMessage("an Include has no part")
            documents.append(found)
        else:
            stage = request.stage()
            stage.write(base64.b64decode(element.text or ""))
            documents.append(stage.finish())
    return Echoed(request.body.get("text", ""), documents)


def pieces_of(document: StagedDocument) -> Iterator[bytes]:
    if document.content is not None:
        yield document.content
        return
    assert document.path is not None
    with open(document.path, "rb") as file:
        while piece := file.read(64 * 1024):
            yield piece


def encode(echoed: Echoed) -> SoapAnswer:
    parts = [
        OutgoingPart(f"{number}@echo", "text/plain", pieces_of(document), document.size)
        for number, document in enumerate(echoed.documents)
    ]
    body: list[bytes | Include] = [f"<xds:Echo text={quoteattr(echoed.text)}>".encode()]
    for part, document in zip(parts, echoed.documents, strict=True):
        body += [f'<xds:Document hash="{document.hash}">'.encode(), Include(part), b"</xds:Document>"]
    return SoapAnswer([*body, b"</xds:Echo>"], parts)


def encode_failure(errors: Sequence[RegistryError]) -> SoapAnswer:
    listed = "".join(
        f"<rs:RegistryError errorCode={quoteattr(str(e.code))} codeContext={quoteattr(e.context)}/>" for e in errors
    )
    return SoapAnswer([f"<rs:RegistryResponse>{listed}</rs:RegistryResponse>".encode()])


def row(action: str, perform: Callable[[Any, Any], Any], internal: str) -> Transaction:
    return Transaction(
        number=action.removeprefix("urn:test:"),
        name=action,
        initiators=(Actor.DOCUMENT_SOURCE,),
        responders=(Actor.DOCUMENT_REPOSITORY,),
        binding=Soap(action, f"{action}Response", f"{{{XDS}}}Echo", f"{{{XDS}}}Echo", "Echo", mtom=True),
        decode_request=decode,
        perform=perform,
        encode_response=encode,
        encode_failure=encode_failure,
        internal_error=internal,
    )


TRANSACTIONS = (
    row(ECHO, EchoActor.echo, "XDSRegistryError"),
    row(STORE, EchoActor.store, "XDSRepositoryError"),
)


@dataclass
class Served:
    """An endpoint with what stands behind it."""

    endpoint: SoapEndpoint
    actor: EchoActor
    store: EchoStore


def served(**options: Any) -> Served:
    return served_with(*TRANSACTIONS, **options)


def served_with(*rows: Transaction, **options: Any) -> Served:
    actor, store = EchoActor(), EchoStore()
    endpoint = SoapEndpoint({Actor.DOCUMENT_REPOSITORY: actor}, store, transactions=rows, **options)
    return Served(endpoint, actor, store)


# --------------------------------------------------------------------------- messages

PLAIN_TYPE = "application/soap+xml; charset=UTF-8"


def envelope(
    body: str = '<x:Echo xmlns:x="urn:ihe:iti:xds-b:2007" text="hello"/>',
    *,
    action: str | None = ECHO,
    message_id: str | None = "urn:uuid:6d296e90-e5dc-43d0-b455-7c1f3eb35d83",
    reply_to: str | None = ANONYMOUS,
    headers: str = "",
    namespace: str = SOAP,
    after: str = "",
) -> bytes:
    head = headers
    if action is not None:
        head += f'<a:Action s:mustUnderstand="1">{escape(action)}</a:Action>'
    if message_id is not None:
        head += f"<a:MessageID>{escape(message_id)}</a:MessageID>"
    if reply_to is not None:
        head += f"<a:ReplyTo><a:Address>{escape(reply_to)}</a:Address></a:ReplyTo>"
    return (
        f'<s:Envelope xmlns:s="{namespace}" xmlns:a="{WSA}"><s:Header>{head}</s:Header>'
        f"<s:Body>{body}</s:Body>{after}</s:Envelope>"
    ).encode()


def body_with(*ids: str, text: str = "hello") -> str:
    """An Echo element with one Include per Content-ID."""
    includes = "".join(
        f'<x:Document><i:Include xmlns:i="{XOP}" href={quoteattr("cid:" + part)}/></x:Document>' for part in ids
    )
    return f'<x:Echo xmlns:x="{XDS}" text={quoteattr(text)}>{includes}</x:Echo>'


def package(
    root: bytes, parts: Iterable[tuple[str, bytes]] = (), *, boundary: str = "edge", newline: bytes = b"\r\n"
) -> tuple[bytes, str]:
    """An MTOM package, and its Content-Type."""
    pieces = [(b"root@test", b"application/xop+xml; charset=UTF-8", root)]
    pieces += [(name.encode(), b"application/octet-stream", content) for name, content in parts]
    data = b""
    for name, kind, content in pieces:
        data += b"--" + boundary.encode() + newline + b"Content-Type: " + kind + newline
        data += b"Content-Transfer-Encoding: binary" + newline + b"Content-ID: <" + name + b">" + newline * 2
        data += content + newline
    data += b"--" + boundary.encode() + b"--" + newline
    return data, (
        f'multipart/related; boundary="{boundary}"; type="application/xop+xml"; start="<root@test>"; '
        'start-info="application/soap+xml"'
    )


def sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
