"""What replacing, appending, transforming and filing do to registered objects (ITI TF-3, 4.2.2)."""

from __future__ import annotations

from functools import partial

import pytest

from tests.xds.registry.build import (
    OTHER_PATIENT,
    PATIENT,
    association,
    entry,
    folder,
    fresh_uuid,
    member,
    query,
    references,
    submission,
    unique_id,
)
from tests.xds.registry.conftest import StillClock
from tests.xds.registry.test_submit import codes_of, registered, registered_folder, stored
from xds.errors import RequestRejected
from xds.ports import StoredObject, Transaction
from xds.registry import DocumentRegistry
from xds.vocab.ebrim import AssociationType, ObjectKind, Status
from xds.vocab.errors import ErrorCode

A = AssociationType
APPROVED, DEPRECATED = Status.APPROVED, Status.DEPRECATED


def related(registry: DocumentRegistry, kind: str, target: str) -> str:
    """A new entry in this relationship to ``target``."""
    uuid = fresh_uuid()
    registry.register(submission(entry(uuid), association(kind, uuid, target)))
    return uuid


def status_of(registry: DocumentRegistry, *uuids: str) -> list[Status]:
    return [o.status for o in stored(registry, *uuids)]


def contents(registry: DocumentRegistry, folder_uuid: str) -> list[StoredObject]:
    result = registry.query(query("GetFolderAndContents", XDSFolderEntryUUID=folder_uuid)).objects
    return [o for o in result if o.kind is ObjectKind.DOCUMENT_ENTRY]


def content_ids(registry: DocumentRegistry, folder_uuid: str) -> set[str]:
    return {o.entry_uuid for o in contents(registry, folder_uuid)}


def filed(registry: DocumentRegistry, folder_uuid: str, entry_uuid: str) -> None:
    registry.register(submission(member(folder_uuid, entry_uuid)))


def updated(registry: DocumentRegistry, folder_uuid: str) -> int:
    time = stored(registry, folder_uuid)[0].last_update_time
    assert time is not None
    return time


# --------------------------------------------------------------------------- statuses


@pytest.mark.parametrize(
    ("kind", "after"),
    [
        (A.RPLC, DEPRECATED),
        (A.XFRM_RPLC, DEPRECATED),
        (A.APND, APPROVED),
        (A.XFRM, APPROVED),
        (A.SIGNS, APPROVED),
    ],
)
def test_a_relationship_leaves_its_target(registry: DocumentRegistry, kind: str, after: Status) -> None:
    target = registered(registry)
    source = related(registry, kind, target)
    assert status_of(registry, source, target) == [APPROVED, after]


@pytest.mark.parametrize(("kind", "after"), [(A.APND, DEPRECATED), (A.XFRM, DEPRECATED), (A.SIGNS, APPROVED)])
@pytest.mark.parametrize("replacing", [A.RPLC, A.XFRM_RPLC])
def test_a_replacement_takes_addenda_and_transformations_along(
    registry: DocumentRegistry, kind: str, after: Status, replacing: str
) -> None:
    original = registered(registry)
    attached = related(registry, kind, original)
    replacement = related(registry, replacing, original)
    assert status_of(registry, original, attached, replacement) == [DEPRECATED, after, APPROVED]


def test_the_cascade_follows_the_chain_to_its_end(registry: DocumentRegistry) -> None:
    original = registered(registry)
    addendum = related(registry, A.APND, original)
    transformed = related(registry, A.XFRM, addendum)
    appended = related(registry, A.APND, addendum)
    again = related(registry, A.XFRM, appended)
    unrelated = registered(registry)
    related(registry, A.RPLC, original)
    assert status_of(registry, original, addendum, transformed, appended, again) == [DEPRECATED] * 5
    assert status_of(registry, unrelated) == [APPROVED]


def test_a_replacement_that_transforms_an_addendum_of_the_original_stays_approved(registry: DocumentRegistry) -> None:
    original = registered(registry)
    addendum = related(registry, A.APND, original)
    merged = fresh_uuid()
    registry.register(
        submission(entry(merged), association(A.RPLC, merged, original), association(A.XFRM, merged, addendum))
    )
    assert status_of(registry, original, addendum, merged) == [DEPRECATED, DEPRECATED, APPROVED]


