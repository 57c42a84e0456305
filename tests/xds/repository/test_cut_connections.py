"""A repository before another system's registry, and the line between them cut at every point.

Afterwards, once the doubts are resolved, metadata and document are both there or both gone, whoever was told what; what
was acknowledged is there.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.xds_soap.hosts import running
from tests.xds_soap.systems import PATIENT, Platform, entry, platform, submission_set
from xds.clients.documents import DocumentConsumer, DocumentSource
from xds.clients.registrar import RemoteRegistrar
from xds.errors import PeerRejected
from xds.metadata.requests import DocumentRequest
from xds.repository.actor import DocumentRepository
from xds.repository.doubts import REGISTERING
from xds.stores import SqlStore, open_store
from xds.vocab.actors import Actor
from xds.vocab.errors import ErrorCode
from xds_soap import SoapApp, SoapEndpoint, SoapExchange

REPOSITORY = "1.2.3.4"
DOCUMENT = b"\r\na document\n" * 20_000  # a file, not a row
WHOLE = 10**9


@dataclass
class Relay:
    """Passes bytes on between two sockets until as many as allowed have passed; then both ends are closed."""

    target: tuple[str, int]
    up: int = WHOLE  # bytes of the request that pass
    down: int = WHOLE  # bytes of the answer that pass
    passed: list[int] = field(default_factory=lambda: [0, 0])

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                with near, socket.create_connection(self.target, timeout=10) as far:
                    back = threading.Thread(target=self.copy, args=(far, near, 1, self.down))
                    back.start()
                    self.copy(near, far, 0, self.up)
                    back.join()

    def copy(self, source: socket.socket, sink: socket.socket, way: int, allowed: int) -> None:
        with contextlib.suppress(OSError):
            if way and not allowed:
                source.recv(1)  # the registry has answered, and nobody hears it
            while allowed and (data := source.recv(min(65536, allowed))):
                sink.sendall(data)
                self.passed[way] += len(data)
                allowed -= len(data)
        if way or self.up < WHOLE:
            # the request was cut, or the answer is over (or cut): nothing more goes either way
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@dataclass
class Apart:
    """A registry that is a server, and the parts of a repository that registers there."""

    registry: Platform
    address: tuple[str, int]
    store: SqlStore
    exchanges: list[SoapExchange] = field(default_factory=list)

    def registrar(self, address: tuple[str, int]) -> RemoteRegistrar:
        self.exchanges.append(SoapExchange(f"http://{address[0]}:{address[1]}/registry", timeout=10))
        return RemoteRegistrar(self.exchanges[-1])

    def repository(self, address: tuple[str, int]) -> DocumentRepository:
        return DocumentRepository(self.store, self.registrar(address), unique_id=REPOSITORY)

    def submit(self, repository: DocumentRepository, unique_id: str) -> bool:
        """Whether the submission was acknowledged; otherwise the outcome is said to be open."""
        endpoint = SoapEndpoint({Actor.DOCUMENT_REPOSITORY: repository}, self.store)
        own = Platform(self.store, self.registry.registry, repository, endpoint)
        source: DocumentSource = own.source
        try:
            source.submit(submission_set(), [(entry(unique_id=unique_id), DOCUMENT)])
        except PeerRejected as error:
            if [e.code for e in error.errors] != [ErrorCode.REGISTRY_NOT_AVAILABLE]:
                raise
            return False
        return True

    def resolve(self) -> None:
        resolved = self.repository(self.address).resolve_doubts(
            self.registrar(self.address).is_registered, older_than=0
        )
        assert not resolved.open
        assert self.store.read(lambda reader: reader.journal(REGISTERING)) == []

    def has_metadata(self, unique_id: str) -> bool:
        consumer: DocumentConsumer = self.registry.consumer
        return unique_id in [found.unique_id for found in consumer.find_documents(PATIENT)]

    def has_document(self, unique_id: str) -> bool:
        result = self.repository(self.address).retrieve([DocumentRequest(REPOSITORY, unique_id)])
        for document in result.documents:
            assert b"".join(document.content.chunks()) == DOCUMENT
        return bool(result.documents)


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    folder = tmp_path_factory.mktemp("apart")
    for name in ("registry", "repository"):
        (folder / name).mkdir()
    store_path = folder / "repository"
    with (
        platform(folder / "registry") as registry,
        running(SoapApp(registry.endpoint)) as address,
        open_store(store_path / "xds.db", documents=store_path / "documents") as store,
    ):
        yield Apart(registry, address, store)


@pytest.fixture(autouse=True)
def closing(apart: Apart) -> Iterator[None]:
    yield
    while apart.exchanges:
        apart.exchanges.pop().close()


@pytest.fixture(scope="module")
def lengths(apart: Apart) -> tuple[int, int]:
    """How many bytes a request and its answer have."""
    relay = Relay(apart.address)
    assert apart.submit(apart.repository(relay.address), "1.2.826.1")
    relay.close()
    return relay.passed[0], relay.passed[1]


POINTS = [0, 1, 60, 0.1, 0.25, 0.5, 0.75, 0.9, -60, -1]


def place(point: float, length: int) -> int:
    """A point as a number of bytes: a fraction of the message, or counted from either end."""
    if isinstance(point, float):
        return int(point * length)
    return point if point >= 0 else length + point


@pytest.mark.parametrize("point", POINTS)
def test_the_line_is_cut_in_the_request(apart: Apart, lengths: tuple[int, int], point: float) -> None:
    relay = Relay(apart.address, up=place(point, lengths[0]))
    unique_id = f"1.2.826.2.{POINTS.index(point)}"
    assert not apart.submit(apart.repository(relay.address), unique_id)
    relay.close()
    assert apart.has_document(unique_id), "kept while the outcome is open"
    apart.resolve()
    assert not apart.has_metadata(unique_id)
    assert not apart.has_document(unique_id)


@pytest.mark.parametrize("point", POINTS)
def test_the_line_is_cut_in_the_answer(apart: Apart, lengths: tuple[int, int], point: float) -> None:
    relay = Relay(apart.address, down=place(point, lengths[1]))
    unique_id = f"1.2.826.3.{POINTS.index(point)}"
    assert not apart.submit(apart.repository(relay.address), unique_id)
    relay.close()
    assert apart.has_document(unique_id)
    apart.resolve()
    assert apart.has_metadata(unique_id)
    assert apart.has_document(unique_id)


def test_nobody_listens(apart: Apart) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = closed.getsockname()
    assert not apart.submit(apart.repository(address), "1.2.826.4")
    assert apart.has_document("1.2.826.4")
    apart.resolve()
    assert not apart.has_metadata("1.2.826.4")
    assert not apart.has_document("1.2.826.4")


def test_while_the_registry_cannot_be_asked_everything_is_kept(apart: Apart) -> None:
    relay = Relay(apart.address, down=0)
    repository = apart.repository(relay.address)
    assert not apart.submit(repository, "1.2.826.5")
    asked = apart.registrar(relay.address)
    assert len(repository.resolve_doubts(asked.is_registered, older_than=0).open) == 1
    relay.close()
    assert apart.has_document("1.2.826.5")
    apart.resolve()
    assert apart.has_document("1.2.826.5")
    assert apart.has_metadata("1.2.826.5")


def test_the_same_submission_again_after_a_cut_is_taken(apart: Apart) -> None:
    relay = Relay(apart.address, up=50)
    assert not apart.submit(apart.repository(relay.address), "1.2.826.6")
    relay.close()
    assert apart.submit(apart.repository(apart.address), "1.2.826.6")
    apart.resolve()
    assert apart.has_metadata("1.2.826.6")
    assert apart.has_document("1.2.826.6")
