"""Notify XAD-PID Link Change, ITI-64 (ITI TF-2, 3.64): the documents of a local identifier belong to another patient.

The XAD-PID is the patient's identifier in the affinity domain (patientId), the local identifier the one that the
source of a document uses (sourcePatientId). What moves gets new versions under the new XAD-PID, as a Metadata Update
would make them, and a SubmissionSet that says so (3.64.4.1.3.1). The old versions become Deprecated and stay where
they are, with their SubmissionSets. Where an object that moves is related to one that does not, there is a conflict
(3.64.4.1.3.2): the relationship is dropped, and counted; the rest of the message is obeyed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from xds.datatypes.hl7 import CX, HD, cx_problem
from xds.datatypes.ids import is_oid, new_uuid
from xds.metadata.common import Code
from xds.metadata.identity import assign_uuids
from xds.metadata.registry_object import RegistryObject, Submission
from xds.metadata.submission_set import SubmissionSet
from xds.patients.domains import Source
from xds.patients.feed import FeedRejected, IdentityFeed, Refusal
from xds.patients.identity import identifiers_of, same_authority
from xds.ports import Criteria, PatientKey, PatientRecord, StoredObject, Transaction
from xds.registry.lifecycle import has_member
from xds.registry.patients import AppliedFeed
from xds.vocab.ebrim import PATIENT_ID_SCHEME, AssociationType, ObjectKind, SlotName, Status

_HAS_MEMBER: Final = AssociationType.HAS_MEMBER.value
_REFERENCE: Final = "Reference"

NO_OID: Final = "MSH-3 of A43 is no OID"
DROPPED: Final = "relationship dropped by A43"
# what is counted of link changes; docs/reference/tolerances.md
TOLERATED: Final = {
    NO_OID: (
        "the manager is named otherwise; sourceId is an OID that is made of MSH-3 and MSH-4",
        "ITI TF-2, 3.64.4.1.2",
    ),
    DROPPED: ("one of the two has moved to another patient, the other has not", "ITI TF-2, 3.64.4.1.3.2"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChanges:
    """What was agreed in an affinity domain about ITI-64.

    ``content_type`` is the contentTypeCode of the SubmissionSets that it makes (ITI TF-2, 3.64.4.1.3.1); where codes
    are limited it is one of the domain's. Only ``sources`` are believed; everybody when there are none.
    """

    content_type: Code = Code("A43", "HL70003", "Move patient information - patient identifier list")  # noqa: RUF009 (frozen)
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChange:
    """The work of one message for the store's writer; picklable. Identifiers are in the form that metadata has."""

    new: str  # PID-3, first: the XAD-PID
    local: str  # PID-3, second
    previous: str  # MRG-1, first; the new one when only local identifiers are merged
    subsumed: str | None  # MRG-1, second: ends in ``local``
    source_id: str
    content_type: Code
    now: int  # YYYYMMDDhhmmss by the registry's clock
    named: bool = True  # MSH-3 is the OID that it should be

    def __call__(self, transaction: Transaction) -> AppliedFeed:
        return change_links(self, transaction)


# --------------------------------------------------------------------------- before the writer


def plan_link_change(authority: str | None, feed: IdentityFeed, agreed: LinkChanges | None, *, now: int) -> LinkChange:
    """The work of an A43; FeedRejected for a sender or identifiers that it is not about."""
    application, facility = feed.sending_application, feed.sending_facility
    sources = () if agreed is None else agreed.sources
    if agreed is None or (sources and not any(source.is_sender(application, facility) for source in sources)):
        raise FeedRejected(Refusal.SOURCE_NOT_ALLOWED)
    if len(feed.identifiers) < 2:
        raise FeedRejected(Refusal.UNKNOWN_IDENTIFIER, ordinal=2)
    new, local = feed.identifiers[:2]
    previous, *more = feed.prior_identifiers[:2]
    subsumed = more[0] if more else None
    # 3.64.4.1.2: the first of each is of the affinity domain, the second of one domain that both share
    if subsumed is not None and not same_authority(local.assigning_authority, subsumed.assigning_authority):
        raise FeedRejected(Refusal.FOREIGN_DOMAIN, prior=True, ordinal=2)
    source_id = _oid_of(application)
    work = LinkChange(
        new=_xad_pid(new, authority, prior=False),
        local=_local_id(local, prior=False),
        previous=_xad_pid(previous, authority, prior=True),
        subsumed=None if subsumed is None else _local_id(subsumed, prior=True),
        source_id=source_id or _made_oid(application, facility),
        content_type=agreed.content_type,
        now=now,
        named=source_id is not None,
    )
    # some senders repeat the local identifier where there is none that ends
    return replace(work, subsumed=None) if work.subsumed == work.local else work


