from __future__ import annotations

import pytest

from tests.xds.registry.build import APPROVED, PATIENT, entry, folder, fresh_uuid, member, query, submission
from tests.xds.transactions.support import element, exchange, require_valid
from xds.ebxml import query as codec
from xds.metadata.requests import AdhocQuery, QueryResponse
from xds.ports import Later
from xds.registry import AffinityDomain, DocumentRegistry
from xds.stores import SqlStore
from xds.transactions.iti18 import ITI_18
from xds.vocab.ebrim import ResponseStatus, Status
from xds.vocab.errors import ErrorCode


def ask(registry: DocumentRegistry, store: SqlStore, asked: AdhocQuery) -> QueryResponse:
    root = element(exchange(ITI_18, registry, codec.encode_request(asked), store=store))
    require_valid(root)
    return codec.decode_response(root)


def find(*, leaf: bool = True) -> AdhocQuery:
    return query("FindDocuments", leaf=leaf, XDSDocumentEntryPatientId=PATIENT, XDSDocumentEntryStatus=[APPROVED])


def test_leaf_class_returns_whole_objects(store: SqlStore, registry: DocumentRegistry) -> None:
    uuid, holder = fresh_uuid(), fresh_uuid()
    registry.register(submission(entry(uuid, title="A & B"), folder(holder), member(holder, uuid)))
    everything = query(
        "GetAll",
        patientId=PATIENT,
        XDSDocumentEntryStatus=[APPROVED],
        XDSSubmissionSetStatus=[APPROVED],
        XDSFolderStatus=[APPROVED],
    )
    response = ask(registry, store, everything)
    assert response.status == ResponseStatus.SUCCESS
    assert len(response.objects) == 7
    for found in response.objects:
        assert (found.status, found.version, found.lid) == (Status.APPROVED.urn, "1", found.id)
    [document] = [o for o in response.objects if o.id == uuid]
    assert document.patient_id == PATIENT
    assert document.name[0].value == "A & B"


def test_a_large_answer_is_written_while_it_is_sent(store: SqlStore, registry: DocumentRegistry) -> None:
    registry.register(submission(*(entry(f"Document{n}", title=f"number {n}") for n in range(501))))
    answer = ITI_18.encode_response(registry.query(find()))
    assert [type(piece) for piece in answer.body] == [bytes, Later, bytes]
    for _ in range(2):  # it can be read again
        objects = codec.decode_response(element(answer)).objects
        assert sorted(o.name[0].value for o in objects) == sorted(f"number {n}" for n in range(501))


def test_object_ref_returns_references(store: SqlStore, registry: DocumentRegistry) -> None:
    uuid = fresh_uuid()
    registry.register(submission(entry(uuid)))
    response = ask(registry, store, find(leaf=False))
    assert [reference.id for reference in response.references] == [uuid]
    assert response.objects == []


def test_no_hits_are_a_success(store: SqlStore, registry: DocumentRegistry) -> None:
    response = ask(registry, store, find())
    assert (response.status, list(response.errors), response.objects) == (ResponseStatus.SUCCESS, [], [])


@pytest.mark.parametrize("leaf", [True, False])
def test_a_home_community_is_on_every_object(store: SqlStore, leaf: bool) -> None:
    registry = DocumentRegistry(store, domain=AffinityDomain(home_community_id="urn:oid:1.2.3"))
    registry.register(submission(entry()))
    response = ask(registry, store, find(leaf=leaf))
    assert [o.home for o in (*response.objects, *response.references)] == ["urn:oid:1.2.3"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (AdhocQuery("urn:uuid:nonsense", "LeafClass", ()), ErrorCode.UNKNOWN_STORED_QUERY),
        (AdhocQuery(find().query_id, "LeafClass", find().parameters[:1]), ErrorCode.STORED_QUERY_MISSING_PARAM),
        (AdhocQuery(find().query_id, "LeafClass", find().parameters * 2), ErrorCode.STORED_QUERY_PARAM_NUMBER),
        (AdhocQuery(find().query_id, "RegistryObject", find().parameters), ErrorCode.REGISTRY_ERROR),
    ],
)
def test_a_refused_query_is_a_failure_with_an_empty_list(
    store: SqlStore, registry: DocumentRegistry, asked: AdhocQuery, code: ErrorCode
) -> None:
    response = ask(registry, store, asked)
    assert response.status == ResponseStatus.FAILURE
    assert {error.code for error in response.errors} == {code}
    assert response.objects == []
