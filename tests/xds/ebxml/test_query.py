"""AdhocQueryRequest and AdhocQueryResponse."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.xds.ebxml import support
from tests.xds.ebxml.test_rs import errors
from xds.ebxml import fragments, query, rim, xml
from xds.errors import MalformedMessage, RegistryError
from xds.metadata.registry_object import RegistryObject
from xds.metadata.requests import AdhocQuery, ObjectRef, ReturnType
from xds.vocab.ebrim import IdScheme, ObjectKind, ResponseStatus

FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
QUERY = AdhocQuery(
    FIND_DOCUMENTS,
    ReturnType.LEAF_CLASS,
    (
        ("$XDSDocumentEntryPatientId", (f"'{support.PATIENT}'",)),
        ("$XDSDocumentEntryEventCodeList", ("('a^^1','b^^1')", "('c^^1')")),
        ("$XDSDocumentEntryEventCodeList", ("('d^^1')",)),
    ),
    "urn:oid:1.2.3",
)

queries = st.builds(
    AdhocQuery,
    support.uuids,
    st.sampled_from(list(ReturnType)),
    st.lists(st.tuples(support.names, st.lists(support.trimmed, max_size=3).map(tuple)), max_size=4).map(tuple),
    st.none() | support.names,
)


@given(queries)
def test_a_query_is_read_as_it_was_written(asked: AdhocQuery) -> None:
    assert query.decode_request(support.rooted(query.encode_request(asked))) == asked


def test_a_query_keeps_to_the_schema(shared: Path) -> None:
    support.schema(shared).assertValid(support.rooted(query.encode_request(QUERY)))


def test_what_occurs_in_the_wild_is_set_right() -> None:
    element = support.rooted(
        f"""
        <query:AdhocQueryRequest maxResults="-1"><query:ResponseOption returnType=" LeafClass "/>
          <rim:AdhocQuery id=" {FIND_DOCUMENTS.upper()}
          " home=" "><rim:Slot name=" $a "><rim:ValueList>
            <rim:Value>
               'x  y'
            </rim:Value><rim:Value/></rim:ValueList></rim:Slot><rim:Slot name="$b"/></rim:AdhocQuery>
        </query:AdhocQueryRequest>""".encode()
    )
    assert query.decode_request(element) == AdhocQuery(
        FIND_DOCUMENTS, "LeafClass", (("$a", ("'x  y'", "")), ("$b", ())), None
    )


def test_the_order_of_option_and_query_does_not_matter_and_the_default_type_is_the_schemas() -> None:
    element = support.rooted(
        b'<query:AdhocQueryRequest><rim:AdhocQuery id="q"/><query:ResponseOption/></query:AdhocQueryRequest>'
    )
    assert query.decode_request(element) == AdhocQuery("q", "RegistryObject", ())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'<query:AdhocQueryRequest><rim:AdhocQuery id="q"/></query:AdhocQueryRequest>', "0 ResponseOption"),
        (b"<query:AdhocQueryRequest><query:ResponseOption/></query:AdhocQueryRequest>", "0 AdhocQuery"),
        (
            b"<query:AdhocQueryRequest><query:ResponseOption/><rim:AdhocQuery/><rim:AdhocQuery/></query:AdhocQueryRequest>",
            "2 AdhocQuery",
        ),
        (
            b"<query:AdhocQueryRequest><rim:ResponseOption/><rim:AdhocQuery/></query:AdhocQueryRequest>",
            "0 ResponseOption",
        ),
        (b"<query:AdhocQueryResponse/>", "no AdhocQueryRequest"),
    ],
)
def test_what_is_no_query_is_malformed(body: bytes, message: str) -> None:
    with pytest.raises(MalformedMessage, match=message):
        query.decode_request(support.rooted(body))


# --------------------------------------------------------------------------- answers


@settings(max_examples=40)
@given(
    st.sampled_from(list(ResponseStatus)),
    errors,
    st.lists(support.registry_objects(support.uuids), max_size=2),
    st.lists(st.builds(ObjectRef, support.uuids, st.none() | support.names), max_size=3),
)
def test_an_answer_is_read_as_it_was_written(
    status: str, found: tuple[RegistryError, ...], objects: list[RegistryObject], references: list[ObjectRef]
) -> None:
    content = [rim.encode(o) for o in objects] + [fragments.object_ref(ref.id, ref.home) for ref in references]
    response = query.decode_response(support.rooted(*query.encode_response(status, found, iter(content))))
    assert (response.status, response.errors, response.references) == (status, found, references)
    assert [support.located(o) for o in response.objects] == objects


@given(st.sampled_from(list(ResponseStatus)), errors)
def test_an_answer_keeps_to_the_schema(shared: Path, status: str, found: tuple[RegistryError, ...]) -> None:
    submission = support.submission()
    content = [rim.encode(o) for o in submission.objects] + [fragments.object_ref("urn:uuid:x", "urn:oid:1.2")]
    for objects in [], content:
        support.schema(shared).assertValid(support.rooted(*query.encode_response(status, found, objects)))


def test_an_answer_without_its_list_is_empty() -> None:
    response = query.decode_response(support.rooted(b'<query:AdhocQueryResponse status="urn:s"/>'))
    assert (response.status, response.objects, response.references) == ("urn:s", [], [])


@pytest.mark.parametrize("body", [b"<query:AdhocQueryResponse/>", b'<rs:RegistryResponse status="s"/>'])
def test_what_is_no_answer_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        query.decode_response(support.rooted(body))


# --------------------------------------------------------------------------- other systems


def body_of(shared: Path, name: str) -> bytes:
    return (shared / "samples/swiss-epr" / name).read_bytes()


def test_the_query_of_another_system_is_read(shared: Path) -> None:
    (body,) = xml.parse(body_of(shared, "ITI-18_request_raw.xml")).iterfind("{*}Body")
    asked = query.decode_request(body[0])
    assert asked.query_id == FIND_DOCUMENTS
    assert asked.return_type == ReturnType.OBJECT_REF
    assert dict(asked.parameters)["$XDSDocumentEntryStatus"] == (
        "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
    )
    assert dict(asked.parameters)["$XDSDocumentEntryPatientId"][0].endswith("^^^&1.3.6.1.4.1.21367.2017.2.5.45&ISO'")


def test_the_answer_of_another_system_is_read(shared: Path) -> None:
    (body,) = xml.parse(body_of(shared, "ITI-18_response_raw.xml")).iterfind("{*}Body")
    response = query.decode_response(body[0])
    assert (response.status, response.errors) == (ResponseStatus.SUCCESS, ())
    (entry,) = response.objects
    assert entry.kind is ObjectKind.DOCUMENT_ENTRY
    assert entry.id == "urn:uuid:1415538d-41bc-41b2-9ae6-8b785f7f3aa6"
    assert (entry.home, entry.mime_type) == ("urn:oid:1.1.4567334.1.6", "application/fhir+json")
    assert entry.slot("repositoryUniqueId") == "1.1.4567332.1.75"
    assert entry.external_identifier(IdScheme.DOCUMENT_ENTRY_UNIQUE_ID) is not None