def _xad_pid(identifier: CX, authority: str | None, *, prior: bool) -> str:
    if authority is None:
        found: Sequence[CX] = (identifier.for_metadata(),)
    else:
        found = identifiers_of((identifier,), HD.oid(authority))
    return _checked(found, prior=prior, ordinal=1)


def _local_id(identifier: CX, *, prior: bool) -> str:
    return _checked((identifier.for_metadata(),), prior=prior, ordinal=2)


def _checked(found: Sequence[CX], *, prior: bool, ordinal: int) -> str:
    """Only what may stand in metadata is written there (ITI TF-3, table 4.2.3.1.7-2)."""
    if not found or cx_problem(str(found[0])) is not None:
        raise FeedRejected(Refusal.FOREIGN_DOMAIN, prior=prior, ordinal=ordinal)
    return str(found[0])


def _oid_of(application: HD) -> str | None:
    """MSH-3 is the OID of the manager (3.64.4.1.2), in whichever component it was written."""
    return next((text for text in (application.universal_id, application.namespace_id) if is_oid(text)), None)


def _made_oid(application: HD, facility: HD) -> str:
    """An OID below 2.25 (ITU-T X.667), the same for each message of a sender."""
    return f"2.25.{uuid5(NAMESPACE_OID, f'{application}|{facility}').int}"


# --------------------------------------------------------------------------- in the writer


def change_links(change: LinkChange, transaction: Transaction) -> AppliedFeed:
    """Does what an A43 says, or nothing: FeedRejected. A repeat finds nothing to do."""
    patient, tree = _patients(change, transaction)
    entries = _entries(change, tree, transaction)
    if not entries:
        return AppliedFeed((change.new,), ())
    move = _Move(change, transaction, patient)
    for entry in entries:
        move.entry(entry)
    related = [a for a in transaction.associations(sources=move.successors, targets=move.successors) if _approved(a)]
    move.relationships([a for a in related if a.association_type != _HAS_MEMBER])
    move.memberships([a for a in related if a.association_type == _HAS_MEMBER])
    move.write()
    return AppliedFeed((change.new,), (), moved=len(entries), dropped=move.dropped)


def _patients(change: LinkChange, transaction: Transaction) -> tuple[PatientRecord, tuple[PatientKey, ...]]:
    """The patient of the new XAD-PID, and the keys under which the previous one's objects lie.

    Both are known and active, as a merge demands of its two (3.8.4.2.4); except that the previous one may have ended in
    the new one.
    """
    locked = {i: transaction.lock_patient(i) for i in sorted({change.new, change.previous})}
    new, previous = locked[change.new], locked[change.previous]
    if new is None:
        raise FeedRejected(Refusal.UNKNOWN_SURVIVOR)
    if previous is None:
        raise FeedRejected(Refusal.UNKNOWN_IDENTIFIER, prior=True)
    if not new.active:
        raise FeedRejected(Refusal.ALREADY_SUBSUMED)
    if previous.active:
        return new, previous.tree
    if previous.key not in new.tree:
        raise FeedRejected(Refusal.ALREADY_SUBSUMED, prior=True)
    return new, new.tree


def _entries(
    change: LinkChange, tree: tuple[PatientKey, ...], transaction: Transaction
) -> list[tuple[StoredObject, str]]:
    """The Approved entries of the local identifiers that are not yet as they should be, with the identifier each has.

    Deprecated ones are never touched (3.64.4.1.3.1.3).
    """
    criteria = Criteria(kind=ObjectKind.DOCUMENT_ENTRY, patients=tree, statuses=(Status.APPROVED,))
    found = []
    for entry in transaction.find(criteria):
        values = transaction.slot_values(entry, SlotName.SOURCE_PATIENT_ID)
        local = str(CX.parse(values[0]).for_metadata()) if values else None
        moves = local == change.local and entry.patient_id != change.new
        if local is not None and (moves or local == change.subsumed):
            found.append((entry, local))
    return found


