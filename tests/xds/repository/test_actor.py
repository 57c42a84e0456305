"""ITI-41 and ITI-43 with the registry in the same store, and with one elsewhere."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.xds.registry.build import (
    PATIENT,
    entry,
    folder,
    fresh_uuid,
    query,
    references,
    submission,
    submission_set,
    unique_id,
)
from xds.errors import PeerUnreachable, RequestRejected, StoreUnavailable
from xds.metadata.registry_object import RegistryObject, Submission
from xds.metadata.requests import DocumentRequest, ProvidedDocuments
from xds.ports import RegistryResponse, StagedDocument
from xds.registry import DocumentRegistry
from xds.repository import DEFAULT_REPOSITORY_UNIQUE_ID, DocumentRepository, RetrieveResult
from xds.stores import SqlStore, open_store
from xds.vocab.ebrim import DocumentEntryType, ResponseStatus, SlotName, Status
from xds.vocab.errors import ErrorCode

TEXT = b"discharge summary\r\n"
LARGE = bytes(range(256)) * 800  # more than a row holds


def new_store(folder_path: Path) -> SqlStore:
    store = open_store(f"sqlite:///{folder_path / 'xds.sqlite'}", documents=folder_path / "documents", sweep=False)
    store.transaction(lambda transaction: transaction.announce(PATIENT))
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with new_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def registry(store: SqlStore) -> DocumentRegistry:
    return DocumentRegistry(store)


@pytest.fixture
def repository(store: SqlStore, registry: DocumentRegistry) -> DocumentRepository:
    return DocumentRepository(store, registry)


def staged(store: SqlStore, content: bytes) -> StagedDocument:
    stage = store.stage()
    stage.write(content)
    return stage.finish()


def unhashed(id: str = "Document01", **attributes: object) -> RegistryObject:
    """A DocumentEntry as a source sends it: without hash, size and repositoryUniqueId."""
    made = entry(id, **attributes)  # type: ignore[arg-type]  # entry's keywords
    for slot in (SlotName.HASH, SlotName.SIZE, SlotName.REPOSITORY_UNIQUE_ID):
        del made.slots[slot]
    return made


def provided(store: SqlStore, *pairs: tuple[RegistryObject, bytes]) -> ProvidedDocuments:
    return ProvidedDocuments(submission(*(o for o, _ in pairs)), {o.id: staged(store, content) for o, content in pairs})


def retrieve(repository: DocumentRepository, *unique_ids: str) -> RetrieveResult:
    return repository.retrieve([DocumentRequest(repository.unique_id, unique) for unique in unique_ids])


def bytes_of(result: RetrieveResult) -> list[bytes]:
    return [b"".join(document.content.chunks()) for document in result.documents]


def files(store: SqlStore) -> list[str]:
    folder_path = Path(store.documents.folder)
    files = (p for p in folder_path.rglob("*") if p.is_file() and p.suffix != ".lock" and p != folder_path / "store")
    return [str(p.relative_to(folder_path)) for p in files]


def codes_of(repository: DocumentRepository, request: ProvidedDocuments) -> list[str]:
    with pytest.raises(RequestRejected) as caught:
        repository.provide_and_register(request)
    return [str(error.code) for error in caught.value.errors]


# --------------------------------------------------------------------------- ITI-41


@pytest.mark.parametrize("content", [b"", TEXT, LARGE], ids=["empty", "small", "large"])
def test_what_is_provided_is_registered_and_retrieved_byte_for_byte(
    store: SqlStore, registry: DocumentRegistry, repository: DocumentRepository, content: bytes
) -> None:
    unique = unique_id()
    document = unhashed(unique=unique, mime_type="text/xml")
    assert repository.submit(provided(store, (document, content))).result() == RegistryResponse()
    result = retrieve(repository, unique)
    assert (result.status, bytes_of(result)) == (ResponseStatus.SUCCESS, [content])
    assert result.documents[0].mime_type == "text/xml"
    assert result.documents[0].content.size == len(content)
    [found] = registry.query(query("GetDocuments", XDSDocumentEntryUniqueId=[unique])).objects
    assert found.status is Status.APPROVED


def test_hash_size_and_repository_are_completed(store: SqlStore, repository: DocumentRepository) -> None:
    document = unhashed()
    document.slots[SlotName.REPOSITORY_UNIQUE_ID] = ["1.2.3.somebody.else"]
    repository.provide_and_register(provided(store, (document, TEXT)))
    assert document.slots[SlotName.HASH] == [hashlib.sha1(TEXT).hexdigest()]
    assert document.slots[SlotName.SIZE] == [str(len(TEXT))]
    assert document.slots[SlotName.REPOSITORY_UNIQUE_ID] == [DEFAULT_REPOSITORY_UNIQUE_ID]


def test_a_submitted_hash_is_compared_ignoring_case(store: SqlStore, repository: DocumentRepository) -> None:
    document = unhashed()
    document.slots[SlotName.HASH] = [hashlib.sha1(TEXT).hexdigest().upper()]
    document.slots[SlotName.SIZE] = [str(len(TEXT))]
    assert repository.provide_and_register(provided(store, (document, TEXT))) == RegistryResponse()


def test_a_submission_without_documents_is_legal(store: SqlStore, repository: DocumentRepository) -> None:
    assert repository.provide_and_register(ProvidedDocuments(submission(folder()), {})) == RegistryResponse()


Case = Callable[[SqlStore], ProvidedDocuments]


def with_slot(name: str, value: str) -> Case:
    def make(store: SqlStore) -> ProvidedDocuments:
        document = unhashed()
        document.slots[name] = [value]
        return provided(store, (document, TEXT))

    return make


def on_demand(store: SqlStore) -> ProvidedDocuments:
    return ProvidedDocuments(submission(unhashed(object_type=DocumentEntryType.ON_DEMAND)), {})


def two_sets(store: SqlStore) -> ProvidedDocuments:
    request = provided(store, (unhashed(), TEXT))
    request.submission.objects.extend(references().objects[:1])
    return request


def extra_document(store: SqlStore) -> ProvidedDocuments:
    request = provided(store, (unhashed(), TEXT))
    return ProvidedDocuments(request.submission, {**request.documents, "Document99": staged(store, TEXT)})


REFUSED: dict[str, tuple[Case, list[str]]] = {
    "wrong hash": (with_slot(SlotName.HASH, "0" * 40), [ErrorCode.REPOSITORY_METADATA_ERROR]),
    "wrong size": (with_slot(SlotName.SIZE, "7"), [ErrorCode.REPOSITORY_METADATA_ERROR]),
    "size that is no number": (with_slot(SlotName.SIZE, "many"), [ErrorCode.REPOSITORY_METADATA_ERROR]),
    "missing document": (lambda s: ProvidedDocuments(submission(unhashed()), {}), [ErrorCode.MISSING_DOCUMENT]),
    "missing metadata": (extra_document, [ErrorCode.MISSING_DOCUMENT_METADATA]),
    "both missing": (
        lambda s: ProvidedDocuments(submission(unhashed()), {"Other": staged(s, TEXT)}),
        [ErrorCode.MISSING_DOCUMENT, ErrorCode.MISSING_DOCUMENT_METADATA],
    ),
    "on-demand": (on_demand, [ErrorCode.REPOSITORY_METADATA_ERROR]),
    "two submission sets": (two_sets, [ErrorCode.REPOSITORY_METADATA_ERROR]),
    "repeated document": (
        lambda s: ProvidedDocuments(submission(unhashed()), {"Document01": staged(s, TEXT)}, ["Document01"]),
        [ErrorCode.REPOSITORY_METADATA_ERROR],
    ),
    # what the registry finds stays as it is
    "unknown patient": (
        lambda s: provided(s, (unhashed(patient=PATIENT.replace("P1", "P99")), TEXT)),
        [ErrorCode.UNKNOWN_PATIENT_ID],
    ),
    "missing attribute": (lambda s: provided(s, (unhashed(class_code=()), TEXT)), [ErrorCode.REGISTRY_METADATA_ERROR]),
    "one uniqueId for two": (
        lambda s: provided(s, (unhashed("A", unique="1.2.9"), TEXT), (unhashed("B", unique="1.2.9"), TEXT)),
        [ErrorCode.REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE],
    ),
    "unresolved reference": (
        lambda s: ProvidedDocuments(references(fresh_uuid()), {}),
        [ErrorCode.UNRESOLVED_REFERENCE],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_submission_leaves_nothing(
    store: SqlStore, registry: DocumentRegistry, repository: DocumentRepository, name: str
) -> None:
    make, expected = REFUSED[name]
    request = make(store)
    uniques = [o.unique_id or "" for o in request.submission.document_entries]
    assert codes_of(repository, request) == expected
    assert bytes_of(retrieve(repository, *uniques)) == []
    both = [status.urn for status in Status]
    everything = registry.query(
        query(
            "GetAll",
            patientId=PATIENT,
            XDSDocumentEntryStatus=both,
            XDSSubmissionSetStatus=both,
            XDSFolderStatus=both,
        )
    )
    assert everything.objects == []


@pytest.mark.parametrize("name", ["by the repository", "by the registry"])
def test_the_file_of_a_refused_document_is_removed(store: SqlStore, repository: DocumentRepository, name: str) -> None:
    document = unhashed()
    if name == "by the repository":
        document.slots[SlotName.SIZE] = ["7"]
    else:
        document = unhashed(patient=PATIENT.replace("P1", "P99"))
    request = provided(store, (document, LARGE))
    assert len(files(store)) == 1
    codes_of(repository, request)
    store.close()  # the file goes right after the answer
    assert files(store) == []


@pytest.mark.parametrize("content", [TEXT, LARGE], ids=["small", "large"])
def test_the_same_document_again_is_stored_once(
    store: SqlStore, registry: DocumentRegistry, repository: DocumentRepository, content: bytes
) -> None:
    unique = unique_id()
    for _ in range(2):
        repository.provide_and_register(provided(store, (unhashed(unique=unique), content)))
    assert bytes_of(retrieve(repository, unique)) == [content]
    assert len(registry.query(query("GetDocuments", XDSDocumentEntryUniqueId=[unique])).objects) == 2
    store.close()  # a file that is not needed goes right after the answer
    assert len(files(store)) == (content is LARGE)


@pytest.mark.parametrize(
    ("other", "code"),
    [(TEXT[::-1], ErrorCode.NON_IDENTICAL_HASH), (TEXT + b".", ErrorCode.NON_IDENTICAL_SIZE)],
)
def test_the_same_unique_id_with_other_bytes_is_refused(
    store: SqlStore, repository: DocumentRepository, other: bytes, code: ErrorCode
) -> None:
    unique = unique_id()
    repository.provide_and_register(provided(store, (unhashed(unique=unique), TEXT)))
    assert code in codes_of(repository, provided(store, (unhashed(unique=unique), other)))
    assert bytes_of(retrieve(repository, unique)) == [TEXT]


# --------------------------------------------------------------------------- ITI-43


@pytest.fixture
def held(store: SqlStore, repository: DocumentRepository) -> tuple[str, str]:
    """uniqueIds of a small and a large document."""
    small, large = unique_id(), unique_id()
    repository.provide_and_register(
        provided(store, (unhashed("A", unique=small), TEXT), (unhashed("B", unique=large), LARGE))
    )
    return small, large


def test_every_document_asked_for_is_answered_in_order(repository: DocumentRepository, held: tuple[str, str]) -> None:
    small, large = held
    result = retrieve(repository, large, small, large)
    assert bytes_of(result) == [LARGE, TEXT, LARGE]
    assert [d.document_unique_id for d in result.documents] == [large, small, large]
    assert result.errors == ()


def test_some_documents_are_a_partial_success(repository: DocumentRepository, held: tuple[str, str]) -> None:
    result = retrieve(repository, held[0], "1.2.3.none")
    assert result.status is ResponseStatus.PARTIAL_SUCCESS
    assert bytes_of(result) == [TEXT]
    assert [(e.code, e.location) for e in result.errors] == [(ErrorCode.DOCUMENT_UNIQUE_ID, "1.2.3.none")]


def test_no_document_is_a_failure(repository: DocumentRepository) -> None:
    result = retrieve(repository, "1.2.3.none")
    assert (result.status, result.documents) == (ResponseStatus.FAILURE, ())


def test_another_repository_is_not_answered_for(repository: DocumentRepository, held: tuple[str, str]) -> None:
    result = repository.retrieve(
        [DocumentRequest("1.2.3", held[0]), DocumentRequest(repository.unique_id, held[0], "urn:oid:1.2")]
    )
    assert [(e.code, e.location) for e in result.errors] == [(ErrorCode.UNKNOWN_REPOSITORY_ID, held[0])]
    assert [d.home_community_id for d in result.documents] == ["urn:oid:1.2"]


def test_more_documents_than_the_limit_are_refused(store: SqlStore, registry: DocumentRegistry) -> None:
    repository = DocumentRepository(store, registry, max_documents=2)
    with pytest.raises(RequestRejected) as caught:
        retrieve(repository, "1.1", "1.2", "1.3")
    assert caught.value.code == ErrorCode.TOO_MANY_RESULTS


@pytest.mark.parametrize("damage", ["gone", "shorter"])
def test_a_document_that_cannot_be_delivered_is_known_before_the_answer(
    store: SqlStore, repository: DocumentRepository, held: tuple[str, str], damage: str
) -> None:
    [path] = files(store)
    absolute = Path(store.documents.folder) / path
    if damage == "gone":
        absolute.unlink()
    else:
        os.truncate(absolute, len(LARGE) - 1)
    result = retrieve(repository, *held)
    assert bytes_of(result) == [TEXT]
    assert [(e.code, e.location) for e in result.errors] == [(ErrorCode.REPOSITORY_ERROR, held[1])]


def test_damaged_bytes_never_look_like_a_whole_document(
    store: SqlStore, repository: DocumentRepository, held: tuple[str, str]
) -> None:
    [path] = files(store)
    with open(Path(store.documents.folder) / path, "r+b") as file:
        file.write(b"X")
    [document] = retrieve(repository, held[1]).documents
    sent = []
    with pytest.raises(StoreUnavailable):
        sent.extend(document.content.chunks(65536))
    assert sum(map(len, sent)) < len(LARGE)


# --------------------------------------------------------------------------- a registry elsewhere


class Elsewhere:
    """Another system's registry behind a network: a real one that a test can cut off or make deaf."""

    def __init__(self, registry: DocumentRegistry) -> None:
        self.registry = registry
        self.fault = ""

    def register(self, submission: Submission) -> RegistryResponse:
        if self.fault == "before":
            raise PeerUnreachable("connection refused")
        response = self.registry.register(submission)
        if self.fault == "after":
            raise PeerUnreachable("no answer")
        return response

    def has(self, submission_set_unique_id: str) -> bool:
        if self.fault == "before":
            raise PeerUnreachable("connection refused")
        asked = query("GetSubmissionSetAndContents", XDSSubmissionSetUniqueId=submission_set_unique_id)
        return bool(self.registry.query(asked).objects)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Elsewhere]:
    (tmp_path / "elsewhere").mkdir()
    with new_store(tmp_path / "elsewhere") as opened:
        yield Elsewhere(DocumentRegistry(opened))


