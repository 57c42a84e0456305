"""What the relationships of a submission demand of registered objects, and do to them (ITI TF-3, 4.2.2).

Everything here runs inside the writer, under the patient's lock: what was checked still holds when it is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from xds.datatypes.ids import new_uuid
from xds.errors import RegistryError, RequestRejected
from xds.metadata.registry_object import RegistryObject
from xds.ports import PatientRecord, Reader, StoredObject, Transaction
from xds.vocab.ebrim import AssociationType, DocumentEntryType, ObjectKind, ObjectType, Status
from xds.vocab.errors import ErrorCode

_REPLACING: Final = frozenset((AssociationType.RPLC, AssociationType.XFRM_RPLC))
_TRANSFORMING: Final = (AssociationType.XFRM.value,)
# ITI TF-3, 4.2.2.2.3: a deprecated entry takes its addenda and transformations along, theirs too
_CASCADING: Final = (AssociationType.APND.value, AssociationType.XFRM.value)
_HAS_MEMBER: Final = (AssociationType.HAS_MEMBER.value,)


class Role(IntEnum):
    """Which part an object that was registered before plays in a submission."""

    MEMBER = 1  # of the SubmissionSet, by Reference
    FOLDER = 2  # gains a DocumentEntry
    CONTENT = 3  # DocumentEntry that a Folder gains
    TARGET = 4  # of a relationship


_EXPECTED_KIND: Final = {
    Role.MEMBER: ObjectKind.DOCUMENT_ENTRY,
    Role.FOLDER: ObjectKind.FOLDER,
    Role.CONTENT: ObjectKind.DOCUMENT_ENTRY,
    Role.TARGET: ObjectKind.DOCUMENT_ENTRY,
}


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference of a submission to an object that it does not hold itself."""

    role: Role
    object_id: str
    association_type: str
    other_end: str  # entryUUID of what the Association joins it to
    location: str  # of the Association, for the answer


# --------------------------------------------------------------------------- checks


def registered(transaction: Transaction, references: Iterable[Reference], patient_id: str) -> dict[str, StoredObject]:
    """The objects that are referred to, by entryUUID.

    Folders of another patient are locked with that patient, because they change. An entry that a set merely refers to
    is not: it may become Deprecated right after it was looked at, which is as if it had become so after the submission.
    """
    references = tuple(references)
    wanted = sorted({reference.object_id for reference in references})
    found = {o.entry_uuid: o for o in transaction.by_uuid(wanted, references=True)}
    folders = {reference.object_id for reference in references if reference.role is Role.FOLDER}
    others = sorted({found[uuid].patient_id for uuid in folders if uuid in found} - {patient_id})
    if others:
        for other in others:
            transaction.lock_patient(other)
        found = {o.entry_uuid: o for o in transaction.by_uuid(wanted, references=True)}
    return found


def findings(
    reader: Reader, references: Iterable[Reference], found: Mapping[str, StoredObject], patient_id: str
) -> Iterator[RegistryError]:
    """What speaks against the references of a submission for this patient (ITI TF-2, 3.42.4.1.3)."""
    references = tuple(references)
    patients: dict[str, str | None] = {r.object_id: None for r in references}  # of what must be registered
    patients.update({uuid: o.patient_id for uuid, o in found.items()})
    for reference in references:
        target = found.get(reference.object_id)
        if target is None:
            yield _error(ErrorCode.UNRESOLVED_REFERENCE, reference, "is not registered here")
        elif target.kind is not _EXPECTED_KIND[reference.role]:
            expected = "a Folder" if reference.role is Role.FOLDER else "a DocumentEntry"
            yield _error(ErrorCode.REGISTRY_METADATA_ERROR, reference, f"is not {expected}")
        else:
            yield from _state_findings(reference, target, patients.get(reference.other_end, patient_id))
    yield from _relationship_findings(reader, references, found)


def _state_findings(reference: Reference, target: StoredObject, other: str | None) -> Iterator[RegistryError]:
    """``other`` is the patient at the other end, None when that end is not registered as it should be."""
    if target.status is not Status.APPROVED:
        if reference.role is Role.FOLDER:
            yield _error(ErrorCode.REGISTRY_METADATA_ERROR, reference, "is a Folder that is not Approved")
        else:
            yield _error(ErrorCode.REGISTRY_DEPRECATED_DOCUMENT, reference, "is Deprecated")
    # folder and content, and both ends of a relationship, are one patient's (ITI TF-2, 3.42.4.1.3);
    # a set may refer to another patient's entry (ITI TF-3, 4.1.4)
    if reference.role is not Role.MEMBER and other is not None and target.patient_id != other:
        yield _error(ErrorCode.PATIENT_ID_DOES_NOT_MATCH, reference, "belongs to another patient than its other end")


