"""A registry as simple as the specification can be read: lists, loops, no index, no XML, no database.

It is what the real registry is compared with. Everything is taken from ITI TF-2 3.18 and 3.42 and TF-3 4.2.2, nothing
from the implementation, and nothing is clever. It answers a submission with the set of *all* error codes that apply
to it (an implementation may report fewer of them, never others, and never none where one applies).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import groupby

from xds.datatypes.time import dtm_number
from xds.metadata.registry_object import RegistryObject, Submission
from xds.vocab.ebrim import AssociationType, DocumentEntryType, ObjectKind, Scheme, SlotName
from xds.vocab.errors import ErrorCode

A, E = AssociationType, ErrorCode
DE, SS, FD, AS = ObjectKind.DOCUMENT_ENTRY, ObjectKind.SUBMISSION_SET, ObjectKind.FOLDER, ObjectKind.ASSOCIATION
REPLACES = (A.RPLC, A.XFRM_RPLC)
RELATES = (A.RPLC, A.XFRM_RPLC, A.APND, A.XFRM, A.SIGNS)
APPROVED, DEPRECATED = "Approved", "Deprecated"
Range = tuple[str | None, str | None]  # From, To


@dataclass
class Thing:
    """A registered object."""

    o: RegistryObject
    patient: str
    status: str = APPROVED
    updates: int = 0  # how often a folder's lastUpdateTime had to move

    @property
    def id(self) -> str:
        return self.o.id

    @property
    def kind(self) -> ObjectKind:
        return self.o.kind

    def codes(self, scheme: str) -> set[str]:
        return {f"{c.code}^^{c.coding_scheme}" for c in self.o.classified_by(scheme)}

    def values(self, scheme: str, slot: str) -> list[str]:
        return [value for c in self.o.classified_by(scheme) for value in c.slots.get(slot, [])]

    def is_a(self, association_type: str) -> bool:
        return self.kind is AS and self.o.association_type == association_type


@dataclass
class Wanted:
    """Filters on DocumentEntries (ITI TF-2, 3.18.4.1.2.3.6 and .7); every set of a list of sets must be met."""

    types: set[str] = field(default_factory=lambda: {DocumentEntryType.STABLE})
    class_code: set[str] | None = None
    format_code: set[str] | None = None
    event_codes: list[set[str]] = field(default_factory=list)
    confidentiality: list[set[str]] = field(default_factory=list)
    created: Range = (None, None)
    started: Range = (None, None)
    authors: set[str] | None = None
    reference_ids: list[set[str]] = field(default_factory=list)

    def fits(self, t: Thing) -> bool:
        persons = t.values(Scheme.DOCUMENT_ENTRY_AUTHOR, SlotName.AUTHOR_PERSON)
        references = t.o.slots.get(SlotName.REFERENCE_ID_LIST, [])
        return (
            t.o.object_type in self.types
            and (self.class_code is None or bool(t.codes(Scheme.CLASS_CODE) & self.class_code))
            and (self.format_code is None or bool(t.codes(Scheme.FORMAT_CODE) & self.format_code))
            and all(t.codes(Scheme.EVENT_CODE) & wanted for wanted in self.event_codes)
            and all(t.codes(Scheme.CONFIDENTIALITY_CODE) & wanted for wanted in self.confidentiality)
            and within(t.o.slot(SlotName.CREATION_TIME), self.created)
            and within(t.o.slot(SlotName.SERVICE_START_TIME), self.started)
            and (self.authors is None or any(like(person, p) for person in persons for p in self.authors))
            and all(any(like(r, p) for r in references for p in group) for group in self.reference_ids)
        )


def within(value: str | None, bounds: Range) -> bool:
    """From <= value < To, what is short padded with the lowest calendar values; no value is within every range."""
    if value is None:
        return True
    start, end = ("" if bound is None else f"{dtm_number(bound):014}" for bound in bounds)
    return start <= f"{dtm_number(value):014}" and (not end or f"{dtm_number(value):014}" < end)


def like(value: str, pattern: str) -> bool:
    """LIKE: ``%`` any run of characters, ``_`` one; the whole value, letter by letter (3.18.4.1.2.3.3)."""
    if not pattern:
        return not value
    if pattern[0] == "%":
        return any(like(value[n:], pattern[1:]) for n in range(len(value) + 1))
    return bool(value) and pattern[0] in ("_", value[0]) and like(value[1:], pattern[1:])


@dataclass
class NaiveRegistry:
    patients: set[str]
    things: list[Thing] = field(default_factory=list)

    # ------------------------------------------------------------------ looking

    def of(self, kind: ObjectKind) -> list[Thing]:
        return [t for t in self.things if t.kind is kind]

    def get(self, uuid: str | None) -> Thing | None:
        return next((t for t in self.things if t.id == uuid), None)

    def links(self, association_type: str, *, source: str | None = None, target: str | None = None) -> list[Thing]:
        return [
            t
            for t in self.things
            if t.is_a(association_type) and source in (None, t.o.source) and target in (None, t.o.target)
        ]

    # ------------------------------------------------------------------ ITI-42

    def submit(self, submission: Submission) -> set[str]:
        codes = self.refusals(submission)
        if not codes:
            self.apply(submission)
        return codes

    def refusals(self, submission: Submission) -> set[str]:
        new = {o.id: o for o in submission.objects}
        packages = [o for o in submission.objects if o.kind is not AS]
        codes: set[str] = set()
        if any(o.patient_id not in self.patients for o in packages):
            codes.add(E.UNKNOWN_PATIENT_ID)
        if len({o.patient_id for o in packages}) > 1:
            codes.add(E.PATIENT_ID_DOES_NOT_MATCH)
        if any(self.get(uuid) for uuid in new):
            codes.add(E.REGISTRY_METADATA_ERROR)
        for _, same in groupby(sorted(packages, key=lambda o: o.unique_id or ""), key=lambda o: o.unique_id):
            if len(list(same)) > 1:
                codes.add(E.REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE)
        for o in packages:
            codes |= self.unique_id_refusals(o)
        patient = submission.submission_sets[0].patient_id or ""
        for o in submission.associations:
            if o.association_type == A.HAS_MEMBER:
                codes |= self.member_refusals(o, new)
            else:
                codes |= self.relationship_refusals(o, new, patient)
        return codes

    def unique_id_refusals(self, o: RegistryObject) -> set[str]:
        codes: set[str] = set()
        for holder in self.things:
            if holder.kind is AS or holder.o.unique_id != o.unique_id:
                continue
            if o.kind is DE and holder.kind is DE:
                if o.slot(SlotName.HASH) != holder.o.slot(SlotName.HASH):
                    codes.add(E.NON_IDENTICAL_HASH)
                if o.slot(SlotName.SIZE) != holder.o.slot(SlotName.SIZE):
                    codes.add(E.NON_IDENTICAL_SIZE)
            elif o.kind is DE:
                codes |= {E.DUPLICATE_UNIQUE_ID_IN_REGISTRY, E.REGISTRY_METADATA_ERROR}
            else:
                codes.add(E.DUPLICATE_UNIQUE_ID_IN_REGISTRY)
        return codes

    def member_refusals(self, o: RegistryObject, new: dict[str, RegistryObject]) -> set[str]:
        codes: set[str] = set()
        if o.target not in new:
            entry = self.get(o.target)
            if entry is None or entry.kind is not DE:
                codes.add(E.UNRESOLVED_REFERENCE)
            elif entry.status == DEPRECATED:
                codes.add(E.REGISTRY_DEPRECATED_DOCUMENT)
        if o.source not in new:
            folder = self.get(o.source)
            if folder is None or folder.kind is not FD:
                codes.add(E.UNRESOLVED_REFERENCE)
        folder_patient = self.patient_of(o.source, new, FD)
        entry_patient = self.patient_of(o.target, new, DE)
        if folder_patient and entry_patient and folder_patient != entry_patient:
            codes.add(E.PATIENT_ID_DOES_NOT_MATCH)
        return codes

    def patient_of(self, uuid: str | None, new: dict[str, RegistryObject], kind: ObjectKind) -> str | None:
        if uuid in new:
            return new[uuid].patient_id if new[uuid].kind is kind else None
        thing = self.get(uuid)
        return thing.patient if thing is not None and thing.kind is kind else None

    def relationship_refusals(self, o: RegistryObject, new: dict[str, RegistryObject], patient: str) -> set[str]:
        codes: set[str] = set()
        if o.target in new and o.association_type not in REPLACES:
            return codes
        target = self.get(o.target)
        if target is None or target.kind is not DE:
            return {E.UNRESOLVED_REFERENCE}
        if target.status == DEPRECATED:
            codes.add(E.REGISTRY_DEPRECATED_DOCUMENT)
        if target.patient != patient:
            codes.add(E.PATIENT_ID_DOES_NOT_MATCH)
        if o.association_type == A.APND and self.links(A.XFRM, source=o.target):
            codes.add(E.REGISTRY_METADATA_ERROR)
        if o.association_type in REPLACES:
            for member in self.links(A.HAS_MEMBER, target=o.target):
                folder = self.get(member.o.source)
                if folder is not None and folder.kind is FD and folder.patient != patient:
                    codes.add(E.PATIENT_ID_DOES_NOT_MATCH)
        return codes

    def apply(self, submission: Submission) -> None:
        submission_set = submission.submission_sets[0]
        patient = submission_set.patient_id or ""
        self.things += [Thing(o, patient) for o in submission.objects]
        for o in submission.associations:
            if o.association_type in REPLACES:
                self.replace(o, submission_set.id, patient)
        for folder in self.of(FD):
            gains = [m for m in self.links(A.HAS_MEMBER, source=folder.id) if m.o in submission.objects]
            if gains or folder.o in submission.objects:
                folder.updates += 1

    def replace(self, o: RegistryObject, submission_set: str, patient: str) -> None:
        """RPLC and XFRM_RPLC: deprecation with its cascade, and the folders (ITI TF-3, 4.2.2.2.3)."""
        self.deprecate(o.target)
        for member in self.links(A.HAS_MEMBER, target=o.target):
            folder = self.get(member.o.source)
            if folder is None or folder.kind is not FD or folder.status != APPROVED:
                continue
            if self.links(A.HAS_MEMBER, source=folder.id, target=o.source):
                continue
            made = _member(f"made {len(self.things)}", folder.id, o.source)
            self.things.append(Thing(made, patient))
            self.things.append(Thing(_member(f"made {len(self.things)}", submission_set, made.id), patient))
            folder.updates += 1

    def deprecate(self, uuid: str | None) -> None:
        entry = self.get(uuid)
        if entry is None or entry.status == DEPRECATED:
            return
        entry.status = DEPRECATED
        for kind in (A.APND, A.XFRM):
            for link in self.links(kind, target=uuid):
                self.deprecate(link.o.source)

    # ------------------------------------------------------------------ ITI-18

    def find_documents(self, patient: str, statuses: Iterable[str], wanted: Wanted) -> set[str]:
        return {t.id for t in self.of(DE) if t.patient == patient and t.status in statuses and wanted.fits(t)}

    def find(self, kind: ObjectKind, patient: str, statuses: Iterable[str]) -> set[str]:
        return {t.id for t in self.of(kind) if t.patient == patient and t.status in statuses}

    def by_ids(self, kind: ObjectKind, uuids: Iterable[str] = (), unique_ids: Iterable[str] = ()) -> list[Thing]:
        uuids, unique_ids = set(uuids), set(unique_ids)
        return [t for t in self.of(kind) if t.id in uuids or t.o.unique_id in unique_ids]

    def touching(self, uuids: Iterable[str]) -> list[Thing]:
        wanted = set(uuids)
        return [t for t in self.of(AS) if t.o.source in wanted or t.o.target in wanted]

    def get_all(self, patient: str, statuses: Iterable[str], wanted: Wanted) -> list[Thing]:
        own = [t for t in self.things if t.patient == patient and t.status in statuses]
        found = [t for t in own if t.kind in (SS, FD) or (t.kind is DE and wanted.fits(t))]
        return found + self.touching(t.id for t in found)

    def get_submission_sets(self, uuids: Iterable[str]) -> list[Thing]:
        wanted = set(uuids)
        members = [
            m
            for m in self.links(A.HAS_MEMBER)
            if m.o.target in wanted and (s := self.get(m.o.source)) is not None and s.kind is SS
        ]
        sources = {m.o.source for m in members}
        return members + [t for t in self.of(SS) if t.id in sources]

    def contents(self, package: Thing, wanted: Wanted) -> list[Thing]:
        """GetSubmissionSetAndContents and GetFolderAndContents (ITI TF-2, 3.18.4.1.2.3.7.10 and .11)."""
        result: list[Thing] = [package]
        members = self.links(A.HAS_MEMBER, source=package.id)
        for m in members:
            target = self.get(m.o.target)
            if target is not None and (target.kind is FD or (target.kind is DE and wanted.fits(target))):
                result += [target, m]
        if package.kind is SS:
            inside = {t.id for t in result}
            for m in members:
                target = self.get(m.o.target)
                if target is not None and target.kind is AS and {target.o.source, target.o.target} <= inside:
                    result += [target, m]
        return list({id(t): t for t in result}.values())

    def folders_for(self, uuid: str) -> set[str]:
        sources = {m.o.source for m in self.links(A.HAS_MEMBER, target=uuid)}
        return {t.id for t in self.of(FD) if t.id in sources}

    def related(self, uuid: str, types: Collection[str], wanted: Wanted) -> list[Thing]:
        links = [
            t
            for t in self.touching([uuid])
            if t.o.association_type in types
            and all(
                (end := self.get(e)) is not None and end.kind is DE and wanted.fits(end)
                for e in (t.o.source, t.o.target)
            )
        ]
        ends = {e for t in links for e in (t.o.source, t.o.target)}
        return links + [t for t in self.of(DE) if t.id in ends]


def _member(uuid: str, source: str | None, target: str | None) -> RegistryObject:
    return RegistryObject(AS, id=uuid, association_type=A.HAS_MEMBER, source=source, target=target)
