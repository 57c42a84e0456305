from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime

import pytest
from hypothesis import given

from tests.xds.metadata.examples import CODE, ENTRY
from tests.xds.metadata.strategies import document_entries
from xds.datatypes.hl7 import CX, HD, XCN, XON
from xds.datatypes.ids import is_oid, is_uuid
from xds.errors import MalformedMessage
from xds.metadata.common import Author
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.registry_object import Classification, ExternalIdentifier, RegistryObject
from xds.metadata.rules.attributes import SLOTS
from xds.vocab.ebrim import DocumentEntryType, ObjectKind


@given(document_entries)
def test_what_is_written_reads_back_the_same(value: DocumentEntry) -> None:
    obj = value.to_object()
    again = DocumentEntry.from_object(obj)
    assert again == value
    assert again.to_object() == obj


def test_every_attribute_goes_there_and_back() -> None:
    obj = ENTRY.to_object()
    assert obj.kind is ObjectKind.DOCUMENT_ENTRY
    again = DocumentEntry.from_object(obj)
    for field in fields(DocumentEntry):
        assert getattr(again, field.name) == getattr(ENTRY, field.name), field.name


def test_values_can_be_members_of_sets() -> None:
    assert len({ENTRY, DocumentEntry.from_object(ENTRY.to_object())}) == 1


def test_an_integrator_writes_wire_forms_and_single_values() -> None:
    entry = DocumentEntry(
        patient_id="P1^^^&1.2.3&ISO",
        creation_time=datetime(2026, 9, 4, 12, 30, tzinfo=UTC),
        service_start_time="2026",
        service_stop_time=date(2026, 9, 4),
        author=Author(person="^Zhang^Wei", institutions="First People's Hospital"),
        confidentiality_code=CODE,
        extra={"urn:example:ward": "3"},
    )
    assert entry.patient_id == CX("P1", HD.oid("1.2.3"))
    assert [str(t) for t in (entry.creation_time, entry.service_start_time, entry.service_stop_time)] == [
        "20260904123000",
        "2026",
        "20260904",
    ]
    assert entry.author == (
        Author(person=XCN(family_name="Zhang", given_name="Wei"), institutions=[XON("First People's Hospital")]),
    )
    assert entry.confidentiality_code == (CODE,)
    assert entry.extra == {"urn:example:ward": ("3",)}
    assert is_uuid(entry.entry_uuid)
    assert is_oid(entry.unique_id)
    assert not entry.on_demand
    assert DocumentEntry(object_type=DocumentEntryType.ON_DEMAND).on_demand


def test_two_entries_never_share_the_ids_they_were_not_given() -> None:
    one, two = DocumentEntry(), DocumentEntry()
    assert one.entry_uuid != two.entry_uuid
    assert one.unique_id != two.unique_id


def test_what_the_framework_does_not_know_is_given_back() -> None:
    obj = ENTRY.to_object()
    unknown = CODE.to_classification("urn:uuid:00000000-0000-4000-8000-000000000001", obj.id)
    marker = Classification(node="urn:uuid:00000000-0000-4000-8000-000000000002", classified_object=obj.id)
    number = ExternalIdentifier("urn:uuid:00000000-0000-4000-8000-000000000003", "7")
    obj.classifications += [unknown, marker]
    obj.external_identifiers.append(number)
    obj.slots["urn:example:empty"] = []
    obj.slots["URI"] = ["1|http://a/", "2|b"]
    again = DocumentEntry.from_object(obj)
    assert again.uri == "1|http://a/"
    assert again.extra_classifications == (unknown, marker)
    assert again.extra_identifiers == (number,)
    written = again.to_object()
    assert written.slots == obj.slots
    assert {c.scheme or c.node for c in written.classifications} == {c.scheme or c.node for c in obj.classifications}


def test_each_author_keeps_what_is_its_own() -> None:
    authors = (Author(person="^Zhang", roles="a"), Author(institutions="Clinic", roles=("b", "c")))
    assert DocumentEntry.from_object(DocumentEntry(author=authors).to_object()).author == authors


@pytest.mark.parametrize(("slot", "value"), [("creationTime", "yesterday"), ("size", "many")])
def test_a_value_that_cannot_be_read_is_named_without_the_value(slot: str, value: str) -> None:
    obj = ENTRY.to_object()
    obj.slots[slot] = [value]
    with pytest.raises(MalformedMessage, match=slot) as refused:
        DocumentEntry.from_object(obj)
    assert value not in str(refused.value)


def test_another_kind_of_object_is_no_document_entry() -> None:
    with pytest.raises(MalformedMessage, match="FOLDER"):
        DocumentEntry.from_object(RegistryObject(ObjectKind.FOLDER, "Folder01"))


def test_the_slots_of_the_framework_are_all_known() -> None:
    obj = ENTRY.to_object()
    known = {row.source for row in SLOTS if row.kind is ObjectKind.DOCUMENT_ENTRY}
    assert known == set(obj.slots) - {"urn:example:ward"}
