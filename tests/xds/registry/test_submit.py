"""Every code of ITI-42 that depends on what is registered, and what the registry sets itself."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial

import pytest

from tests.xds.registry.build import (
    AUTHORITY,
    HASH,
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
    submission_set,
    unique_id,
)
from tests.xds.registry.conftest import StillClock
from tests.xds.stores.test_reader import merge_work
from xds.ebxml import fragments
from xds.errors import RequestRejected
from xds.metadata.registry_object import Submission
from xds.ports import RegistryResponse, StoredObject, UnitOfWork
from xds.registry import AffinityDomain, DocumentRegistry
from xds.vocab.ebrim import AssociationType, DocumentEntryType, ObjectKind, Status
from xds.vocab.errors import ErrorCode

A = AssociationType
OTHER_HASH = "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33"


def codes_of(registry: DocumentRegistry, request: Submission) -> list[str]:
    """The codes of a refusal, each once; the refusal must leave nothing behind."""
    before = everything(registry)
    with pytest.raises(RequestRejected) as caught:
        registry.register(request)
    assert everything(registry) == before
    return sorted({str(error.code) for error in caught.value.errors})


def everything(registry: DocumentRegistry) -> list[tuple[str, Status, int | None]]:
    found = []
    for patient in (PATIENT, OTHER_PATIENT):
        statuses = [status.urn for status in Status]
        objects = registry.query(
            query(
                "GetAll",
                patientId=patient,
                XDSDocumentEntryStatus=statuses,
                XDSSubmissionSetStatus=statuses,
                XDSFolderStatus=statuses,
                XDSDocumentEntryType=list(DocumentEntryType),
            )
        ).objects
        found += [(o.entry_uuid, o.status, o.last_update_time) for o in objects]
    return sorted(found)


def stored(registry: DocumentRegistry, *uuids: str) -> list[StoredObject]:
    return registry.store.read(lambda reader: reader.by_uuid(uuids))


def registered(registry: DocumentRegistry, **attributes: object) -> str:
    """The entryUUID of a new entry in the registry."""
    uuid = fresh_uuid()
    registry.register(submission(entry(uuid, **attributes)))  # type: ignore[arg-type]  # entry's keywords
    return uuid


def registered_folder(registry: DocumentRegistry, **attributes: object) -> str:
    uuid = fresh_uuid()
    registry.register(submission(folder(uuid, **attributes)))  # type: ignore[arg-type]  # folder's keywords
    return uuid


def on_demand(registry: DocumentRegistry) -> str:
    """An On-Demand entry: written past the rules of ITI-42, which has none."""
    uuid = fresh_uuid()
    objects = [entry(uuid, object_type=DocumentEntryType.ON_DEMAND)]
    objects[0].lid, objects[0].version, objects[0].status = uuid, "1", Status.APPROVED.urn
    prepared = registry.store.prepare(objects)

    def write(transaction: object) -> None:
        record = transaction.lock_patient(PATIENT)  # type: ignore[attr-defined]  # ports.Transaction
        transaction.insert(prepared, record.key)  # type: ignore[attr-defined]

    registry.store.transaction(write)
    return uuid


# --------------------------------------------------------------------------- what is accepted, and how it is kept


def test_a_submission_is_registered_and_found(registry: DocumentRegistry) -> None:
    response = registry.register(submission(entry()))
    assert response == RegistryResponse()
    [found] = registry.query(
        query("FindDocuments", XDSDocumentEntryPatientId=PATIENT, XDSDocumentEntryStatus=[Status.APPROVED.urn])
    ).objects
    assert found.patient_id == PATIENT


def test_the_future_resolves_with_the_response(registry: DocumentRegistry) -> None:
    assert registry.submit(submission(entry())).result() == RegistryResponse()


def test_symbolic_ids_become_uuids_and_uuids_stay(registry: DocumentRegistry) -> None:
    kept = fresh_uuid()
    request = submission(entry(kept), entry("Document02"))
    registry.register(request)
    assert all(o.id.startswith("urn:uuid:") for o in request.objects)
    assert [o.entry_uuid for o in stored(registry, kept)] == [kept]


def test_the_registry_sets_status_logical_id_version_and_home(registry: DocumentRegistry) -> None:
    uuid = fresh_uuid()
    submitted = entry(uuid)
    submitted.status, submitted.version, submitted.home = Status.DEPRECATED.urn, "7", "urn:oid:1.2.3"
    registry.register(submission(submitted))
    [found] = stored(registry, uuid)
    assert (found.status, found.lid, found.version) == (Status.APPROVED, uuid, 1)
    assert fragments.decode(found).home is None


def test_extra_slots_are_kept(registry: DocumentRegistry) -> None:
    uuid = fresh_uuid()
    registry.register(submission(entry(uuid, slots={"urn:example:extra": ["one", "two"]})))
    [found] = stored(registry, uuid)
    assert fragments.decode(found).slots["urn:example:extra"] == ["one", "two"]


def test_a_new_folder_gets_the_time_of_the_registry(registry: DocumentRegistry) -> None:
    uuid = fresh_uuid()
    registry.register(submission(folder(uuid, last_update_time="19990101000000")))
    [found] = stored(registry, uuid)
    assert found.last_update_time == 20260301120000


def test_a_plan_can_be_pickled_and_run_elsewhere(registry: DocumentRegistry) -> None:
    uuid = fresh_uuid()
    work = pickle.loads(pickle.dumps(registry.plan(submission(entry(uuid)))))
    assert stored(registry, uuid) == []
    assert registry.store.transaction(work) == RegistryResponse()
    assert len(stored(registry, uuid)) == 1


def test_the_same_unique_id_with_the_same_bytes_is_a_second_entry(registry: DocumentRegistry) -> None:
    unique = unique_id()
    first, second = registered(registry, unique=unique), registered(registry, unique=unique, hash=HASH.upper())
    found = registry.query(query("GetDocuments", XDSDocumentEntryUniqueId=[unique])).objects
    assert {o.entry_uuid for o in found} == {first, second}


def test_an_entry_of_another_patient_may_be_referred_to(registry: DocumentRegistry) -> None:
    other = registered(registry, patient=OTHER_PATIENT)
    registry.register(references(other))
    sets = registry.query(query("GetSubmissionSets", leaf=False, uuid=[other])).objects
    assert len([o for o in sets if o.kind is ObjectKind.SUBMISSION_SET]) == 2


@pytest.mark.parametrize("patients", ["known", "any"])
def test_unknown_patients_are_accepted_only_by_policy(store: UnitOfWork, patients: str) -> None:
    registry = DocumentRegistry(store, domain=AffinityDomain(patients=patients))  # type: ignore[arg-type]  # parametrized
    if patients == "any":
        assert registry.register(submission(entry())) == RegistryResponse()
        assert len(everything(registry)) == 3
    else:
        assert codes_of(registry, submission(entry())) == [ErrorCode.UNKNOWN_PATIENT_ID]


def test_a_subsumed_identifier_is_unknown_and_its_entries_are_the_survivors(registry: DocumentRegistry) -> None:
    uuid = registered(registry, patient=OTHER_PATIENT)
    registry.store.transaction(partial(merge_work, OTHER_PATIENT, PATIENT))
    assert codes_of(registry, submission(entry(patient=OTHER_PATIENT))) == [ErrorCode.UNKNOWN_PATIENT_ID]
    found = {
        patient: [
            o.entry_uuid
            for o in registry.query(
                query("FindDocuments", XDSDocumentEntryPatientId=patient, XDSDocumentEntryStatus=[Status.APPROVED.urn])
            ).objects
        ]
        for patient in (PATIENT, OTHER_PATIENT)
    }
    assert found == {PATIENT: [uuid], OTHER_PATIENT: []}


def test_a_domain_without_authority_takes_every_identifier(store: UnitOfWork) -> None:
    registry = DocumentRegistry(store, domain=AffinityDomain(assigning_authority=None, patients="any"))
    assert registry.register(submission(entry(patient="X^^^&1.2.3&ISO"))) == RegistryResponse()


# --------------------------------------------------------------------------- what is refused


def test_a_patient_of_another_authority_is_unknown(registry: DocumentRegistry) -> None:
    foreign = "P1^^^&1.2.3.4&ISO"
    registry.store.transaction(lambda transaction: transaction.announce(foreign))
    assert codes_of(registry, submission(entry(patient=foreign))) == [ErrorCode.UNKNOWN_PATIENT_ID]


def test_two_patients_in_a_submission_do_not_match(registry: DocumentRegistry) -> None:
    request = submission(entry(patient=OTHER_PATIENT), of=submission_set(patient=PATIENT))
    assert codes_of(registry, request) == [ErrorCode.PATIENT_ID_DOES_NOT_MATCH]


def test_an_entry_uuid_comes_once(registry: DocumentRegistry) -> None:
    uuid = registered(registry)
    assert codes_of(registry, submission(entry(uuid))) == [ErrorCode.REGISTRY_METADATA_ERROR]


@pytest.mark.parametrize("kind", ["set", "folder"])
def test_unique_ids_of_sets_and_folders_come_once(registry: DocumentRegistry, kind: str) -> None:
    unique = unique_id()

    def request() -> Submission:
        if kind == "set":
            return submission(entry(), of=submission_set(unique=unique))
        return submission(folder(unique=unique))

    registry.register(request())
    assert codes_of(registry, request()) == [ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY]


def test_a_set_cannot_take_the_unique_id_of_an_entry(registry: DocumentRegistry) -> None:
    unique = unique_id()
    registered(registry, unique=unique)
    assert codes_of(registry, submission(entry(), of=submission_set(unique=unique))) == [
        ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY
    ]


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"hash": OTHER_HASH}, ErrorCode.NON_IDENTICAL_HASH), ({"size": 7}, ErrorCode.NON_IDENTICAL_SIZE)],
)
def test_the_same_unique_id_with_other_bytes_is_refused(
    registry: DocumentRegistry, changed: dict[str, object], code: ErrorCode
) -> None:
    unique = unique_id()
    registered(registry, unique=unique)
    assert codes_of(registry, submission(entry(unique=unique, **changed))) == [code]  # type: ignore[arg-type]


def test_the_same_unique_id_twice_in_a_message_is_refused(registry: DocumentRegistry) -> None:
    unique = unique_id()
    request = submission(entry("Document01", unique=unique), entry("Document02", unique=unique))
    assert codes_of(registry, request) == [ErrorCode.REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE]


def test_an_on_demand_entry_is_refused(registry: DocumentRegistry) -> None:
    assert ErrorCode.REGISTRY_METADATA_ERROR in codes_of(
        registry, submission(entry(object_type=DocumentEntryType.ON_DEMAND))
    )


Case = Callable[[DocumentRegistry], Submission]


def replaced_entry(registry: DocumentRegistry) -> str:
    """An entry that is Deprecated."""
    original = registered(registry)
    registry.register(submission(entry("New"), association(A.RPLC, "New", original)))
    return original


def relation_to(kind: str, target: Callable[[DocumentRegistry], str]) -> Case:
    return lambda registry: submission(entry("New"), association(kind, "New", target(registry)))


def transformation(registry: DocumentRegistry) -> str:
    original, uuid = registered(registry), fresh_uuid()
    registry.register(submission(entry(uuid), association(A.XFRM, uuid, original)))
    return uuid


def in_one_submission(kind: str) -> Case:
    return lambda registry: submission(entry("Old"), entry("New"), association(kind, "New", "Old"))


REFUSED: dict[str, tuple[Case, str]] = {
    "reference to nothing": (lambda r: references(fresh_uuid()), ErrorCode.UNRESOLVED_REFERENCE),
    "reference to a folder": (lambda r: references(registered_folder(r)), ErrorCode.REGISTRY_METADATA_ERROR),
    "reference to a deprecated entry": (
        lambda r: references(replaced_entry(r)),
        ErrorCode.REGISTRY_DEPRECATED_DOCUMENT,
    ),
    "nothing into an old folder": (
        lambda r: submission(member(registered_folder(r), fresh_uuid())),
        ErrorCode.UNRESOLVED_REFERENCE,
    ),
    "an old entry into no folder": (
        lambda r: submission(member(fresh_uuid(), registered(r))),
        ErrorCode.UNRESOLVED_REFERENCE,
    ),
    "an old entry into an old entry": (
        lambda r: submission(member(registered(r), registered(r))),
        ErrorCode.REGISTRY_METADATA_ERROR,
    ),
    "a deprecated entry into a folder": (
        lambda r: submission(member(registered_folder(r), replaced_entry(r))),
        ErrorCode.REGISTRY_DEPRECATED_DOCUMENT,
    ),
    "a new entry into another patient's folder": (
        lambda r: submission(entry("New"), member(registered_folder(r, patient=OTHER_PATIENT), "New")),
        ErrorCode.PATIENT_ID_DOES_NOT_MATCH,
    ),
    "another patient's entry into a new folder": (
        lambda r: submission(folder("F"), member("F", registered(r, patient=OTHER_PATIENT))),
        ErrorCode.PATIENT_ID_DOES_NOT_MATCH,
    ),
    "another patient's entry into an old folder": (
        lambda r: submission(member(registered_folder(r), registered(r, patient=OTHER_PATIENT))),
        ErrorCode.PATIENT_ID_DOES_NOT_MATCH,
    ),
    **{
        f"{name} of nothing": (relation_to(kind, lambda r: fresh_uuid()), ErrorCode.UNRESOLVED_REFERENCE)
        for name, kind in (
            ("RPLC", A.RPLC),
            ("APND", A.APND),
            ("XFRM", A.XFRM),
            ("XFRM_RPLC", A.XFRM_RPLC),
            ("signs", A.SIGNS),
        )
    },
    **{
        f"{name} of a deprecated entry": (relation_to(kind, replaced_entry), ErrorCode.REGISTRY_DEPRECATED_DOCUMENT)
        for name, kind in (
            ("RPLC", A.RPLC),
            ("APND", A.APND),
            ("XFRM", A.XFRM),
            ("XFRM_RPLC", A.XFRM_RPLC),
            ("signs", A.SIGNS),
        )
    },
    **{
        f"{name} of another patient's entry": (
            relation_to(kind, lambda r: registered(r, patient=OTHER_PATIENT)),
            ErrorCode.PATIENT_ID_DOES_NOT_MATCH,
        )
        for name, kind in (
            ("RPLC", A.RPLC),
            ("APND", A.APND),
            ("XFRM", A.XFRM),
            ("XFRM_RPLC", A.XFRM_RPLC),
            ("signs", A.SIGNS),
        )
    },
    **{
        f"{name} inside a submission": (in_one_submission(kind), ErrorCode.UNRESOLVED_REFERENCE)
        for name, kind in (("RPLC", A.RPLC), ("XFRM_RPLC", A.XFRM_RPLC), ("IsSnapshotOf", A.IS_SNAPSHOT_OF))
    },
    "an addendum to a transformation": (relation_to(A.APND, transformation), ErrorCode.REGISTRY_METADATA_ERROR),
    "an addendum to a transformation inside a submission": (
        lambda r: submission(
            entry("T"), entry("New"), association(A.XFRM, "T", registered(r)), association(A.APND, "New", "T")
        ),
        ErrorCode.REGISTRY_METADATA_ERROR,
    ),
    "a snapshot of a stable entry": (relation_to(A.IS_SNAPSHOT_OF, registered), ErrorCode.REGISTRY_METADATA_ERROR),
    "a relationship to a folder": (relation_to(A.APND, registered_folder), ErrorCode.REGISTRY_METADATA_ERROR),
}


def two_replacements(registry: DocumentRegistry) -> Submission:
    old = registered(registry)
    return submission(entry("A"), entry("B"), association(A.RPLC, "A", old), association(A.RPLC, "B", old))


REFUSED["two replacements of one entry"] = (two_replacements, ErrorCode.REGISTRY_DEPRECATED_DOCUMENT)


@pytest.mark.parametrize("name", REFUSED)
def test_a_reference_that_does_not_hold_is_refused(registry: DocumentRegistry, name: str) -> None:
    make, code = REFUSED[name]
    assert codes_of(registry, make(registry)) == [code]


def test_a_snapshot_of_an_on_demand_entry_is_accepted(registry: DocumentRegistry) -> None:
    target = on_demand(registry)
    registry.register(submission(entry("Snapshot"), association(A.IS_SNAPSHOT_OF, "Snapshot", target)))
    assert stored(registry, target)[0].status is Status.APPROVED


def test_everything_found_is_reported_at_once(registry: DocumentRegistry) -> None:
    taken, unique = registered(registry), unique_id()
    registered(registry, unique=unique)
    unknown = f"nobody^^^&{AUTHORITY}&ISO"
    request = submission(
        entry(taken, unique=unique, hash=OTHER_HASH, patient=unknown),
        association(A.RPLC, taken, fresh_uuid()),
        of=submission_set(patient=unknown),
    )
    assert codes_of(registry, request) == sorted(
        [
            ErrorCode.UNKNOWN_PATIENT_ID,
            ErrorCode.UNRESOLVED_REFERENCE,
            ErrorCode.REGISTRY_METADATA_ERROR,
            ErrorCode.NON_IDENTICAL_HASH,
        ]
    )


@pytest.mark.parametrize("otherwise_right", [True, False])
def test_a_conflict_is_told_the_same_whatever_else_is_wrong(registry: DocumentRegistry, otherwise_right: bool) -> None:
    patient = PATIENT if otherwise_right else f"nobody^^^&{AUTHORITY}&ISO"
    unique, of_set = unique_id(), unique_id()
    registry.register(submission(entry(unique=unique), of=submission_set(unique=of_set)))
    request = submission(
        entry(unique=unique, hash=OTHER_HASH, size=7, patient=patient),
        of=submission_set(patient=patient, unique=of_set),
    )
    with pytest.raises(RequestRejected) as caught:
        registry.register(request)
    found = {(error.code, error.context) for error in caught.value.errors}
    assert found - {(ErrorCode.UNKNOWN_PATIENT_ID, patient)} == {
        (ErrorCode.NON_IDENTICAL_HASH, unique),
        (ErrorCode.NON_IDENTICAL_SIZE, unique),
        (ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY, f"SubmissionSet uniqueId {of_set}"),
    }
    assert len(found) == (3 if otherwise_right else 4)


def test_errors_name_what_they_are_about(registry: DocumentRegistry) -> None:
    missing = fresh_uuid()
    with pytest.raises(RequestRejected) as caught:
        registry.register(submission(entry("New"), association(A.RPLC, "New", missing, id="Link")))
    [error] = caught.value.errors
    assert missing in error.context
    assert error.location == "Association Link"


def test_refusals_do_not_show_patients_in_their_text(registry: DocumentRegistry) -> None:
    with pytest.raises(RequestRejected) as caught:
        registry.register(submission(entry(patient=f"SECRET^^^&{AUTHORITY}&ISO")))
    assert caught.value.errors[0].context.startswith("SECRET")
    assert "SECRET" not in str(caught.value)


def test_a_clock_that_stands_still_does_not_stop_folders(registry: DocumentRegistry, clock: StillClock) -> None:
    uuid = registered_folder(registry)
    for n in range(3):
        assert stored(registry, uuid)[0].last_update_time == 20260301120000 + n
        registry.register(submission(entry(f"Document{n}"), member(uuid, f"Document{n}")))
    clock.now = clock.now.replace(year=2027)
    registry.register(submission(entry("Document4"), member(uuid, "Document4")))
    assert stored(registry, uuid)[0].last_update_time == 20270301120000


def test_what_was_tolerated_is_counted(registry: DocumentRegistry) -> None:
    registry.register(submission(entry(slots={"urn:ihe:iti:unheard:of": ["x"]})))
    assert sum(registry.tolerated.counts().values()) == 1
