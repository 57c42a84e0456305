"""Stored fragments: what was registered comes out again, with what the columns say."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.xds.ebxml import support
from xds.datatypes.hl7 import XCN
from xds.ebxml import fragments, rim
from xds.metadata.common import Author, Code
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.identity import assign_uuids
from xds.metadata.registry_object import RegistryObject, Submission
from xds.ports import StoredObject
from xds.vocab.ebrim import PATIENT_ID_SCHEME, ObjectKind, Status


def stored(registry_object: RegistryObject, fragment: bytes | None = None, **columns: object) -> StoredObject:
    """The row of an object, as a store keeps it."""
    o = registry_object
    made = StoredObject(
        kind=o.kind,
        entry_uuid=o.id,
        patient=1,
        patient_id=support.PATIENT if o.patient_id is None else o.patient_id,
        status=Status.APPROVED,
        lid=o.id,
        version=1,
        fragment=fragments.encode(o) if fragment is None else fragment,
        association_type=o.association_type or "",
        source=o.source or "",
        target=o.target or "",
    )
    return replace(made, **columns)  # type: ignore[arg-type]  # any column


def registered(registry_object: RegistryObject) -> RegistryObject:
    """The object with what a registry sets."""
    o = replace(registry_object, status=support.APPROVED, lid=registry_object.id, version="1", home=None)
    if o.kind is ObjectKind.FOLDER:
        o.slots = {name: values for name, values in o.slots.items() if name != "lastUpdateTime"}
    return o


@settings(max_examples=60)
@given(support.registry_objects(support.uuids))
def test_what_is_stored_is_what_was_registered(registry_object: RegistryObject) -> None:
    o = registered(registry_object)
    assert fragments.decode(stored(o)) == o
    assert fragments.fill(stored(o)) == rim.encode(o)


@pytest.mark.parametrize("make", [support.document_entry, support.submission_set, support.folder])
def test_the_columns_say_what_can_change_or_depends_on_who_asks(make: Callable[[], RegistryObject]) -> None:
    submission = Submission([make()])
    assign_uuids(submission)
    (o,) = submission.objects
    row = stored(
        o,
        patient_id="P2^^^&1.2.3&ISO",
        status=Status.DEPRECATED,
        lid="urn:uuid:00000000-0000-4000-8000-000000000001",
        version=7,
        last_update_time=20270101000000,
    )
    decoded = fragments.decode(row, home="urn:oid:1.2")
    assert decoded.id == o.id
    assert decoded.patient_id == "P2^^^&1.2.3&ISO"
    assert (decoded.status, decoded.home, decoded.version) == (Status.DEPRECATED.urn, "urn:oid:1.2", "7")
    assert decoded.lid == "urn:uuid:00000000-0000-4000-8000-000000000001"
    assert decoded.unique_id == o.unique_id
    expected = ["20270101000000"] if o.kind is ObjectKind.FOLDER else None
    assert decoded.slots.get("lastUpdateTime") == expected
    assert {c.classified_object for c in decoded.classifications} == {o.id}
    assert {e.registry_object for e in decoded.external_identifiers} == {o.id}


def test_an_association_shows_its_columns() -> None:
    ids = [f"urn:uuid:00000000-0000-4000-8000-00000000000{n}" for n in range(1, 5)]
    row = stored(support.association(ids[0], ids[1], ids[2]), source=ids[3], association_type="urn:x")
    decoded = fragments.decode(row)
    assert (decoded.id, decoded.source, decoded.target, decoded.association_type) == (ids[0], ids[3], ids[2], "urn:x")


def test_only_the_patient_id_is_left_to_the_column() -> None:
    entry = support.document_entry("urn:uuid:00000000-0000-4000-8000-000000000001")
    other = replace(entry.external_identifiers[0], value="second")
    entry.external_identifiers.append(other)
    decoded = fragments.decode(stored(entry, patient_id="P2^^^&1.2.3&ISO"))
    scheme = PATIENT_ID_SCHEME[ObjectKind.DOCUMENT_ENTRY]
    values = [e.value for e in decoded.external_identifiers if e.scheme == scheme]
    assert values == ["P2^^^&1.2.3&ISO", "second"]


def test_a_short_fragment_is_kept_as_it_is_when_that_is_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    o = registered(support.association("urn:uuid:00000000-0000-4000-8000-000000000001", "a", "b"))
    packed = fragments.encode(o)
    assert packed[0] == fragments.ZSTD_1
    raw = bytes([fragments.RAW]) + fragments.render_with_holes(o)
    assert fragments.fill(stored(o, raw)) == fragments.fill(stored(o, packed))
    monkeypatch.setattr(
        fragments._CODECS, "compress", lambda contents: [memoryview(content + b"longer") for content in contents]
    )
    assert fragments.encode(o) == raw


def test_packed_together_is_as_packed_alone() -> None:
    submission = support.submission()
    assign_uuids(submission)
    contents = [fragments.render_with_holes(o) for o in submission.objects]
    assert fragments.pack(contents) == [fragments.pack([content])[0] for content in contents]
    assert fragments.pack([]) == []


def test_what_is_in_a_typical_submission_takes_little_room() -> None:
    submission = support.submission()
    assign_uuids(submission)
    objects = submission.objects[:2] + submission.objects[3:4]
    assert sum(len(fragments.encode(o)) for o in objects) < 1200
    assert sum(len(rim.encode(o)) for o in objects) > 8000


@pytest.mark.parametrize("fragment", [b"", b"\2abc", b"\xff", b"<rim:ExtrinsicObject/>"])
def test_a_format_of_the_future_is_named_and_not_guessed_at(fragment: bytes) -> None:
    row = stored(support.document_entry(), fragment)
    with pytest.raises(fragments.FragmentError, match="this version cannot read"):
        fragments.fill(row)


def test_a_damaged_fragment_is_an_error() -> None:
    entry = support.document_entry("urn:uuid:00000000-0000-4000-8000-000000000001")
    good = fragments.encode(entry)
    for fragment in (good[:1], good[:-5], b"\1not a frame"):
        with pytest.raises(fragments.FragmentError, match=r"damaged|longer"):
            fragments.fill(stored(entry, fragment))
    with pytest.raises(fragments.FragmentError, match="damaged"):
        fragments.decode(stored(entry, b"\0<rim:ExtrinsicObject>"))


def test_a_frame_that_unpacks_to_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = b"\1" + zstandard.ZstdCompressor().compress(bytes(fragments.MAX_SIZE + 1))
    assert len(bomb) < 10_000
    monkeypatch.setattr(fragments._CODECS, "_decompress", lambda frame: pytest.fail("unpacked"))
    with pytest.raises(fragments.FragmentError, match="longer than"):
        fragments.fill(stored(support.document_entry(), bomb))
    without_size = zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 100)
    with pytest.raises(fragments.FragmentError, match="longer than"):
        fragments.fill(stored(support.document_entry(), b"\1" + without_size))


def test_an_object_that_could_not_be_read_again_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "MAX_SIZE", 1000)
    with pytest.raises(ValueError, match="cannot be stored"):
        fragments.encode(support.document_entry())


def test_the_dictionary_never_changes() -> None:
    content = resources.files("xds.ebxml").joinpath("fragments.1.dict").read_bytes()
    assert hashlib.sha256(content).hexdigest() == "694bcae27d8b870212664257ef289336e670cb3f2218c16d765f34177a4d77bd"


def test_a_fragment_stored_by_the_first_version_is_still_read() -> None:
    first = bytes.fromhex("0128b52ffd60570065000000020088a41a41097f522b10")
    o = registered(support.association("urn:uuid:00000000-0000-4000-8000-000000000001", "urn:uuid:a", "urn:uuid:b"))
    assert fragments.fill(stored(o, first)) == rim.encode(o)


@given(st.text(st.sampled_from("urn:uid0123456789abcdef-&<\"'")), st.none() | st.just("urn:oid:1.2"))
def test_a_reference_is_an_object_ref(id_: str, home: str | None) -> None:
    element = support.rooted(fragments.object_ref(id_, home))
    assert (element.tag, element.get("id"), element.get("home")) == (f"{{{rim.RIM}}}ObjectRef", id_, home)


def test_threads_do_not_disturb_each_other() -> None:
    rows = [stored(registered(support.document_entry(f"urn:uuid:00000000-0000-4000-8000-{n:012d}"))) for n in range(8)]
    wrong: list[StoredObject] = []

    def run(row: StoredObject) -> None:
        expected = fragments.fill(row)
        for _ in range(200):
            o = fragments.decode(row)
            if fragments.encode(o) != row.fragment or fragments.fill(row) != expected:
                wrong.append(row)

    threads = [threading.Thread(target=run, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_a_query_returns_keeps_to_the_schema_and_to_the_toolkits_rules(shared: Path) -> None:
    submission = support.submission()
    assign_uuids(submission)
    rows = [stored(o, last_update_time=20260904124501) for o in submission.objects]
    content = b"".join(fragments.fill(row, home="urn:oid:1.2.3") for row in rows)
    element = support.rooted(b"<rim:RegistryObjectList>" + content + b"</rim:RegistryObjectList>")
    support.schema(shared).assertValid(element)
    metadata = support.toolkit(shared)
    objects = metadata.Objects.parse(element.getparent())
    assert (len(objects.docs), len(objects.sets), len(objects.folders), len(objects.assocs)) == (1, 1, 1, 4)
    assert metadata.check_query_metadata(objects) == []


def test_the_authors_of_a_fragment_are_those_of_its_object() -> None:
    persons = ("^A&amp;B^<C>", "1^佳^慧", "a\rb", "]]>")
    authors = [Author(person=XCN.parse(p), institutions=("Ward & Sons", "East")) for p in persons]
    authors.append(Author(roles="no person"))
    other = Code("c", "1.2", "<rim:Value>no author</rim:Value>")
    made = DocumentEntry(
        unique_id="1.2.3", patient_id="P^^^&1.2&ISO", author=authors, class_code=other, extra={"authorPerson": "no"}
    )
    found = fragments.authors(fragments.encode(made.to_object()))
    assert found.persons == [str(a.person) for a in authors[:-1]]
    assert found.institutions == [r"Ward \T\ Sons", "East"] * 4


@settings(max_examples=60)
@given(support.registry_objects(support.uuids))
def test_the_slots_of_a_fragment_are_those_of_its_object(registry_object: RegistryObject) -> None:
    o = registered(registry_object)
    fragment = fragments.encode(o)
    for name, values in o.slots.items():
        assert fragments.slot_values(fragment, name) == tuple(values)
    assert fragments.slot_values(fragment, "no such slot") == ()


def test_a_slot_of_a_classification_is_not_the_objects() -> None:
    made = DocumentEntry(unique_id="1.2.3", patient_id="P^^^&1.2&ISO", class_code=Code("c", "s", "n"))
    assert fragments.slot_values(fragments.encode(made.to_object()), "codingScheme") == ()
