"""A repository before another system's registry, killed at every step of the way, and started again.

Afterwards, once the doubts are resolved, metadata and documents are both there or both gone.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.xds.registry.build import PATIENT, query
from tests.xds.repository.mortal import live, parts_of
from tests.xds_soap.hosts import running
from xds.clients.registrar import RemoteRegistrar
from xds.metadata.requests import DocumentRequest
from xds.registry import DocumentRegistry
from xds.repository import DocumentRepository
from xds.repository.doubts import REGISTERING
from xds.stores import open_store
from xds.vocab.actors import Actor
from xds.vocab.errors import ErrorCode
from xds_soap import SoapApp, SoapEndpoint, SoapExchange

KILLED = -signal.SIGKILL
SET = "1.2.826.9"
# processes of their own, which find the library already imported
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.xds.repository.mortal"])


@dataclass
class System:
    """A registry that is a server, and the folder of a repository that lives and dies in processes of its own."""

    registry: DocumentRegistry
    url: str
    folder: Path

    def run(self, kind: str, step: str, outcome: str = "accepted") -> tuple[int, str]:
        """Exit code, and what the source was told."""
        near, far = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=live, args=(far, kind, self.folder, self.url, step, SET, outcome))
        process.start()
        far.close()
        with near:
            process.join(60)
            code = process.exitcode
            assert code is not None
            process.close()
            return code, near.recv() if code == 0 else ""

    def metadata(self) -> bool:
        asked = query("GetDocuments", XDSDocumentEntryUniqueId=list(parts_of(SET)))
        found = len(self.registry.query(asked).objects)
        assert found in (0, 2)
        return found == 2

    def documents(self, *, resolve: bool) -> bool:
        """Whether the documents can be retrieved from a repository that has just been started."""
        with (
            open_store(f"sqlite:///{self.folder}/xds.sqlite", documents=self.folder / "documents") as store,
            SoapExchange(self.url) as exchange,
        ):
            registrar = RemoteRegistrar(exchange)
            repository = DocumentRepository(store, registrar)
            if resolve:
                assert not repository.resolve_doubts(registrar.is_registered, older_than=0).open
                assert store.read(lambda reader: reader.journal(REGISTERING)) == []
            expected = list(parts_of(SET).values())
            asked = [DocumentRequest(repository.unique_id, unique) for unique in parts_of(SET)]
            got = [b"".join(document.content.chunks()) for document in repository.retrieve(asked).documents]
            assert got in ([], expected)
            return got == expected

    def settled(self) -> bool:
        """Whether all is there after the doubts are resolved; otherwise nothing is."""
        documents = self.documents(resolve=True)
        assert documents == self.metadata()
        return documents


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    own, other = tmp_path / "repository", tmp_path / "registry"
    own.mkdir()
    with open_store(f"sqlite:///{other}.sqlite", documents=other, sweep=False) as store:
        store.transaction(lambda transaction: transaction.announce(PATIENT))
        registry = DocumentRegistry(store)
        app = SoapApp(SoapEndpoint({Actor.DOCUMENT_REGISTRY: registry}, store))
        with running(app) as (host, port):
            yield System(registry, f"http://{host}:{port}/registry", own)


# step → whether the documents can be retrieved while the outcome is open, and whether they are there in the end
ACCEPTED = {
    "before store": (False, False),
    "after store": (True, False),
    "before register": (True, False),
    "after register": (True, True),
    "before settle": (True, True),
    "after settle": (True, True),
}
REFUSED = {
    "before store": (False, False),
    "after store": (True, False),
    "after register": (True, False),
    "before settle": (True, False),
    "after settle": (False, False),
}


@pytest.mark.parametrize("step", ACCEPTED)
def test_a_repository_is_killed_on_the_way_to_a_registry_that_accepts(system: System, step: str) -> None:
    assert system.run("provide", step) == (KILLED, "")
    kept, there = ACCEPTED[step]
    assert system.documents(resolve=False) == kept
    assert system.settled() == there


@pytest.mark.parametrize("step", REFUSED)
def test_a_repository_is_killed_on_the_way_to_a_registry_that_refuses(system: System, step: str) -> None:
    assert system.run("provide", step, "refused") == (KILLED, "")
    kept, there = REFUSED[step]
    assert system.documents(resolve=False) == kept
    assert system.settled() == there


def test_what_is_acknowledged_or_refused_is_so_without_a_kill(system: System) -> None:
    assert system.run("provide", "never", "refused") == (0, ErrorCode.REGISTRY_METADATA_ERROR)
    assert not system.settled()
    assert system.run("provide", "never") == (0, "acknowledged")
    assert system.settled()


@pytest.mark.parametrize("step", ["after ask", "before settle", "after settle"])
@pytest.mark.parametrize(("first", "there"), [("before register", False), ("after register", True)])
def test_a_repository_is_killed_while_it_resolves(system: System, first: str, step: str, there: bool) -> None:
    assert system.run("provide", first) == (KILLED, "")
    assert system.run("resolve", step) == (KILLED, "")
    assert system.documents(resolve=False) == (there or step != "after settle")
    assert system.settled() == there


@pytest.mark.parametrize("step", ACCEPTED)
def test_the_source_that_sends_again_after_a_kill_has_all_of_it(system: System, step: str) -> None:
    assert system.run("provide", step) == (KILLED, "")
    code, told = system.run("provide", "never")
    registered = step in ("after register", "before settle", "after settle")
    assert (code, told) == (0, ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY if registered else "acknowledged")
    assert system.settled()