def _approved(stored: StoredObject) -> bool:
    return stored.status is Status.APPROVED


@dataclass(slots=True)
class _Move:
    """What one message makes, gathered and then written."""

    change: LinkChange
    transaction: Transaction
    patient: PatientRecord  # of the new XAD-PID
    submission_set: RegistryObject = field(init=False)
    #: entryUUID of each version that ends → of the one that follows
    successors: dict[str, str] = field(default_factory=dict)
    deprecated: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)  # folders whose content changes
    dropped: int = 0
    _versions: dict[PatientKey, list[RegistryObject]] = field(default_factory=dict)
    _associations: list[RegistryObject] = field(default_factory=list)
    _references: dict[PatientKey, list[RegistryObject]] = field(default_factory=dict)  # of SubmissionSets elsewhere

    def __post_init__(self) -> None:
        # 3.64.4.1.3.1: patientId is the new one, submissionTime is now, there is no author
        made = SubmissionSet(
            patient_id=self.change.new,
            source_id=self.change.source_id,
            content_type_code=self.change.content_type,
            submission_time=str(self.change.now),
            availability_status=Status.APPROVED,
            version="1",
        ).to_object()
        made.lid = made.id
        self.submission_set = made

    # ----------------------------------------------------------------- objects

    def entry(self, found: tuple[StoredObject, str]) -> None:
        """A new version of an entry; a subsumed identifier gives way to the local one (3.64.4.1.3)."""
        stored, local = found
        version = self._next_version(stored)
        if local != self.change.local:
            version.slots[SlotName.SOURCE_PATIENT_ID] = [self.change.local]
        self._associations.append(has_member(self.submission_set.id, version.id, **_previous(stored, original=True)))

    def _next_version(self, stored: StoredObject) -> RegistryObject:
        """The next version of the logical object: same logicalID and uniqueId, ids of its own inside."""
        version = self.transaction.decode(stored)
        _renew(version)
        version.version = str(stored.version + 1)
        scheme = PATIENT_ID_SCHEME[stored.kind]
        for identifier in version.external_identifiers:
            if identifier.scheme == scheme:
                identifier.value = self.change.new
        self.successors[stored.entry_uuid] = version.id
        self.deprecated.add(stored.entry_uuid)
        # what has this patient already stays under its key: a merge may be undone (DESIGN D12)
        key = stored.patient if stored.patient_id == self.change.new else self.patient.key
        self._versions.setdefault(key, []).append(version)
        return version

    # ----------------------------------------------------------------- associations

    def relationships(self, associations: Sequence[StoredObject]) -> None:
        """Those between entries are repeated where both ends have the same patient now (3.64.4.1.3.1)."""
        others = self._others(end for a in associations for end in (a.source, a.target))
        for a in associations:
            staying = [end for end in (a.source, a.target) if end not in self.successors]
            other = others.get(staying[0]) if staying else None
            if not staying:
                self._repeat(a)
            elif other is None:
                continue  # what it joins is not registered here
            elif other.patient_id == self.change.new:
                self._repeat(a)
                self.deprecated.add(a.entry_uuid)  # or the one that stays would have the relationship twice
            elif _approved(other):
                self._drop(a)
            # what was replaced stays behind; its replacement does not say any more what that was (3.64.4.1.3.1)

    def memberships(self, members: Sequence[StoredObject]) -> None:
        """In folders, and in SubmissionSets that refer to an entry."""
        holders = self._others(m.source for m in members)
        in_folders: dict[str, list[StoredObject]] = {}
        for m in members:
            holder = holders.get(m.source)
            if holder is None or not _approved(holder):
                continue
            if holder.kind is ObjectKind.FOLDER:
                in_folders.setdefault(holder.entry_uuid, []).append(m)
            elif self.transaction.slot_values(m, SlotName.SUBMISSION_SET_STATUS) == (_REFERENCE,):
                # 3.64.4.1.3.1: the one relationship that may join two patients
                self._references.setdefault(m.patient, []).append(self._copy(m))
                self.deprecated.add(m.entry_uuid)
        self._folders({uuid: holders[uuid] for uuid in in_folders}, in_folders)

    def _folders(self, folders: Mapping[str, StoredObject], members: Mapping[str, Sequence[StoredObject]]) -> None:
        """A folder moves when everything in it does; else it loses what moves (3.64.4.1.3.1, 3.64.4.1.3.2)."""
        leaving = [uuid for uuid, folder in folders.items() if folder.patient_id != self.change.new]
        kept = self._kept(leaving)
        moving = [uuid for uuid in leaving if uuid not in kept]
        for folder in self.transaction.by_uuid(moving):
            version = self._next_version(folder)
            self._associations.append(has_member(self.submission_set.id, version.id, **_previous(folder)))
            self.touched.add(version.id)
        for uuid, inside in members.items():
            for m in inside:
                if uuid in kept:
                    self._drop(m)
                    continue
                self._join(m)
                if uuid not in self.successors:
                    self.deprecated.add(m.entry_uuid)  # or the folder would hold both versions
            if uuid not in self.successors:
                self.touched.add(uuid)

    def _kept(self, folders: Sequence[str]) -> set[str]:
        """Those of ``folders`` that hold an Approved entry which does not move."""
        if not folders:
            return set()
        members = self.transaction.associations(sources=folders, types=(_HAS_MEMBER,), references=True)
        inside = [m for m in members if _approved(m)]
        staying = {uuid for uuid, o in self._others(m.target for m in inside).items() if _approved(o)}
        return {m.source for m in inside if m.target in staying}

    # ----------------------------------------------------------------- parts

    def _others(self, ends: Iterable[str]) -> dict[str, StoredObject]:
        """Objects that do not move, by entryUUID."""
        wanted = sorted(set(ends) - self.successors.keys())
        return {o.entry_uuid: o for o in self.transaction.by_uuid(wanted, references=True)} if wanted else {}

    def _copy(self, association: StoredObject) -> RegistryObject:
        """The same relationship of the versions that follow."""
        made = self.transaction.decode(association)
        _renew(made)
        made.lid, made.version = made.id, "1"
        made.source = self.successors.get(association.source, association.source)
        made.target = self.successors.get(association.target, association.target)
        return made

    def _repeat(self, association: StoredObject) -> None:
        self._associations.append(self._copy(association))

    def _join(self, member: StoredObject) -> None:
        """A folder's HasMember is a member of the SubmissionSet that brings it (ITI TF-3, 4.2.1.4)."""
        made = self._copy(member)
        self._associations += (made, has_member(self.submission_set.id, made.id))

    def _drop(self, association: StoredObject) -> None:
        self.deprecated.add(association.entry_uuid)
        self.dropped += 1

    # ----------------------------------------------------------------- writing

    def write(self) -> None:
        """New versions first: what refers to them is looked up."""
        transaction, own = self.transaction, self.patient.key
        here = [self.submission_set, *self._versions.pop(own, ()), *self._associations]
        for key, objects in (*sorted(self._versions.items()), (own, here), *sorted(self._references.items())):
            assign_uuids(Submission(objects), logical_ids=False)
            transaction.insert(transaction.prepare(objects), key)
        transaction.set_status(sorted(self.deprecated), Status.DEPRECATED)
        if self.touched:
            transaction.touch_folders(sorted(self.touched), self.change.now)


def _previous(stored: StoredObject, *, original: bool = False) -> dict[str, str]:
    """The Slots of a SubmissionSet's HasMember to a new version (3.64.4.1.3.1)."""
    slots = {SlotName.PREVIOUS_VERSION.value: str(stored.version)}
    return {SlotName.SUBMISSION_SET_STATUS.value: "Original", **slots} if original else slots


def _renew(o: RegistryObject) -> None:
    """Another object with the same content: Approved, with an entryUUID of its own; ``assign_uuids`` does the rest."""
    o.id, o.status, o.location = new_uuid(), Status.APPROVED.urn, ""
    for classification in o.classifications:
        classification.id, classification.classified_object = "", o.id
    for identifier in o.external_identifiers:
        identifier.id, identifier.registry_object = "", o.id