def test_nothing_is_replaced_that_a_folder_of_another_patient_holds(registry: DocumentRegistry) -> None:
    original, other = registered(registry), registered_folder(registry, patient=OTHER_PATIENT)
    registry.store.transaction(partial(_file_regardless, other, original))  # ITI-42 would refuse it
    uuid = fresh_uuid()
    request = submission(entry(uuid), association(A.RPLC, uuid, original))
    assert codes_of(registry, request) == [ErrorCode.PATIENT_ID_DOES_NOT_MATCH]
    assert status_of(registry, original) == [APPROVED]


def _file_regardless(folder_uuid: str, entry_uuid: str, transaction: Transaction) -> None:
    patient = transaction.lock_patient(PATIENT)
    assert patient is not None
    link = member(folder_uuid, entry_uuid, id=fresh_uuid())
    transaction.insert(transaction.prepare([link]), patient.key)


def test_the_replacement_of_an_addendum_leaves_the_original(registry: DocumentRegistry) -> None:
    original = registered(registry)
    addendum = related(registry, A.APND, original)
    related(registry, A.RPLC, addendum)
    assert status_of(registry, original, addendum) == [APPROVED, DEPRECATED]


def test_a_transformation_can_be_replaced(registry: DocumentRegistry) -> None:
    transformed = related(registry, A.XFRM, registered(registry))
    assert status_of(registry, related(registry, A.RPLC, transformed), transformed) == [APPROVED, DEPRECATED]


def test_a_replaced_entry_cannot_be_replaced_again(registry: DocumentRegistry) -> None:
    original = registered(registry)
    first = related(registry, A.RPLC, original)
    request = submission(entry("New"), association(A.RPLC, "New", original))
    assert codes_of(registry, request) == [ErrorCode.REGISTRY_DEPRECATED_DOCUMENT]
    assert status_of(registry, related(registry, A.RPLC, first), first) == [APPROVED, DEPRECATED]


def test_one_entry_can_replace_several(registry: DocumentRegistry) -> None:
    first, second = registered(registry), registered(registry)
    new = fresh_uuid()
    registry.register(submission(entry(new), association(A.RPLC, new, first), association(A.RPLC, new, second)))
    assert status_of(registry, first, second, new) == [DEPRECATED, DEPRECATED, APPROVED]


def test_metadata_can_be_corrected_by_replacing_with_the_same_document(registry: DocumentRegistry) -> None:
    unique = unique_id()
    original = registered(registry, unique=unique, title="wrong")
    corrected = fresh_uuid()
    registry.register(
        submission(entry(corrected, unique=unique, title="right"), association(A.RPLC, corrected, original))
    )
    assert status_of(registry, original, corrected) == [DEPRECATED, APPROVED]


def test_sets_and_associations_of_a_deprecated_entry_stay_approved(registry: DocumentRegistry) -> None:
    original = registered(registry)
    related(registry, A.RPLC, original)
    touching = registry.query(query("GetAssociations", uuid=[original])).objects
    sets = registry.query(query("GetSubmissionSets", uuid=[original])).objects
    assert {o.status for o in (*touching, *sets)} == {APPROVED}
    assert len(touching) == 2


# --------------------------------------------------------------------------- folders


def test_a_replacement_joins_every_folder_of_the_original(registry: DocumentRegistry, clock: StillClock) -> None:
    original = registered(registry)
    folders = [registered_folder(registry), registered_folder(registry)]
    elsewhere = registered_folder(registry)
    for uuid in folders:
        filed(registry, uuid, original)
    clock.now = clock.now.replace(hour=13)
    new = related(registry, A.RPLC, original)
    for uuid in folders:
        assert content_ids(registry, uuid) == {original, new}
        assert updated(registry, uuid) == 20260301130000
    assert content_ids(registry, elsewhere) == set()
    assert updated(registry, elsewhere) == 20260301120000