@pytest.fixture
def apart(store: SqlStore, elsewhere: Elsewhere) -> DocumentRepository:
    return DocumentRepository(store, elsewhere)


LATER = datetime(2126, 1, 1, tzinfo=UTC)


def notes(repository: DocumentRepository) -> list[str]:
    return [key for key, _ in repository.store.read(lambda reader: reader.journal("iti-42"))]


def set_id(request: ProvidedDocuments) -> str:
    return request.submission.submission_sets[0].unique_id or ""


@pytest.mark.parametrize("content", [TEXT, LARGE], ids=["small", "large"])
def test_a_registry_elsewhere_is_told_after_the_document_is_stored(
    store: SqlStore, apart: DocumentRepository, elsewhere: Elsewhere, content: bytes
) -> None:
    unique = unique_id()
    request = provided(store, (unhashed(unique=unique), content))
    assert apart.submit(request).result() == RegistryResponse()
    assert bytes_of(retrieve(apart, unique)) == [content]
    assert elsewhere.has(set_id(request))
    assert notes(apart) == []


@pytest.mark.parametrize("content", [TEXT, LARGE], ids=["small", "large"])
def test_what_the_registry_refused_is_taken_back(store: SqlStore, apart: DocumentRepository, content: bytes) -> None:
    unique = unique_id()
    request = provided(store, (unhashed(unique=unique, class_code=()), content))
    assert codes_of(apart, request) == [ErrorCode.REGISTRY_METADATA_ERROR]
    assert retrieve(apart, unique).documents == ()
    assert notes(apart) == []
    assert apart.provide_and_register(provided(store, (unhashed(unique=unique), content + b"!"))) == RegistryResponse()
    store.close()  # a file goes right after the answer
    assert len(files(store)) == (content is LARGE)


