"""``xds serve --register-at``: a repository whose registry is another server, and its doubts."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from tests.xds.registry.build import unique_id
from tests.xds.repository.test_actor import bytes_of, codes_of, provided, retrieve, unhashed
from tests.xds_cli.running import running, start_failing
from tests.xds_soap.systems import PATIENT, entry, submission_set
from xds.clients.documents import DocumentConsumer, DocumentSource
from xds.clients.registrar import RemoteRegistrar
from xds.errors import PeerRejected, PeerUnreachable
from xds.ports import IncomingResponse, OutgoingRequest
from xds.repository import DocumentRepository
from xds.stores import open_store
from xds.vocab.errors import ErrorCode
from xds_cli.resolving import Resolver
from xds_soap import SoapExchange

TEXT = b"discharge summary"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_served_repository_registers_at_another_server(tmp_path: Path, workers: str) -> None:
    with (
        running(tmp_path / "registry", "--patients", "any") as registry,
        running(
            tmp_path / "repository", "--workers", workers, extra={"XDS_REGISTER_AT": f"{registry.http}/registry"}
        ) as repository,
        SoapExchange(f"{registry.http}/registry") as query,
        SoapExchange(f"{repository.http}/repository") as documents,
        SoapExchange(f"{repository.http}/registry") as none,
    ):
        DocumentSource(documents).submit(submission_set(), [(entry(), TEXT)])
        consumer = DocumentConsumer(query, documents)
        [found] = consumer.find_documents(PATIENT)
        assert consumer.retrieve(found).read() == TEXT
        with pytest.raises((PeerRejected, PeerUnreachable)):
            DocumentConsumer(none).find_documents(PATIENT)
        assert repository.stop() == 0


def test_a_url_that_is_none_ends_the_start(tmp_path: Path) -> None:
    ended = start_failing("--data", str(tmp_path / "data"), "--register-at", "registry.example")
    assert ended.returncode == 2
    assert "write the URL of an ITI-42 endpoint" in ended.stderr


def test_doubts_are_settled_as_soon_as_the_registry_can_be_asked(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}/registry"
    with (
        open_store(f"sqlite:///{tmp_path / 'xds.sqlite'}", documents=tmp_path / "documents") as store,
        SoapExchange(url) as exchange,
    ):
        registrar = RemoteRegistrar(exchange)
        repository = DocumentRepository(store, registrar)
        unique = unique_id()
        request = provided(store, (unhashed(unique=unique), TEXT))
        assert codes_of(repository, request) == [ErrorCode.REGISTRY_NOT_AVAILABLE]
        assert bytes_of(retrieve(repository, unique)) == [TEXT]
        resolver = Resolver(repository, registrar, pause=0.05, older_than=0)
        try:
            with running(tmp_path / "registry", "--http", f"127.0.0.1:{port}"):
                for _ in range(200):
                    if not retrieve(repository, unique).documents:
                        break
                    threading.Event().wait(0.05)
        finally:
            resolver.close()
        assert retrieve(repository, unique).documents == ()


def test_an_answer_that_cannot_be_used_does_not_end_the_rounds(tmp_path: Path) -> None:
    asked = threading.Semaphore(0)

    def odd(request: OutgoingRequest) -> IncomingResponse:
        asked.release()
        raise ValueError("not foreseen")

    with open_store(tmp_path / "xds.sqlite", documents=tmp_path / "documents") as store:
        registrar = RemoteRegistrar(odd)
        repository = DocumentRepository(store, registrar)
        unique = unique_id()
        with pytest.raises(ValueError, match="not foreseen"):
            repository.provide_and_register(provided(store, (unhashed(unique=unique), TEXT)))
        assert asked.acquire(timeout=30)
        resolver = Resolver(repository, registrar, pause=0.01, older_than=0)
        try:
            for _ in range(3):
                assert asked.acquire(timeout=30)
        finally:
            resolver.close()
        assert bytes_of(retrieve(repository, unique)) == [TEXT]
