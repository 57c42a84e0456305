from __future__ import annotations

from tests.xds.registry.build import entry, submission, unique_id
from tests.xds.transactions.support import element, exchange, require_valid
from xds.ebxml import retrieve
from xds.metadata.requests import DocumentRequest, ProvidedDocuments
from xds.repository import DocumentRepository
from xds.stores import SqlStore
from xds.transactions.base import SoapAnswer
from xds.transactions.iti43 import ITI_43
from xds.vocab.ebrim import ResponseStatus, SlotName
from xds.vocab.errors import ErrorCode


def provided(repository: DocumentRepository, store: SqlStore, content: bytes, mime_type: str = "text/xml") -> str:
    unique = unique_id()
    document = entry(unique=unique, mime_type=mime_type)
    del document.slots[SlotName.HASH], document.slots[SlotName.SIZE]
    stage = store.stage()
    stage.write(content)
    repository.provide_and_register(ProvidedDocuments(submission(document), {document.id: stage.finish()}))
    return unique


def fetch(repository: DocumentRepository, store: SqlStore, *requests: DocumentRequest) -> SoapAnswer:
    return exchange(ITI_43, repository, retrieve.encode_retrieve_request(requests), store=store)


def test_documents_go_out_as_parts(store: SqlStore, repository: DocumentRepository) -> None:
    unique = provided(repository, store, b"<a/>", "application/hl7-v3+xml")
    answer = fetch(repository, store, DocumentRequest(repository.unique_id, unique, "urn:oid:1.2.3"))
    root = element(answer)
    require_valid(root)
    assert [b"".join(part.chunks) for part in answer.parts] == [b"<a/>"]
    assert answer.parts[0].content_type == "application/hl7-v3+xml"
    assert root.findtext("{*}DocumentResponse/{*}HomeCommunityId") == "urn:oid:1.2.3"
    assert root.findtext("{*}DocumentResponse/{*}mimeType") == "application/hl7-v3+xml"
    assert root.findtext("{*}DocumentResponse/{*}DocumentUniqueId") == unique
    assert root.findtext("{*}DocumentResponse/{*}RepositoryUniqueId") == repository.unique_id
    assert root.find("{*}RegistryResponse").get("status") == ResponseStatus.SUCCESS


def test_some_documents_are_a_partial_success(store: SqlStore, repository: DocumentRepository) -> None:
    unique = provided(repository, store, b"text")
    asked = [DocumentRequest(repository.unique_id, unique), DocumentRequest("1.2.3", unique)]
    answer = fetch(repository, store, *asked)
    root = element(answer)
    require_valid(root)
    outcome = retrieve.decode_retrieve_response(
        root, {part.content_id: provided_part(store, part.chunks) for part in answer.parts}
    )
    assert outcome.status == ResponseStatus.PARTIAL_SUCCESS
    assert [(e.code, e.location) for e in outcome.errors] == [(ErrorCode.UNKNOWN_REPOSITORY_ID, unique)]
    assert len(outcome.documents) == 1


def provided_part(store: SqlStore, chunks: object) -> object:
    stage = store.stage()
    for chunk in chunks:  # type: ignore[attr-defined]  # of an OutgoingPart
        stage.write(chunk)
    return stage.finish()


def test_nothing_found_is_a_failure_without_documents(store: SqlStore, repository: DocumentRepository) -> None:
    answer = fetch(repository, store, DocumentRequest(repository.unique_id, "1.2.3.none"))
    root = element(answer)
    require_valid(root)
    assert root.find("{*}RegistryResponse").get("status") == ResponseStatus.FAILURE
    assert list(answer.parts) == []