def test_a_refusal_does_not_take_back_what_was_there_before(store: SqlStore, apart: DocumentRepository) -> None:
    unique = unique_id()
    apart.provide_and_register(provided(store, (unhashed(unique=unique), TEXT)))
    codes_of(apart, provided(store, (unhashed(unique=unique, class_code=()), TEXT)))
    assert bytes_of(retrieve(apart, unique)) == [TEXT]


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_lost_answer_keeps_the_document_until_the_outcome_is_known(
    store: SqlStore, elsewhere: Elsewhere, fault: str
) -> None:
    now, up = [datetime(2026, 1, 1, tzinfo=UTC)], [5.0]
    repository = DocumentRepository(store, elsewhere, clock=lambda: now[0], uptime=lambda: ("this start", up[0]))
    unique = unique_id()
    request = provided(store, (unhashed(unique=unique), TEXT))
    elsewhere.fault = fault
    assert codes_of(repository, request) == [ErrorCode.REGISTRY_NOT_AVAILABLE]
    assert bytes_of(retrieve(repository, unique)) == [TEXT]
    key = set_id(request)

    assert repository.resolve_doubts(elsewhere.has).open == (key,)  # it may be under way
    now[0] += timedelta(hours=1)
    up[0] += 3600
    elsewhere.fault = "before"
    assert repository.resolve_doubts(elsewhere.has).open == (key,)  # the registry cannot say
    elsewhere.fault = ""
    resolved = repository.resolve_doubts(elsewhere.has)
    if fault == "after":
        assert resolved.registered == (key,)
        assert bytes_of(retrieve(repository, unique)) == [TEXT]
    else:
        assert resolved.absent == (key,)
        assert retrieve(repository, unique).documents == ()
    assert notes(repository) == []