def test_the_memberships_the_registry_makes_belong_to_the_new_submission_set(registry: DocumentRegistry) -> None:
    original, holder = registered(registry), registered_folder(registry)
    filed(registry, holder, original)
    new = fresh_uuid()
    request = submission(entry(new), association(A.RPLC, new, original))
    registry.register(request)
    members = registry.store.read(lambda r: r.associations(sources=[holder], types=[A.HAS_MEMBER]))
    [made] = [a for a in members if a.target == new]
    [joined] = registry.store.read(lambda r: r.associations(targets=[made.entry_uuid]))
    assert joined.source == request.submission_sets[0].id
    assert (made.status, made.version, made.lid) == (APPROVED, 1, made.entry_uuid)


def test_a_replacement_that_is_filed_already_is_not_filed_twice(registry: DocumentRegistry) -> None:
    original, holder, new = registered(registry), registered_folder(registry), fresh_uuid()
    filed(registry, holder, original)
    registry.register(submission(entry(new), association(A.RPLC, new, original), member(holder, new)))
    members = registry.store.read(lambda r: r.associations(sources=[holder]))
    assert sorted(a.target for a in members) == sorted([original, new])


def test_one_replacement_of_two_in_a_folder_joins_it_once(registry: DocumentRegistry) -> None:
    first, second, holder, new = registered(registry), registered(registry), registered_folder(registry), fresh_uuid()
    filed(registry, holder, first)
    filed(registry, holder, second)
    registry.register(submission(entry(new), association(A.RPLC, new, first), association(A.RPLC, new, second)))
    members = registry.store.read(lambda r: r.associations(sources=[holder]))
    assert sorted(a.target for a in members) == sorted([first, second, new])


def test_what_goes_down_with_the_original_brings_nothing_into_folders(registry: DocumentRegistry) -> None:
    original, holder = registered(registry), registered_folder(registry)
    addendum = related(registry, A.APND, original)
    filed(registry, holder, addendum)
    related(registry, A.RPLC, original)
    assert content_ids(registry, holder) == {addendum}


def test_a_replacement_in_a_new_folder_with_its_original(registry: DocumentRegistry) -> None:
    original, new, holder = registered(registry), fresh_uuid(), fresh_uuid()
    registry.register(
        submission(entry(new), folder(holder), association(A.RPLC, new, original), member(holder, original))
    )
    assert content_ids(registry, holder) == {original, new}
    assert updated(registry, holder) == 20260301120000


@pytest.mark.parametrize("new_folder", [False, True])
@pytest.mark.parametrize("new_entry", [False, True])
def test_the_four_ways_to_fill_a_folder(registry: DocumentRegistry, new_folder: bool, new_entry: bool) -> None:
    holder = fresh_uuid() if new_folder else registered_folder(registry)
    content = fresh_uuid() if new_entry else registered(registry)
    parts = [
        *([folder(holder)] if new_folder else []),
        *([entry(content)] if new_entry else []),
        member(holder, content),
    ]
    registry.register(submission(*parts))
    assert content_ids(registry, holder) == {content}
    assert updated(registry, holder) == (20260301120000 if new_folder else 20260301120001)


def test_a_reference_does_not_move_the_folders_of_the_entry(registry: DocumentRegistry) -> None:
    content, holder = registered(registry), registered_folder(registry)
    filed(registry, holder, content)
    before = updated(registry, holder)
    registry.register(references(content))
    assert updated(registry, holder) == before


def test_a_refused_replacement_changes_nothing(registry: DocumentRegistry) -> None:
    original, holder = registered(registry), registered_folder(registry)
    filed(registry, holder, original)
    taken = unique_id()
    registered(registry, unique=taken)
    before = updated(registry, holder)
    with pytest.raises(RequestRejected):
        registry.register(submission(entry("New", unique=taken, size=9), association(A.RPLC, "New", original)))
    assert status_of(registry, original) == [APPROVED]
    assert (content_ids(registry, holder), updated(registry, holder)) == ({original}, before)
