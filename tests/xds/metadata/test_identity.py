"""Symbolic ids become UUIDs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from xds.datatypes.ids import is_uuid
from xds.metadata.identity import assign_uuids
from xds.metadata.registry_object import Classification, ExternalIdentifier, RegistryObject, Submission
from xds.vocab.ebrim import ObjectKind

UUID = "urn:uuid:00000000-0000-4000-8000-000000000001"
ELSEWHERE = "urn:uuid:00000000-0000-4000-8000-000000000002"


def entry(id_: str, part: str = "") -> RegistryObject:
    made = RegistryObject(ObjectKind.DOCUMENT_ENTRY, id_, lid="anything")
    made.classifications = [Classification("s", id=part, classified_object=id_)]
    made.external_identifiers = [ExternalIdentifier("s", "v", id=part, registry_object=id_)]
    return made


def member(source: str, target: str, id_: str = "A") -> RegistryObject:
    return RegistryObject(ObjectKind.ASSOCIATION, id_, source=source, target=target)


def parts(o: RegistryObject) -> Iterator[Classification | ExternalIdentifier]:
    yield from o.classifications
    yield from o.external_identifiers


def test_the_same_symbol_is_the_same_uuid_wherever_it_refers_to_an_object() -> None:
    submission = Submission([member("S", "D"), entry("D"), entry("S"), member("S", "A", "B")])
    assigned = assign_uuids(submission)
    first, document, package, second = submission.objects
    assert set(assigned) == {"A", "B", "D", "S"}
    assert all(is_uuid(value) for value in assigned.values())
    assert len(set(assigned.values())) == 4
    assert [o.id for o in submission.objects] == [assigned[symbol] for symbol in "ADSB"]
    assert (first.source, first.target) == (package.id, document.id)
    assert (second.source, second.target) == (package.id, first.id)
    for o in (document, package):
        assert o.classifications[0].classified_object == o.id
        assert o.external_identifiers[0].registry_object == o.id


def test_uuids_and_references_out_of_the_submission_stay() -> None:
    submission = Submission([entry(UUID, ELSEWHERE), member(UUID, ELSEWHERE), member("nothing", UUID, UUID[:-1] + "9")])
    assigned = assign_uuids(submission)
    document, first, second = submission.objects
    assert set(assigned) == {"A"}
    assert (document.id, document.classifications[0].id) == (UUID, ELSEWHERE)
    assert (first.source, first.target) == (UUID, ELSEWHERE)
    assert (second.id, second.source) == (UUID[:-1] + "9", "nothing")


@pytest.mark.parametrize("part", ["", "c1", "urn:uuid:not-one", UUID.upper()])
def test_every_part_has_an_id_of_its_own_even_where_a_symbol_was_used_twice(part: str) -> None:
    submission = Submission([entry("D", part), entry("S", part)])
    assign_uuids(submission)
    ids = [p.id for o in submission.objects for p in parts(o)] + [o.id for o in submission.objects]
    assert all(is_uuid(id_) for id_ in ids)
    assert len(set(ids)) == 6


def test_every_object_is_the_first_version_of_itself_unless_told_otherwise() -> None:
    submission = Submission([entry("D"), entry(UUID)])
    assign_uuids(submission)
    assert [o.lid for o in submission.objects] == [o.id for o in submission.objects]
    submission = Submission([entry("D")])
    assign_uuids(submission, logical_ids=False)
    assert submission.objects[0].lid == "anything"


def test_an_object_without_id_gets_one_and_a_symbol_used_twice_stays_one() -> None:
    submission = Submission([entry(""), entry(""), entry("D"), entry("D")])
    assign_uuids(submission)
    ids = [o.id for o in submission.objects]
    assert all(is_uuid(id_) for id_ in ids)
    assert ids[2] == ids[3]
    assert len(set(ids)) == 3


def test_many_ids_are_all_different() -> None:
    submission = Submission([entry(f"D{number}") for number in range(40_000)])
    assign_uuids(submission)
    assert len({p.id for o in submission.objects for p in parts(o)} | {o.id for o in submission.objects}) == 120_000