def test_a_refused_repetition_does_not_end_the_doubt_about_the_first_attempt(
    store: SqlStore, apart: DocumentRepository, elsewhere: Elsewhere
) -> None:
    unique = unique_id()
    first = provided(store, (unhashed(unique=unique), TEXT))
    set_unique = set_id(first)
    again = submission(unhashed(unique=unique), of=submission_set(unique=set_unique))
    elsewhere.fault = "after"
    codes_of(apart, first)
    elsewhere.fault = ""
    second = ProvidedDocuments(again, {o.id: staged(store, TEXT) for o in again.document_entries})
    assert ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY in codes_of(apart, second)
    assert bytes_of(retrieve(apart, unique)) == [TEXT]
    assert apart.resolve_doubts(elsewhere.has, older_than=0).registered == (set_unique,)
    assert bytes_of(retrieve(apart, unique)) == [TEXT]


class Overtaken(Elsewhere):
    """The first message is slow: the source has sent all again, and that one reaches the registry before it."""

    def __init__(self, registry: DocumentRegistry) -> None:
        super().__init__(registry)
        self.sent, self.second, self.first_told = threading.Event(), threading.Event(), threading.Event()

    def register(self, submission: Submission) -> RegistryResponse:
        if not self.sent.is_set():
            self.sent.set()
            assert self.second.wait(30)
            return self.registry.register(submission)
        response = self.registry.register(submission)
        self.second.set()
        assert self.first_told.wait(30)
        return response


