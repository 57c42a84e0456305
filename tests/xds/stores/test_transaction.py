"""Writing, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import deepcopy
from functools import partial

import pytest

from tests.xds.stores.support import (
    AS,
    DE,
    FD,
    HAS_MEMBER,
    OTHER_PATIENT,
    PATIENT,
    SS,
    association,
    document_work,
    entry,
    find,
    folder,
    patient_of,
    register,
    registering,
    stage,
    submission_set,
)
from xds.datatypes.ids import new_uuid
from xds.errors import RequestRejected
from xds.metadata.registry_object import RegistryObject
from xds.metadata.rules.finding import KIND_NAMES
from xds.ports import PatientRecord, Reader, Transaction
from xds.stores import SqlStore
from xds.stores.transaction import next_update_time
from xds.vocab.ebrim import PATIENT_ID_SCHEME, AssociationType, ObjectKind, Status
from xds.vocab.errors import ErrorCode


def announce_work(identifier: str, transaction: Transaction) -> bool:
    return transaction.announce(identifier)


def lock_work(identifier: str, create: bool, transaction: Transaction) -> PatientRecord | None:
    return transaction.lock_patient(identifier, create=create)


# --------------------------------------------------------------------------- patients


def test_a_patient_is_announced_once(store: SqlStore) -> None:
    assert store.transaction(partial(announce_work, PATIENT)) is True
    assert store.transaction(partial(announce_work, PATIENT)) is False
    record = patient_of(store)
    assert (record.identifier, record.active, record.tree) == (PATIENT, True, (record.key,))


def test_an_unannounced_patient_is_nobody_unless_it_may_be_created(store: SqlStore) -> None:
    assert store.transaction(partial(lock_work, PATIENT, False)) is None
    created = store.transaction(partial(lock_work, PATIENT, True))
    assert created is not None
    assert store.transaction(partial(lock_work, PATIENT, False)) == created


def test_identifiers_that_differ_in_case_are_two_patients(store: SqlStore) -> None:
    assert store.transaction(partial(announce_work, "abc^^^&1.2&ISO"))
    assert store.transaction(partial(announce_work, "ABC^^^&1.2&ISO"))


def test_many_threads_announce_a_patient_and_one_of_them_was_first(store: SqlStore) -> None:
    futures = [store.submit(partial(announce_work, PATIENT)) for _ in range(30)]
    assert sorted(f.result() for f in futures) == [False] * 29 + [True]


# --------------------------------------------------------------------------- objects


def test_what_is_inserted_is_read_back_with_its_columns(store: SqlStore) -> None:
    document, own_set, holder = entry("1.1", format_code="f^^s"), submission_set("1.2"), folder("1.3")
    member = association(own_set.id, document.id)
    key = register(store, document, own_set, holder, member)
    read = store.read(lambda r: r.by_uuid([member.id, holder.id, own_set.id, document.id]))
    assert [o.kind for o in read] == [AS, FD, SS, DE]
    assert [o.entry_uuid for o in read] == [member.id, holder.id, own_set.id, document.id]
    assert {o.patient for o in read} == {key}
    assert {o.patient_id for o in read} == {PATIENT}
    assert {(o.status, o.version) for o in read} == {(Status.APPROVED, 1)}
    assert all(o.lid == o.entry_uuid for o in read)
    assert all(o.fragment for o in read)
    assert (read[0].association_type, read[0].source, read[0].target) == (HAS_MEMBER, own_set.id, document.id)
    assert [o.unique_id for o in read] == ["", "1.3", "1.2", "1.1"]
    assert read[1].last_update_time == 20260101000000
    assert read[3].format_code == "f^^s"


def test_many_objects_of_a_kind_go_in_together(store: SqlStore) -> None:
    own_set = submission_set("1.0")
    documents = [entry(f"1.1.{n}", event_code=["a^^s", "b^^s"]) for n in range(70)]
    register(store, *documents, own_set, *(association(own_set.id, d.id) for d in documents))
    assert len(find(store)) == 70
    assert len(find(store, codes=(("event_code", ("b^^s",)),))) == 70
    members = store.read(lambda r: r.associations(sources=[own_set.id]))
    assert {a.target for a in members} == {d.id for d in documents}


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (lambda: submission_set("1.2"), ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY),
        (lambda: submission_set("1.1"), ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY),
        (lambda: folder("1.2"), ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY),
        (lambda: folder("1.3"), ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY),
        (lambda: entry("1.2"), ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY),
        (lambda: entry("1.3"), ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY),
        (lambda: entry("1.1", hash="b" * 40), ErrorCode.NON_IDENTICAL_HASH),
        (lambda: entry("1.1", size=7), ErrorCode.NON_IDENTICAL_SIZE),
    ],
    ids=["set-set", "set-entry", "folder-set", "folder-folder", "entry-set", "entry-folder", "hash", "size"],
)
@pytest.mark.parametrize("patient", [PATIENT, OTHER_PATIENT])
def test_a_unique_id_in_use_is_refused_and_nothing_stays(
    store: SqlStore, second: Callable[[], object], code: ErrorCode, patient: str
) -> None:
    register(store, entry("1.1"), submission_set("1.2"), folder("1.3"))
    refused = second()
    companion = entry("1.9")
    with pytest.raises(RequestRejected) as caught:
        register(store, companion, refused, patient=patient)  # type: ignore[arg-type]
    assert [error.code for error in caught.value.errors] == [code]
    [error] = caught.value.errors
    assert error.location == refused.location  # type: ignore[attr-defined]
    if code is ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY:
        assert error.context == f"{KIND_NAMES[refused.kind]} uniqueId {refused.unique_id}"  # type: ignore[attr-defined]
    assert store.read(lambda r: r.by_uuid([companion.id])) == []
    assert "1.9" not in store.read(lambda r: r.claims(["1.9"]))


def test_an_entry_uuid_in_use_is_refused_whatever_it_names(store: SqlStore) -> None:
    first = entry("1.1")
    register(store, first)
    second = folder("1.2")
    second.id = first.id
    with pytest.raises(RequestRejected) as caught:
        register(store, second)
    assert caught.value.code is ErrorCode.REGISTRY_METADATA_ERROR


def test_a_submission_refused_for_several_ids_names_each(store: SqlStore) -> None:
    first = entry("1.1")
    register(store, first, submission_set("1.2"))
    again = entry("1.5")
    again.id = first.id
    with pytest.raises(RequestRejected) as caught:
        register(store, again, submission_set("1.2"), entry("1.1", hash="c" * 40, size=5))
    assert sorted(str(e.code) for e in caught.value.errors) == [
        "XDSDuplicateUniqueIdInRegistry",
        "XDSNonIdenticalHash",
        "XDSNonIdenticalSize",
        "XDSRegistryMetadataError",
    ]


def test_document_entries_with_the_same_bytes_share_a_unique_id(store: SqlStore) -> None:
    entries = [entry("1.1"), entry("1.1"), entry("1.1")]
    register(store, entries[0])
    register(store, entries[1])
    register(store, entries[2], patient=OTHER_PATIENT)
    read = store.read(lambda r: r.by_unique_id(DE, ["1.1"]))
    assert {o.entry_uuid for o in read} == {e.id for e in entries}
    assert {o.patient_id for o in read} == {PATIENT, OTHER_PATIENT}
    claims = store.read(lambda r: r.claims(["1.1"]))["1.1"]
    assert claims[0].entry_uuid == entries[0].id
    assert {(c.unique_id, c.kind, c.size) for c in claims} == {("1.1", DE, 0)}
    assert len({c.hash for c in claims}) == 1


def later_version(first: RegistryObject, number: int, *, patient: str = OTHER_PATIENT) -> RegistryObject:
    made = deepcopy(first)
    made.id, made.lid, made.version = new_uuid(), first.id, str(number)
    for identifier in made.external_identifiers:
        if identifier.scheme == PATIENT_ID_SCHEME[made.kind]:
            identifier.value = patient
    return made


@pytest.mark.parametrize("first", [entry("1.1"), folder("1.1")], ids=["entry", "folder"])
def test_the_versions_of_an_object_share_its_unique_id_under_any_patient(
    store: SqlStore, first: RegistryObject
) -> None:
    register(store, first)
    second, third = later_version(first, 2), later_version(first, 3, patient=PATIENT)
    register(store, second, patient=OTHER_PATIENT)
    register(store, third)
    read = store.read(lambda r: r.by_unique_id(first.kind, ["1.1"]))
    assert sorted((o.version, o.patient_id, o.entry_uuid) for o in read) == [
        (1, PATIENT, first.id),
        (2, OTHER_PATIENT, second.id),
        (3, PATIENT, third.id),
    ]
    assert {o.lid for o in read} == {first.id}


def test_a_version_of_another_folder_may_not_take_a_unique_id(store: SqlStore) -> None:
    register(store, folder("1.1"), other := folder("1.2"))
    thief = later_version(other, 2)
    for identifier in thief.external_identifiers:
        if identifier.value == "1.2":
            identifier.value = "1.1"
    with pytest.raises(RequestRejected) as caught:
        register(store, thief, patient=OTHER_PATIENT)
    assert caught.value.code is ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY


def test_what_is_read_is_decoded_and_its_slots_are_found(store: SqlStore) -> None:
    register(store, document := entry("1.1", creation_time="20260101"))
    [stored] = store.read(lambda r: r.by_uuid([document.id]))
    decoded, times = store.read(lambda r: (r.decode(stored), r.slot_values(stored, "creationTime")))
    assert (decoded.id, decoded.unique_id, decoded.patient_id) == (document.id, "1.1", PATIENT)
    assert times == ("20260101",)


def test_hashes_are_compared_without_regard_to_case(store: SqlStore) -> None:
    register(store, entry("1.1", hash="ab" * 20))
    register(store, entry("1.1", hash="AB" * 20))
    assert len(store.read(lambda r: r.by_unique_id(DE, ["1.1"]))) == 2


def test_two_entries_of_one_submission_share_or_conflict_like_any_others(store: SqlStore) -> None:
    register(store, entry("1.1"), entry("1.1"))
    assert len(store.read(lambda r: r.by_unique_id(DE, ["1.1"]))) == 2
    with pytest.raises(RequestRejected) as caught:
        register(store, entry("1.2"), entry("1.2", size=3))
    assert caught.value.code is ErrorCode.NON_IDENTICAL_SIZE


def test_a_unique_id_that_looks_like_the_bytes_of_a_uuid_is_another_identifier(store: SqlStore) -> None:
    document = entry("1.1")
    document.id = "urn:uuid:31323334-3536-4738-b930-313233343536"
    register(store, document)
    same = bytes.fromhex(document.id[9:].replace("-", "")).decode("latin-1")
    register(store, entry(same))
    assert [o.unique_id for o in store.read(lambda r: r.by_unique_id(DE, [same]))] == [same]


def test_of_many_threads_that_claim_the_same_ids_exactly_one_wins(store: SqlStore) -> None:
    works = [
        registering([submission_set(f"9.{n}") for n in order]) for order in ([1, 2, 3], [3, 2, 1]) for _ in range(10)
    ]
    results: list[object] = []
    gate = threading.Barrier(len(works))

    def run(work: partial[int]) -> None:
        gate.wait()
        try:
            results.append(store.transaction(work))
        except RequestRejected as error:
            results.append(error.code)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY) == len(works) - 1
    assert len(find(store, SS)) == 3


def test_of_many_entries_with_one_unique_id_at_once_all_share_it(store: SqlStore) -> None:
    patients = [f"P{n}^^^&1.2&ISO" for n in range(12)]
    futures = [store.submit(registering([entry("1.1", patient=p)], p)) for p in patients]
    for future in futures:
        future.result()
    assert len(store.read(lambda r: r.by_unique_id(DE, ["1.1"]))) == 12


def test_work_that_fails_leaves_nothing(store: SqlStore) -> None:
    document = entry("1.1")

    def work(transaction: Transaction) -> None:
        registering([document])(transaction)
        assert transaction.by_uuid([document.id])  # it sees its own writes
        raise RuntimeError("after all")

    with pytest.raises(RuntimeError, match="after all"):
        store.transaction(work)
    assert store.read(lambda r: (r.patient(PATIENT), r.by_uuid([document.id]), r.claims(["1.1"]))) == (None, [], {})


# --------------------------------------------------------------------------- associations


def test_an_association_between_patients_is_found_from_both_and_delivered_once(store: SqlStore) -> None:
    foreign = entry("1.1", patient=OTHER_PATIENT)
    register(store, foreign, patient=OTHER_PATIENT)
    own_set = submission_set("1.2")
    reference = association(own_set.id, foreign.id)
    register(store, own_set, reference)
    expected = [reference.id]
    assert [a.entry_uuid for a in store.read(lambda r: r.associations(sources=[own_set.id]))] == expected
    by_target = store.read(lambda r: r.associations(targets=[foreign.id]))
    assert [a.entry_uuid for a in by_target] == expected
    assert [a.patient_id for a in by_target] == [PATIENT]  # it lives with its submission set
    both = store.read(lambda r: r.associations(sources=[own_set.id], targets=[foreign.id]))
    assert [a.entry_uuid for a in both] == expected
    assert [a.entry_uuid for a in store.read(lambda r: r.by_uuid(expected))] == expected


def test_the_status_of_an_association_between_patients_changes_wherever_it_stands(store: SqlStore) -> None:
    foreign = entry("1.1", patient=OTHER_PATIENT)
    register(store, foreign, patient=OTHER_PATIENT)
    own_set = submission_set("1.2")
    reference = association(own_set.id, foreign.id)
    register(store, own_set, reference)
    store.transaction(lambda t: t.set_status([reference.id], Status.DEPRECATED))
    for found in (
        store.read(lambda r: r.associations(sources=[own_set.id])),
        store.read(lambda r: r.associations(targets=[foreign.id])),
    ):
        assert [a.status for a in found] == [Status.DEPRECATED]


def test_associations_are_chosen_by_type_and_bounded(store: SqlStore) -> None:
    old, new, own_set = entry("1.1"), entry("1.2"), submission_set("1.3")
    replacement = association(new.id, old.id, AssociationType.RPLC.value)
    register(store, old, new, own_set, replacement, association(own_set.id, old.id), association(own_set.id, new.id))
    read = store.read
    assert len(read(lambda r: r.associations(targets=[old.id, new.id]))) == 3
    assert [a.entry_uuid for a in read(lambda r: r.associations(targets=[old.id], types=[AssociationType.RPLC]))] == [
        replacement.id
    ]
    assert len(read(lambda r: r.associations(targets=[old.id, new.id], limit=2))) == 2
    assert read(lambda r: r.associations(sources=["urn:uuid:00000000-0000-4000-8000-000000000000"])) == []
    assert read(lambda r: r.associations()) == []


# --------------------------------------------------------------------------- changes


def test_statuses_change_for_any_kind_in_one_call(store: SqlStore) -> None:
    objects = [entry("1.1"), entry("1.2"), submission_set("1.3"), folder("1.4")]
    register(store, *objects)
    store.transaction(lambda t: t.set_status([o.id for o in objects[1:]], Status.DEPRECATED))
    read = store.read(lambda r: r.by_uuid([o.id for o in objects]))
    assert [o.status for o in read] == [Status.APPROVED, *[Status.DEPRECATED] * 3]
    assert [o.unique_id for o in find(store, statuses=(Status.APPROVED,))] == ["1.1"]


def test_the_status_of_what_is_not_registered_cannot_change(store: SqlStore) -> None:
    with pytest.raises(ValueError, match="not registered"):
        store.transaction(lambda t: t.set_status([entry("1.1").id], Status.DEPRECATED))


def test_last_update_time_moves_on_every_touch(store: SqlStore) -> None:
    holder = folder("1.1", last_update_time="20261231235958")
    register(store, holder)
    seen = []
    for now in (20261231235959, 20261231235959, 20261231235959, 20270301000000):
        store.transaction(lambda t, now=now: t.touch_folders([holder.id], now))
        seen.append(store.read(lambda r: r.by_uuid([holder.id]))[0].last_update_time)
    assert seen == [20261231235959, 20270101000000, 20270101000001, 20270301000000]


@pytest.mark.parametrize(
    ("now", "previous", "expected"),
    [
        (20260101000000, None, 20260101000000),
        (20260101000001, 20260101000000, 20260101000001),
        (20260101000000, 20260101000000, 20260101000001),
        (20250101000000, 20260228235959, 20260301000000),
        (20250101000000, 20280228235959, 20280229000000),
        (20250101000000, 20261231235959, 20270101000000),
    ],
)
def test_the_next_update_time_is_a_real_second(now: int, previous: int | None, expected: int) -> None:
    assert next_update_time(now, previous) == expected


def test_only_folders_can_be_touched(store: SqlStore) -> None:
    document = entry("1.1")
    register(store, document)
    with pytest.raises(ValueError, match="only folders"):
        store.transaction(lambda t: t.touch_folders([document.id], 20260101000000))


# --------------------------------------------------------------------------- documents and notes


def test_a_document_becomes_visible_with_its_metadata(store: SqlStore) -> None:
    content = b"<ClinicalDocument>" + b"<text>x</text>" * 500 + b"</ClinicalDocument>"
    staged = stage(store, content)

    def work(transaction: Transaction) -> None:
        registering([entry("1.1")])(transaction)
        transaction.insert_document("1.1", "text/xml", staged)

    assert store.read(lambda r: r.document("1.1")) is None
    store.transaction(work)
    document = store.read(lambda r: r.document("1.1"))
    assert document is not None
    assert b"".join(document.chunks(100)) == content
    assert (document.mime_type, document.size, document.hash) == ("text/xml", len(content), staged.hash)


def test_the_same_bytes_under_the_same_unique_id_are_stored_once(store: SqlStore) -> None:
    store.transaction(partial(document_work, "1.1", stage(store, b"same")))
    store.transaction(partial(document_work, "1.1", stage(store, b"same")))
    with pytest.raises(RequestRejected) as caught:
        store.transaction(partial(document_work, "1.1", stage(store, b"else")))
    assert caught.value.code is ErrorCode.NON_IDENTICAL_HASH
    document = store.read(lambda r: r.document("1.1"))
    assert document is not None
    assert document.content == b"same"


def test_a_deleted_document_is_gone(store: SqlStore) -> None:
    store.transaction(partial(document_work, "1.1", stage(store, b"bytes")))
    store.transaction(lambda t: t.delete_document("1.1"))
    assert store.read(lambda r: r.document("1.1")) is None
    store.transaction(lambda t: t.delete_document("1.1"))  # again: nothing to do


def test_journal_notes_are_kept_by_kind_and_key_oldest_first(store: SqlStore) -> None:
    def write(transaction: Transaction) -> None:
        for key in ("b", "a", "c"):
            transaction.write_journal("iti-42", key, key.encode())
        transaction.write_journal("iti-42", "b", b"\0changed")
        transaction.write_journal("other", "a", b"x")
        transaction.erase_journal("iti-42", "a")

    store.transaction(write)
    assert store.read(lambda r: r.journal("iti-42")) == [("b", b"\0changed"), ("c", b"c")]
    assert store.read(lambda r: r.journal("other")) == [("a", b"x")]


def test_work_can_prepare_objects_of_its_own(store: SqlStore) -> None:
    made = association(entry("1.1").id, entry("1.2").id)

    def work(transaction: Transaction) -> None:
        record = transaction.lock_patient(PATIENT, create=True)
        assert record is not None
        transaction.insert(transaction.prepare([made]), record.key)

    store.transaction(work)
    assert [o.entry_uuid for o in store.read(lambda r: r.by_uuid([made.id]))] == [made.id]


def test_an_object_that_is_no_set_and_no_folder_is_not_stored(store: SqlStore) -> None:
    o = folder("1.1")
    o.kind = ObjectKind.UNKNOWN
    with pytest.raises(ValueError, match="neither"):
        store.prepare([o])


def test_a_snapshot_does_not_see_what_is_committed_meanwhile(store: SqlStore) -> None:
    register(store, entry("1.1"))

    def work(reader: Reader) -> tuple[int, int]:
        before = len(reader.claims(["1.1", "1.2"]))
        register(store, entry("1.2"))
        return before, len(reader.claims(["1.1", "1.2"]))

    assert store.read(work) == (1, 1)
    assert len(store.read(lambda r: r.claims(["1.1", "1.2"]))) == 2