def _relationship_findings(
    reader: Reader, references: Collection[Reference], found: Mapping[str, StoredObject]
) -> Iterator[RegistryError]:
    replaced: dict[str, str] = {}
    appended: list[Reference] = []
    for reference in references:
        target = found.get(reference.object_id)
        if reference.role is not Role.TARGET or target is None:
            continue
        if reference.association_type in _REPLACING:
            # the second of two replacements would find its target Deprecated by the first
            if replaced.setdefault(reference.object_id, reference.other_end) != reference.other_end:
                yield _error(ErrorCode.REGISTRY_DEPRECATED_DOCUMENT, reference, "is replaced twice")
        elif reference.association_type == AssociationType.APND:
            appended.append(reference)
        elif (
            reference.association_type == AssociationType.IS_SNAPSHOT_OF
            and target.kind is ObjectKind.DOCUMENT_ENTRY
            and target.object_type != DocumentEntryType.ON_DEMAND
        ):
            # ITI TF-3, 4.2.2.2.6: a snapshot is of an On-Demand entry
            yield _error(ErrorCode.REGISTRY_METADATA_ERROR, reference, "is not an On-Demand DocumentEntry")
    if appended:
        # ITI TF-3, 4.2.2.2.1: an addendum is not made to a transformation
        ids = {reference.object_id for reference in appended}
        transformed = {a.source for a in reader.associations(sources=ids, types=_TRANSFORMING, references=True)}
        for reference in appended:
            if reference.object_id in transformed:
                yield _error(ErrorCode.REGISTRY_METADATA_ERROR, reference, "is itself a transformation")


def _error(code: ErrorCode, reference: Reference, problem: str) -> RegistryError:
    return RegistryError(code, f"{reference.location}: {reference.object_id} {problem}", reference.location)


# --------------------------------------------------------------------------- effects


@dataclass(frozen=True, slots=True)
class Effects:
    """What a submission does to objects that were registered before."""

    replaced: Mapping[str, str]  # entryUUID replaced → the entry that replaces it
    folders: tuple[str, ...]  # registered folders that gain an entry
    new_folders: tuple[str, ...]  # folders of this submission
    submission_set: str


def effects_of(references: Iterable[Reference], new_folders: Iterable[str], submission_set: str) -> Effects:
    """The effects of a submission with these references."""
    references = tuple(references)
    return Effects(
        replaced={
            r.object_id: r.other_end for r in references if r.role is Role.TARGET and r.association_type in _REPLACING
        },
        folders=tuple(dict.fromkeys(r.object_id for r in references if r.role is Role.FOLDER)),
        new_folders=tuple(new_folders),
        submission_set=submission_set,
    )


def apply(transaction: Transaction, effects: Effects, patient: PatientRecord, now: int) -> None:
    """Deprecate what is replaced, let the replacements join its folders, move the folders' lastUpdateTime.

    The submission's own objects are in the store already.
    """
    touched = set(effects.folders)
    if effects.replaced:
        transaction.set_status(sorted(_deprecated_with(transaction, effects.replaced)), Status.DEPRECATED)
        joined = _joined_folders(transaction, effects, patient)
        members = [m for folder, source in joined for m in memberships(folder, source, effects.submission_set)]
        if members:
            transaction.insert(transaction.prepare(members), patient.key)
        touched.update(folder for folder, _ in joined)
    touched.difference_update(effects.new_folders)
    if touched:
        transaction.touch_folders(sorted(touched), now)


def _deprecated_with(reader: Reader, replaced: Mapping[str, str]) -> set[str]:
    """The replaced entries and everything that appends to or transforms them, to the end of the chain."""
    survivors = set(replaced.values())
    deprecated = set(replaced)
    frontier: set[str] = deprecated
    while frontier:
        chained = {a.source for a in reader.associations(targets=frontier, types=_CASCADING, references=True)}
        frontier = chained - deprecated - survivors
        deprecated = deprecated | frontier
    return deprecated


def _joined_folders(reader: Reader, effects: Effects, patient: PatientRecord) -> list[tuple[str, str]]:
    """(folder, replacing entry) for every Approved Folder of a replaced entry that does not hold its successor yet.

    ITI TF-3, 4.2.2.2.3: the replacement is made a member of each folder the original is a member of; a folder of
    another patient stands against it.
    """
    ends = {*effects.replaced, *effects.replaced.values()}
    members = reader.associations(targets=sorted(ends), types=_HAS_MEMBER, references=True)
    holders = sorted({m.source for m in members if m.status is Status.APPROVED})
    approved = set()
    for holder in reader.by_uuid(holders, references=True):
        if holder.kind is ObjectKind.FOLDER and holder.status is Status.APPROVED:
            if holder.patient_id != patient.identifier:
                raise RequestRejected(
                    ErrorCode.PATIENT_ID_DOES_NOT_MATCH,
                    context=f"{holder.entry_uuid} holds the replaced entry and belongs to another patient",
                )
            approved.add(holder.entry_uuid)
    present = {(m.source, m.target) for m in members if m.status is Status.APPROVED}
    wanted = {
        (m.source, effects.replaced[m.target])
        for m in members
        if m.status is Status.APPROVED and m.source in approved and m.target in effects.replaced
    }
    return sorted(wanted - present)


def memberships(folder: str, entry: str, submission_set: str) -> tuple[RegistryObject, RegistryObject]:
    """Folder HasMember entry, and SubmissionSet HasMember that Association."""
    member = has_member(folder, entry)
    return member, has_member(submission_set, member.id)


def has_member(source: str, target: str, **slots: str) -> RegistryObject:
    """An Approved HasMember, as the registry makes one; ``slots`` have one value each."""
    uuid = new_uuid()
    return RegistryObject(
        kind=ObjectKind.ASSOCIATION,
        id=uuid,
        element="Association",
        object_type=ObjectType.ASSOCIATION,
        status=Status.APPROVED.urn,
        lid=uuid,
        version="1",
        association_type=AssociationType.HAS_MEMBER,
        source=source,
        target=target,
        slots={name: [value] for name, value in slots.items()},
    )
