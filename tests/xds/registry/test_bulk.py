from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from tests.benchmarks.region import Region
from tests.xds.registry.build import PATIENT, entry, query, submission, submission_set
from xds.patients.feed import IdentityFeed
from xds.registry import DocumentRegistry
from xds.registry.bulk import Item, bulk_load, loaded
from xds.vocab.errors import ErrorCode
from xds.vocab.hl7 import FeedEvent

SMALL = Region(size=1, entries=300, residents=40, heaviest=100)


def items() -> Iterator[Item]:
    (district,) = SMALL.districts
    yield from district.announcements()
    yield from district.submissions()


def test_a_region_is_loaded_with_its_patients(registry: DocumentRegistry) -> None:
    steps = list(bulk_load(registry, lambda start: islice(items(), start, None), name="region", batch=50))
    assert [step.number for step in steps[:2]] == [50, 100]
    assert not any(step.refused for step in steps)
    (district,) = SMALL.districts
    heaviest, *_ = district.patients()
    both = ("Approved", "Deprecated")
    statuses = [f"urn:oasis:names:tc:ebxml-regrep:StatusType:{name}" for name in both]
    found = registry.query(
        query("FindDocuments", XDSDocumentEntryPatientId=heaviest, XDSDocumentEntryStatus=statuses)
    ).objects
    assert len(found) == SMALL.heaviest
    assert {o.status.name for o in found} == {"APPROVED", "DEPRECATED"}  # replacements took effect


def test_an_interrupted_load_goes_on_where_it_was_and_does_nothing_twice(registry: DocumentRegistry) -> None:
    begun: list[int] = []

    def source(start: int) -> Iterator[Item]:
        begun.append(start)
        return islice(items(), start, None)

    first = bulk_load(registry, source, name="region", batch=64)
    assert [next(first).number, next(first).number] == [64, 128]
    first.close()
    assert loaded(registry.store, "region") == 128
    assert not any(step.refused for step in bulk_load(registry, source, name="region", batch=64))
    assert begun == [0, 128]
    assert loaded(registry.store, "region") == sum(1 for _ in items())
    assert loaded(registry.store, "another") == 0


def test_what_is_refused_is_told_and_its_neighbours_are_registered(registry: DocumentRegistry) -> None:
    again, wrong = submission_set(), entry(hash="no hash")
    unknown = f"P9^^^{PATIENT.partition('^^^')[2]}"
    given = [
        submission(entry("1")),
        submission(entry("2"), of=again),
        submission(wrong),  # found by the rules
        submission(entry("3", patient=unknown)),  # found by the store
        submission(entry("4"), of=submission_set(unique=again.unique_id)),  # likewise
        submission(entry("5")),
    ]
    (step,) = bulk_load(registry, lambda start: given[start:], name="x")
    assert [(one.number, one.error.code) for one in step.refused] == [
        (2, ErrorCode.REGISTRY_METADATA_ERROR),
        (3, ErrorCode.UNKNOWN_PATIENT_ID),
        (4, ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY),
    ]
    assert step.number == loaded(registry.store, "x") == 6
    approved = ["urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"]
    asked = query("FindDocuments", XDSDocumentEntryPatientId=PATIENT, XDSDocumentEntryStatus=approved)
    assert len(registry.query(asked).objects) == 3


def test_a_load_of_nothing_but_refused_items_counts_them(registry: DocumentRegistry) -> None:
    given = [submission(entry(hash="no hash"))]
    (step,) = bulk_load(registry, lambda start: given[start:], name="x")
    assert (step.number, len(step.refused), loaded(registry.store, "x")) == (1, 1, 1)
    assert list(bulk_load(registry, lambda start: given[start:], name="x")) == []


def test_a_merge_is_made_and_one_that_must_not_be_is_left_out(registry: DocumentRegistry) -> None:
    (district,) = SMALL.districts
    one, other = islice(district.announcements(), 2)
    merge = IdentityFeed(event=FeedEvent.MERGE, identifiers=one.identifiers, prior_identifiers=other.identifiers)
    (step,) = bulk_load(registry, lambda start: [merge, one, other, merge], name="x")
    assert [refused.number for refused in step.refused] == [0]
    [survivor] = [str(identifier) for identifier in one.identifiers]
    patient = registry.store.read(lambda reader: reader.patient(survivor))
    assert patient is not None
    assert len(patient.tree) == 2