def test_a_slow_first_attempt_does_not_take_back_what_the_second_is_acknowledged_for(
    store: SqlStore, elsewhere: Elsewhere
) -> None:
    overtaken = Overtaken(elsewhere.registry)
    repository = DocumentRepository(store, overtaken)
    unique, set_unique = unique_id(), unique_id()

    def attempt() -> ProvidedDocuments:
        made = submission(unhashed(unique=unique), of=submission_set(unique=set_unique))
        return ProvidedDocuments(made, {o.id: staged(store, TEXT) for o in made.document_entries})

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(codes_of, repository, attempt())
        assert overtaken.sent.wait(30)
        second = pool.submit(repository.provide_and_register, attempt())
        try:
            assert ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY in first.result(30)
        finally:
            overtaken.first_told.set()
        assert second.result(30) == RegistryResponse()
    assert bytes_of(retrieve(repository, unique)) == [TEXT]
    assert notes(repository) == []


class Troubled(Elsewhere):
    """A registry that commits and then fails to say so: its answer is a Failure about itself."""

    code: ErrorCode

    def register(self, submission: Submission) -> RegistryResponse:
        self.registry.register(submission)
        raise RequestRejected(self.code, context="the store cannot take work now")


@pytest.mark.parametrize(
    "code", [ErrorCode.REGISTRY_BUSY, ErrorCode.REGISTRY_NOT_AVAILABLE, ErrorCode.REGISTRY_OUT_OF_RESOURCES]
)
def test_a_failure_of_a_registry_in_trouble_is_no_proof(store: SqlStore, elsewhere: Elsewhere, code: ErrorCode) -> None:
    troubled = Troubled(elsewhere.registry)
    troubled.code = code
    repository = DocumentRepository(store, troubled)
    unique = unique_id()
    request = provided(store, (unhashed(unique=unique), TEXT))
    assert codes_of(repository, request) == [code]
    assert notes(repository) == [set_id(request)]
    assert repository.resolve_doubts(elsewhere.has, older_than=0).registered == (set_id(request),)
    assert bytes_of(retrieve(repository, unique)) == [TEXT]


