"""Stored query parameters: what each kind looks like on the wire, how lists are split, what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.clients.parameters import MAX_VALUE, adhoc_query, keyword, stored_query
from xds.datatypes.time import DTM
from xds.metadata.common import Code
from xds.registry.parameters import read_arguments
from xds.vocab.ebrim import Status
from xds.vocab.queries import FIND_DOCUMENTS, GET_ASSOCIATIONS, GET_DOCUMENTS, STORED_QUERIES, Kind, Parameter

APPROVED = "'urn:oasis:names:tc:ebxml-regrep:StatusType:Approved'"
DEPRECATED = "'urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated'"
REQUIRED = {"document_entry_patient_id": "P1^^^&1.2&ISO", "document_entry_status": Status.APPROVED}


def slots(**arguments: Any) -> dict[str, list[tuple[str, ...]]]:
    """The Slots of a FindDocuments by name, without those that are always there."""
    query = adhoc_query(FIND_DOCUMENTS, REQUIRED | arguments, return_type="LeafClass")
    found: dict[str, list[tuple[str, ...]]] = {}
    for name, values in query.parameters:
        found.setdefault(name, []).append(values)
    return found


@pytest.mark.parametrize(
    ("name", "value", "slot", "written"),
    [
        ("document_entry_patient_id", "O'Hara^^^&1.2&ISO", "$XDSDocumentEntryPatientId", [("'O''Hara^^^&1.2&ISO'",)]),
        ("document_entry_status", Status.DEPRECATED, "$XDSDocumentEntryStatus", [(f"({DEPRECATED})",)]),
        ("document_entry_status", list(Status), "$XDSDocumentEntryStatus", [(f"({APPROVED},{DEPRECATED})",)]),
        ("document_entry_class_code", Code("a", "1.2", "A"), "$XDSDocumentEntryClassCode", [("('a^^1.2')",)]),
        ("document_entry_class_code", ["a^^1", "b^^1"], "$XDSDocumentEntryClassCode", [("('a^^1','b^^1')",)]),
        (
            "document_entry_event_code_list",
            [["a^^1", "b^^1"], ["c^^1"]],
            "$XDSDocumentEntryEventCodeList",
            [("('a^^1','b^^1')",), ("('c^^1')",)],
        ),
        ("document_entry_event_code_list", "a^^1", "$XDSDocumentEntryEventCodeList", [("('a^^1')",)]),
        ("document_entry_creation_time_from", "2026", "$XDSDocumentEntryCreationTimeFrom", [("2026",)]),
        ("document_entry_creation_time_from", DTM("202602"), "$XDSDocumentEntryCreationTimeFrom", [("202602",)]),
        ("document_entry_creation_time_to", date(2026, 2, 3), "$XDSDocumentEntryCreationTimeTo", [("20260203",)]),
        (
            "document_entry_creation_time_to",
            datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
            "$XDSDocumentEntryCreationTimeTo",
            [("20260203040506",)],
        ),
        ("document_entry_author_person", "%Zhang%", "$XDSDocumentEntryAuthorPerson", [("('%Zhang%')",)]),
        ("$XDSDocumentEntryAuthorPerson", ("a", "b"), "$XDSDocumentEntryAuthorPerson", [("('a','b')",)]),
        ("metadata_level", 2, "$MetadataLevel", [("2",)]),
    ],
)
def test_each_kind_of_value_has_its_form(name: str, value: Any, slot: str, written: list[tuple[str, ...]]) -> None:
    assert slots(**{name: value})[slot] == written


@pytest.mark.parametrize("value", [None, [], (), iter([])])
def test_nothing_is_left_out(value: Any) -> None:
    assert set(slots(document_entry_class_code=value)) == {"$XDSDocumentEntryPatientId", "$XDSDocumentEntryStatus"}


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=200), min_size=1, max_size=30))
def test_long_lists_are_split_over_values_of_bearable_length_and_read_back(uuids: list[str]) -> None:
    query = adhoc_query(GET_ASSOCIATIONS, {"uuid": uuids}, return_type="LeafClass")
    [(_, values)] = query.parameters
    assert all(len(value) <= MAX_VALUE or value.count("','") == 0 for value in values)
    listed = "".join(value[1:-1] + "," for value in values)
    assert listed == "".join("'" + uuid.replace("'", "''") + "'," for uuid in uuids)


def test_a_hundred_uuids_fit() -> None:
    uuids = [f"urn:uuid:00000000-0000-4000-8000-{number:012d}" for number in range(100)]
    query = adhoc_query(GET_ASSOCIATIONS, {"uuid": uuids}, return_type="ObjectRef")
    [(name, values)] = query.parameters
    assert name == "$uuid"
    assert max(map(len, values)) <= MAX_VALUE
    assert len(values) == 20  # five each


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"patient": "x"}, TypeError, "no parameter patient; it has document_entry_patient_id"),
        ({"document_entry_status": None}, ValueError, "needs document_entry_status"),
        ({"document_entry_status": []}, ValueError, "needs document_entry_status"),
        ({"document_entry_class_code": "a"}, ValueError, "code"),
        ({"document_entry_class_code": 7}, ValueError, "code"),
        ({"document_entry_creation_time_from": "yesterday"}, ValueError, "time"),
        ({"metadata_level": "two"}, ValueError, "two"),
    ],
)
def test_what_cannot_be_asked_is_refused_here(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        slots(**arguments)


@pytest.mark.parametrize(
    "arguments", [{}, {"document_entry_entry_uuid": "urn:uuid:1", "document_entry_unique_id": "1.2"}]
)
def test_exactly_one_of_alternatives_is_given(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="exactly one of document_entry_entry_uuid, document_entry_unique_id"):
        adhoc_query(GET_DOCUMENTS, arguments, return_type="LeafClass")


def test_a_query_is_known_by_its_name() -> None:
    assert stored_query("FindDocuments") is stored_query(FIND_DOCUMENTS) is FIND_DOCUMENTS
    with pytest.raises(ValueError, match="none of the stored queries: FindDocuments"):
        stored_query("FindEverything")


SAMPLE = {
    Kind.PATIENT_ID: "P1^^^&1.2.3&ISO",
    Kind.STATUS: Status.APPROVED,
    Kind.CODE: Code("a", "1.2"),
    Kind.TEXT: "it's",
    Kind.UUID: "urn:uuid:00000000-0000-4000-8000-000000000000",
    Kind.PATTERN: "%x_",
    Kind.TIME_FROM: "2026",
    Kind.TIME_TO: "2027",
    Kind.NUMBER: 1,
}
EVERY = [(query, parameter) for query in STORED_QUERIES for parameter in query.parameters]


@pytest.mark.parametrize(("query", "parameter"), EVERY, ids=[f"{q.name}-{p.name}" for q, p in EVERY])
def test_the_registry_reads_every_parameter_that_is_written(query: Any, parameter: Parameter) -> None:
    arguments = {keyword(p): SAMPLE[p.kind] for p in query.parameters if p.required}
    arguments[keyword(parameter)] = SAMPLE[parameter.kind]
    if query.alternatives and parameter.name not in query.alternatives:
        first = query.by_name[query.alternatives[0]]
        arguments[keyword(first)] = SAMPLE[first.kind]
    written = adhoc_query(query, arguments, return_type="LeafClass")
    notes: list[str] = []
    read = read_arguments(written, query, notes)
    value = SAMPLE[parameter.kind]
    expected = {Kind.STATUS: APPROVED.strip("'"), Kind.CODE: "a^^1.2"}.get(parameter.kind, str(value))
    assert read.groups[parameter.name] == ((expected,),)
    assert notes == []
