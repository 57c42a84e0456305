"""Document Source and Document Consumer against our registry and repository, and against scripted peers."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.xds_soap.systems import PATIENT, Platform, code, entry, platform, submission_set
from xds.clients.documents import DocumentConsumer, DocumentSource
from xds.clients.retrieved import Document
from xds.ebxml import query as ebxml_query
from xds.ebxml import retrieve as ebxml_retrieve
from xds.ebxml import rs, xml
from xds.errors import PeerRejected, PeerUnreachable, RegistryError
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.folder import Folder
from xds.metadata.requests import DocumentRequest, RetrievedDocument, ReturnType
from xds.metadata.submission import appends, in_folder
from xds.ports import IncomingResponse, OutgoingPart, OutgoingRequest, StagedDocument
from xds.vocab.ebrim import ResponseStatus, Severity, Status
from xds.vocab.errors import ErrorCode


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Platform]:
    with platform(tmp_path) as running:
        yield running


# --------------------------------------------------------------------------- Document Source


def pieces(document: bytes) -> Iterator[bytes]:
    yield document[:3]
    yield document[3:]


@pytest.mark.parametrize("form", ["bytes", "path", "pieces"])
@pytest.mark.parametrize("mtom", [True, False])
def test_a_document_is_given_as_bytes_as_a_file_or_in_pieces(
    system: Platform, tmp_path: Path, form: str, mtom: bool
) -> None:
    document = b"line\r\nline\n\x00\xff"
    path = tmp_path / "document"
    path.write_bytes(document)
    content: Any = {"bytes": document, "path": path, "pieces": pieces(document)}[form]
    sent = entry()
    assert system.source.submit(submission_set(), [(sent, content)], mtom=mtom).errors == ()
    assert system.consumer.retrieve(system.consumer.find_documents(PATIENT)[0]).read() == document


def test_replace_deprecates_what_was_there(system: Platform) -> None:
    old, new = entry(), entry()
    system.source.submit(submission_set(), [(old, b"old")])
    system.source.submit(submission_set(), [(new, b"new")], replace=old)
    consumer = system.consumer
    assert [found.entry_uuid for found in consumer.find_documents(PATIENT)] == [new.entry_uuid]
    both = consumer.find_documents(PATIENT, status=[Status.APPROVED, Status.DEPRECATED])
    assert {found.entry_uuid: found.availability_status for found in both} == {
        old.entry_uuid: Status.DEPRECATED,
        new.entry_uuid: Status.APPROVED,
    }


@pytest.mark.parametrize("number", [0, 2])
def test_replace_is_for_one_document(system: Platform, number: int) -> None:
    with pytest.raises(ValueError, match="one document"):
        system.source.submit(submission_set(), [(entry(), b"x")] * number, replace="urn:uuid:1")


def test_folders_and_relationships_go_along(system: Platform) -> None:
    first, second = entry(), entry()
    folder = Folder(patient_id=PATIENT, title="Cardiology", code_list=code("folder"))
    system.source.submit(
        submission_set(),
        [(first, b"1"), (second, b"2")],
        folders=folder,
        associations=[in_folder(folder, first), appends(second, first)],
    )
    found = system.consumer.query("GetFolderAndContents", folder_unique_id=folder.unique_id)
    assert [each.title for each in found.folders] == ["Cardiology"]
    assert [each.entry_uuid for each in found.document_entries] == [first.entry_uuid]
    related = system.consumer.query(
        "GetRelatedDocuments",
        document_entry_entry_uuid=first.entry_uuid,
        association_types="urn:ihe:iti:2007:AssociationType:APND",
    )
    assert {each.entry_uuid for each in related.document_entries} == {first.entry_uuid, second.entry_uuid}
    assert [each.source_object for each in related.associations] == [second.entry_uuid]


def test_a_refusal_carries_the_codes_and_shows_no_patient(system: Platform) -> None:
    stranger = "P9^^^&1.2.3.4.5&ISO"
    with pytest.raises(PeerRejected) as raised:
        system.source.submit(submission_set(patient_id=stranger), [(entry(patient_id=stranger), b"x")])
    assert [error.code for error in raised.value.errors] == [ErrorCode.UNKNOWN_PATIENT_ID]
    assert "XDSUnknownPatientId" in str(raised.value)
    assert "P9" not in str(raised.value)


# --------------------------------------------------------------------------- Document Consumer, ITI-18


def test_filters_select(system: Platform) -> None:
    heart = entry(type_code=code("heart"), creation_time="20260101", event_code_list=[code("e1"), code("e2")])
    lung = entry(type_code=code("lung"), creation_time="20260301", author=())
    system.source.submit(submission_set(), [(heart, b"1"), (lung, b"2")])
    consumer = system.consumer

    def found(**filters: Any) -> list[str]:
        return [each.entry_uuid for each in consumer.find_documents(PATIENT, **filters)]

    assert found() == [lung.entry_uuid, heart.entry_uuid]  # newest first
    assert found(type_code=code("heart")) == [heart.entry_uuid]
    assert found(type_code="lung^^1.2.3.99") == [lung.entry_uuid]
    assert found(type_code=[code("heart"), code("lung")]) == [lung.entry_uuid, heart.entry_uuid]
    assert found(event_code_list=[[code("e1")], [code("e2")]]) == [heart.entry_uuid]
    assert found(event_code_list=[[code("e1")], [code("e3")]]) == []
    assert found(creation_time_from="20260101", creation_time_to="20260301") == [heart.entry_uuid]
    assert found(author_person="%Zhang%") == [heart.entry_uuid]
    assert consumer.find_documents("P2^^^&1.3.6.1.4.1.21367.13.20.1000&ISO") == []


def test_many_uuids_and_references(system: Platform) -> None:
    sent = [entry() for _ in range(30)]
    system.source.submit(submission_set(), [(each, b"x") for each in sent])
    uuids = [each.entry_uuid for each in sent]
    found = system.consumer.query("GetDocuments", document_entry_entry_uuid=uuids)
    assert {each.entry_uuid for each in found.document_entries} == set(uuids)
    found = system.consumer.query("GetDocuments", document_entry_entry_uuid=uuids, return_type=ReturnType.OBJECT_REF)
    assert {each.id for each in found.references} == set(uuids)
    assert found.document_entries == found.folders == found.submission_sets == found.associations == []


def test_the_submission_set_comes_back_typed(system: Platform) -> None:
    sent = submission_set(title="Discharge")
    system.source.submit(sent, [(entry(), b"x")])
    found = system.consumer.query("GetSubmissionSetAndContents", submission_set_unique_id=sent.unique_id)
    assert [each.title for each in found.submission_sets] == ["Discharge"]
    assert [each.submission_set_status for each in found.associations] == ["Original"]


# --------------------------------------------------------------------------- scripted peers

PREFIXED = b"<a" + xml.PREFIXES + b">%b</a>"


def answer(
    body: bytes, parts: dict[str, StagedDocument] | None = None
) -> Callable[[OutgoingRequest], IncomingResponse]:
    """A peer that always answers this body."""
    element: etree._Element = xml.parse(PREFIXED % body)[0]
    return lambda request: IncomingResponse(element, parts or {})


def failing(error: Exception) -> Callable[[OutgoingRequest], IncomingResponse]:
    def exchange(request: OutgoingRequest) -> IncomingResponse:
        raise error

    return exchange


WARNING = RegistryError(ErrorCode.EXTRA_METADATA_NOT_SAVED, "extra", severity=Severity.WARNING)
ERROR = RegistryError("VendorCode", "reason", "place")


def test_warnings_of_a_success_are_returned() -> None:
    source = DocumentSource(answer(rs.encode_registry_response(ResponseStatus.SUCCESS, [WARNING])))
    assert source.submit(submission_set(), []).errors == (WARNING,)


@pytest.mark.parametrize("status", [ResponseStatus.FAILURE, ResponseStatus.PARTIAL_SUCCESS, "urn:unheard"])
def test_a_submission_that_is_not_a_success_is_refused(status: str) -> None:
    source = DocumentSource(answer(rs.encode_registry_response(status, [ERROR])))
    with pytest.raises(PeerRejected, match="VendorCode at place") as raised:
        source.submit(submission_set(), [])
    assert raised.value.errors == (ERROR,)


def test_an_answer_of_another_kind_is_no_answer() -> None:
    exchange = answer(b"<rim:Something/>")
    with pytest.raises(PeerUnreachable, match="cannot be read"):
        DocumentSource(exchange).submit(submission_set(), [])
    with pytest.raises(PeerUnreachable, match="cannot be read"):
        DocumentConsumer(exchange).find_documents(PATIENT)
    with pytest.raises(PeerUnreachable, match="cannot be read"):
        DocumentConsumer(exchange, exchange).retrieve(DocumentRequest("1.2", "1.3"))


def test_files_of_an_answer_that_cannot_be_read_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "part"
    path.write_bytes(b"x")
    exchange = answer(b"<rim:Something/>", {"d": StagedDocument(1, "", path=str(path))})
    with pytest.raises(PeerUnreachable):
        DocumentConsumer(exchange, exchange).retrieve(DocumentRequest("1.2", "1.3"))
    assert not path.exists()


def test_a_query_that_found_only_a_part_says_so() -> None:
    body = b"".join(ebxml_query.encode_response(ResponseStatus.PARTIAL_SUCCESS, [ERROR], []))
    consumer = DocumentConsumer(answer(body))
    assert consumer.query("GetDocuments", document_entry_unique_id="1.2").errors == (ERROR,)
    with pytest.raises(PeerRejected, match="part"):
        consumer.find_documents(PATIENT)


def test_a_failed_query_raises_its_errors() -> None:
    body = b"".join(ebxml_query.encode_response(ResponseStatus.FAILURE, [ERROR], []))
    with pytest.raises(PeerRejected) as raised:
        DocumentConsumer(answer(body)).find_documents(PATIENT)
    assert raised.value.errors == (ERROR,)


# --------------------------------------------------------------------------- Document Consumer, ITI-43


def test_a_retrieved_document_can_be_read_saved_and_read_again(system: Platform, tmp_path: Path) -> None:
    document = os.urandom(2_500_000)
    system.source.submit(submission_set(), [(entry(), document)])
    [found] = system.consumer.find_documents(PATIENT)
    with system.consumer.retrieve(found) as received:
        assert received.read() == document
        assert b"".join(received.chunks(10_000)) == document
        assert received.save(tmp_path / "copy").read_bytes() == document
        assert received.repository_unique_id == system.repository.unique_id
        assert str(found.unique_id) not in repr(received)
    with pytest.raises(ValueError, match="closed"):
        received.read()


@pytest.mark.parametrize("how", ["close", "forget"])
def test_the_temporary_file_of_a_document_goes(tmp_path: Path, how: str) -> None:
    path = tmp_path / "document"
    path.write_bytes(b"x")
    staged = StagedDocument(1, "", path=str(path))
    document = Document(
        RetrievedDocument(repository_unique_id="1", document_unique_id="2", mime_type="a/b", content=staged)
    )
    assert path.exists()
    if how == "close":
        document.close()
        document.close()
    del document
    gc.collect()
    assert not path.exists()


def repository_with(*documents: tuple[str, str, bytes], errors: list[RegistryError] | None = None) -> Any:
    """A peer that returns these documents (repository, document id, content), whatever it is asked for."""
    status = ResponseStatus.PARTIAL_SUCCESS if errors else ResponseStatus.SUCCESS
    retrieved = [
        RetrievedDocument(
            repository_unique_id=repository,
            document_unique_id=unique_id,
            mime_type="text/plain",
            content=OutgoingPart(unique_id, "text/plain", [content], len(content)),
        )
        for repository, unique_id, content in documents
    ]
    return answer(ebxml_retrieve.to_inline(ebxml_retrieve.encode_retrieve_response(status, errors or [], retrieved)))


def test_what_does_not_come_is_missing_with_its_reason() -> None:
    about_3 = RegistryError(ErrorCode.DOCUMENT_UNIQUE_ID, "gone", "1.3")
    about_33 = RegistryError(ErrorCode.REPOSITORY_ERROR, "cannot read 1.33 now")
    consumer = DocumentConsumer(
        failing(AssertionError()),
        {
            "9.1": repository_with(("9.1", "1.1", b"one"), errors=[about_33, about_3]),
            "9.2": failing(PeerUnreachable("timeout")),
        },
    )
    wanted = [("9.1", "1.3"), ("9.1", "1.1"), ("9.2", "1.2"), ("9.1", "1.33"), ("9.3", "1.4")]
    retrieval = consumer.retrieve_all(DocumentRequest(*each) for each in wanted)
    assert [document.read() for document in retrieval.documents] == [b"one"]
    assert [(each.request.document_unique_id, each.error.code) for each in retrieval.missing] == [
        ("1.3", ErrorCode.DOCUMENT_UNIQUE_ID),
        ("1.2", ErrorCode.REPOSITORY_ERROR),
        ("1.33", ErrorCode.REPOSITORY_ERROR),
        ("1.4", ErrorCode.UNKNOWN_REPOSITORY_ID),
    ]
    assert retrieval.errors == (about_33, about_3)


def test_a_repository_that_returns_nothing_and_says_nothing_is_not_believed() -> None:
    consumer = DocumentConsumer(failing(AssertionError()), repository_with())
    with pytest.raises(PeerRejected, match="XDSDocumentUniqueIdError"):
        consumer.retrieve(DocumentRequest("9.1", "1.1"))


def test_a_document_that_was_not_asked_for_is_not_given_out() -> None:
    consumer = DocumentConsumer(failing(AssertionError()), repository_with(("9.1", "1.2", b"of somebody else")))
    with pytest.raises(PeerRejected, match="XDSDocumentUniqueIdError"):
        consumer.retrieve(DocumentRequest("9.1", "1.1"))


@pytest.mark.parametrize("error", [PeerUnreachable("timeout"), PeerRejected("a fault")])
def test_when_no_repository_answers_the_reason_is_raised(error: Exception) -> None:
    consumer = DocumentConsumer(failing(AssertionError()), failing(error))
    with pytest.raises(type(error), match=str(error)):
        consumer.retrieve(DocumentRequest("9.1", "1.1"))


@pytest.mark.parametrize("attribute", ["hash", "size"])
def test_bytes_that_are_not_those_of_the_entry_count_as_missing(attribute: str) -> None:
    wrong: dict[str, Any] = {"hash": "0" * 40} if attribute == "hash" else {"size": 4}
    found = DocumentEntry(repository_unique_id="9.1", unique_id="1.1", **wrong)
    consumer = DocumentConsumer(failing(AssertionError()), repository_with(("9.1", "1.1", b"one")))
    with pytest.raises(PeerRejected, match="XDSRepositoryError"):
        consumer.retrieve(found)
    assert consumer.retrieve(found, verify=False).read() == b"one"


def test_an_entry_without_repository_cannot_be_retrieved() -> None:
    with pytest.raises(ValueError, match="repositoryUniqueId"):
        DocumentConsumer(failing(AssertionError())).retrieve(entry())


def test_nothing_asked_is_nothing_retrieved() -> None:
    retrieval = DocumentConsumer(failing(AssertionError())).retrieve_all([])
    assert (retrieval.documents, retrieval.missing, retrieval.errors) == ((), (), ())