@pytest.mark.parametrize("of", ["SubmissionSet", "DocumentEntry"])
def test_what_has_no_unique_id_is_not_sent_to_a_registry_elsewhere(
    store: SqlStore, apart: DocumentRepository, elsewhere: Elsewhere, of: str
) -> None:
    elsewhere.fault = "before"  # it is not asked
    request = provided(store, (unhashed(), LARGE))
    objects = request.submission
    made = (objects.submission_sets if of == "SubmissionSet" else objects.document_entries)[0]
    made.external_identifiers = [e for e in made.external_identifiers if e.value != made.unique_id]
    assert codes_of(apart, request) == [ErrorCode.REPOSITORY_METADATA_ERROR]
    assert (notes(apart), files(store)) == ([], [])


def test_a_document_two_submissions_brought_is_not_taken_back_by_one(
    store: SqlStore, apart: DocumentRepository, elsewhere: Elsewhere
) -> None:
    unique = unique_id()
    elsewhere.fault = "before"
    codes_of(apart, provided(store, (unhashed(unique=unique), TEXT)))
    elsewhere.fault = ""
    apart.provide_and_register(provided(store, (unhashed(unique=unique), TEXT)))
    assert len(apart.resolve_doubts(elsewhere.has, older_than=0).absent) == 1
    assert bytes_of(retrieve(apart, unique)) == [TEXT]


@pytest.mark.parametrize(
    ("other", "code"),
    [(TEXT[::-1], ErrorCode.NON_IDENTICAL_HASH), (TEXT + b".", ErrorCode.NON_IDENTICAL_SIZE)],
)
def test_other_bytes_are_refused_before_the_registry_is_asked(
    store: SqlStore, apart: DocumentRepository, other: bytes, code: ErrorCode
) -> None:
    unique = unique_id()
    apart.provide_and_register(provided(store, (unhashed(unique=unique), TEXT)))
    assert codes_of(apart, provided(store, (unhashed(unique=unique), other))) == [code]


def test_one_unique_id_for_two_documents_is_found_by_the_repository(store: SqlStore, apart: DocumentRepository) -> None:
    request = provided(store, (unhashed("A", unique="1.2.9"), LARGE), (unhashed("B", unique="1.2.9"), LARGE))
    assert codes_of(apart, request) == [ErrorCode.REPOSITORY_DUPLICATE_UNIQUE_ID_IN_MESSAGE]
    assert files(store) == []


def test_a_registry_on_another_store_in_this_process_is_elsewhere(store: SqlStore, elsewhere: Elsewhere) -> None:
    repository = DocumentRepository(store, elsewhere.registry)
    unique = unique_id()
    repository.provide_and_register(provided(store, (unhashed(unique=unique), TEXT)))
    assert bytes_of(retrieve(repository, unique)) == [TEXT]
