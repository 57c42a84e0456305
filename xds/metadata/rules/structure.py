"""The rules about a submission as a whole (ITI TF-3, 4.2.1.4 and 4.2.2; ITI TF-2, 3.42.4.1.3)."""

from __future__ import annotations

from collections import Counter
from typing import Final

from xds.datatypes.hl7 import cx_problem
from xds.datatypes.ids import is_uuid
from xds.metadata.registry_object import RegistryObject, Submission
from xds.metadata.rules.attributes import AS, DE, FD, SS
from xds.metadata.rules.finding import Profile, Report, Rule, shown
from xds.vocab.ebrim import AssociationType, DocumentEntryType, ObjectKind, Scheme, SlotName
from xds.vocab.errors import ErrorCode

_SUBMISSION: Final = "ITI TF-3, 4.2.1.4"
_MEMBERS: Final = "ITI TF-3, 4.2.2.1"
_RELATIONS: Final = "ITI TF-3, 4.2.2.2"
_CHECKS: Final = "ITI TF-2, 3.42.4.1.3"
_UNRESOLVED: Final = ErrorCode.UNRESOLVED_REFERENCE

ONE_SUBMISSION_SET: Final = Rule(
    "Submission: one SubmissionSet", None, "SubmissionSet", _SUBMISSION, "must stand exactly once in a submission"
)
CONTENT: Final = Rule(
    "Submission: content", SS, "HasMember", _SUBMISSION, "is missing: the SubmissionSet submits and refers to nothing"
)
CLASSIFIED: Final = Rule(
    "RegistryPackage: classified",
    ObjectKind.UNKNOWN,
    "Classification",
    _SUBMISSION,
    "must mark the RegistryPackage as SubmissionSet or as Folder, and not as both",
)
KNOWN_OBJECT: Final = Rule(
    "Submission: known objects",
    ObjectKind.UNKNOWN,
    "element",
    _SUBMISSION,
    "is no DocumentEntry, SubmissionSet, Folder or Association, and belongs to none in the submission",
)
IDS_UNIQUE: Final = Rule("Submission: ids unique", None, "id", "ITI TF-3, 4.2.3.1.3", "stands twice in the submission")
LIDS_UNIQUE: Final = Rule("Submission: lids unique", None, "lid", _SUBMISSION, "stands twice in the submission")
NESTED_IDS_UNIQUE: Final = Rule(
    # the registry gives these new ids of its own where they are symbolic, so nothing depends on them
    "Submission: ids of Classifications and ExternalIdentifiers unique",
    None,
    "id",
    "ITI TF-3, 4.2.3.1.3",
    "stands twice in the submission",
    tolerated=True,
)
UNIQUE_IDS_UNIQUE: Final = Rule(
    "Submission: uniqueIds unique",
    None,
    "uniqueId",
    _CHECKS,
    "stands twice in the submission",
    ErrorCode.REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE,
)
ONE_PATIENT: Final = Rule(
    "Submission: one patient",
    None,
    "patientId",
    _CHECKS,
    "is another patient than the SubmissionSet's",
    ErrorCode.PATIENT_ID_DOES_NOT_MATCH,
)
ENTRY_SUBMITTED: Final = Rule(
    "DocumentEntry: submitted",
    DE,
    "HasMember",
    _MEMBERS,
    "must lead from the SubmissionSet to this DocumentEntry exactly once",
)
FOLDER_SUBMITTED: Final = Rule(
    "Folder: submitted", FD, "HasMember", _MEMBERS, "must lead from the SubmissionSet to this Folder exactly once"
)
MEMBERSHIP_SUBMITTED: Final = Rule(
    "Association: submitted",
    AS,
    "HasMember",
    _MEMBERS,
    "must lead from the SubmissionSet to this Folder membership exactly once",
)
ASSOCIATION_TYPE: Final = Rule(
    "Association: type", AS, "associationType", "ITI TF-3, 4.2.2", "is not a type this transaction takes"
)
SOURCE_REQUIRED: Final = Rule("Association: source required", AS, "sourceObject", "ITI TF-3, 4.2.2", "is missing")
TARGET_REQUIRED: Final = Rule("Association: target required", AS, "targetObject", "ITI TF-3, 4.2.2", "is missing")
ENDS_DIFFER: Final = Rule(
    "Association: ends differ", AS, "targetObject", "ITI TF-3, 4.2.2", "is the sourceObject as well"
)
SYMBOL_RESOLVES: Final = Rule(
    "Association: symbol resolves",
    AS,
    "sourceObject or targetObject",
    "ITI TF-3, 4.2.3.1.3",
    "is a symbolic id that no object of the submission has",
    _UNRESOLVED,
)
REFERENCE_FORM: Final = Rule(
    "Association: reference form",
    AS,
    "sourceObject or targetObject",
    "ITI TF-3, 4.2.3.1.3",
    "begins with urn:uuid: but is not a UUID in lower case",
)
SET_IS_NO_TARGET: Final = Rule(
    "Association: SubmissionSet is no target", AS, "targetObject", "ITI TF-3, 4.2.2", "is a SubmissionSet"
)
MEMBER_SOURCE: Final = Rule(
    "Association: HasMember source", AS, "sourceObject", _MEMBERS, "is neither a SubmissionSet nor a Folder"
)
FOLDER_CONTENT: Final = Rule(
    "Association: Folder content", AS, "targetObject", _MEMBERS, "is in a Folder and not a DocumentEntry"
)
SET_CONTENT: Final = Rule(
    "Association: SubmissionSet content",
    AS,
    "targetObject",
    _MEMBERS,
    "is an Association of a SubmissionSet that does not put a DocumentEntry into a Folder",
)
STATUS_REQUIRED: Final = Rule(
    "Association.submissionSetStatus: required", AS, "submissionSetStatus", _MEMBERS, "is missing"
)
STATUS_ORIGINAL: Final = Rule(
    "Association.submissionSetStatus: Original",
    AS,
    "submissionSetStatus",
    _MEMBERS,
    "is Original, but the target is not in the submission",
)
STATUS_REFERENCE: Final = Rule(
    "Association.submissionSetStatus: Reference",
    AS,
    "submissionSetStatus",
    _MEMBERS,
    "is Reference, but the target is in the submission",
)
STATUS_UNUSED: Final = Rule(
    # one place of the Framework says so; senders write Original on every Association
    "Association.submissionSetStatus: unused",
    AS,
    "submissionSetStatus",
    _MEMBERS,
    "has no meaning on this Association",
    tolerated=True,
)
RELATION_SOURCE: Final = Rule(
    "Association: relationship source",
    AS,
    "sourceObject",
    _RELATIONS,
    "is not in the submission",
    _UNRESOLVED,
)
RELATION_SOURCE_KIND: Final = Rule(
    "Association: relationship source kind", AS, "sourceObject", _RELATIONS, "is not a DocumentEntry"
)
RELATION_TARGET_KIND: Final = Rule(
    "Association: relationship target kind", AS, "targetObject", _RELATIONS, "is not a DocumentEntry"
)
RELATION_TARGET: Final = Rule(
    "Association: relationship target",
    AS,
    "targetObject",
    _CHECKS,
    "is not a registered DocumentEntry but one of this submission",
    _UNRESOLVED,
)
SNAPSHOT_SOURCE: Final = Rule(
    "Association: snapshot source", AS, "sourceObject", _RELATIONS, "is not a Stable DocumentEntry"
)
DOCUMENTATION: Final = Rule(
    "Association: documentation",
    AS,
    "associationDocumentation",
    _RELATIONS,
    "says why a document replaces, appends or transforms another, and cannot stand on HasMember",
)
DOCUMENTATION_UNUSED: Final = Rule(
    "Association: documentation unused",
    AS,
    "associationDocumentation",
    _RELATIONS,
    "has no meaning on this Association",
    tolerated=True,
)

STRUCTURE_RULES: Final = (
    ONE_SUBMISSION_SET, CONTENT, CLASSIFIED, KNOWN_OBJECT, IDS_UNIQUE, LIDS_UNIQUE, NESTED_IDS_UNIQUE,
    UNIQUE_IDS_UNIQUE, ONE_PATIENT,
    ENTRY_SUBMITTED, FOLDER_SUBMITTED, MEMBERSHIP_SUBMITTED, ASSOCIATION_TYPE, SOURCE_REQUIRED, TARGET_REQUIRED,
    ENDS_DIFFER, SYMBOL_RESOLVES, REFERENCE_FORM, SET_IS_NO_TARGET, MEMBER_SOURCE, FOLDER_CONTENT, SET_CONTENT,
    STATUS_REQUIRED, STATUS_ORIGINAL, STATUS_REFERENCE, STATUS_UNUSED, RELATION_SOURCE,
    RELATION_SOURCE_KIND, RELATION_TARGET_KIND, RELATION_TARGET, SNAPSHOT_SOURCE, DOCUMENTATION, DOCUMENTATION_UNUSED,
)  # fmt: skip

_HAS_MEMBER: Final = AssociationType.HAS_MEMBER.value
_DOCUMENTED: Final = frozenset(
    (AssociationType.RPLC, AssociationType.APND, AssociationType.XFRM, AssociationType.XFRM_RPLC)
)
_RELATIONSHIPS: Final = _DOCUMENTED | {AssociationType.SIGNS, AssociationType.IS_SNAPSHOT_OF}
_OF_REGISTERED: Final = frozenset((AssociationType.RPLC, AssociationType.XFRM_RPLC, AssociationType.IS_SNAPSHOT_OF))
_OF_UPDATES: Final = frozenset((AssociationType.UPDATE_AVAILABILITY_STATUS, AssociationType.SUBMIT_ASSOCIATION))


def check_structure(submission: Submission, profile: Profile, report: Report) -> None:
    """All findings about how the objects of a submission stand together."""
    objects = submission.objects
    by_id = _check_ids(objects, report)
    sets = [obj for obj in objects if obj.kind is SS]
    if len(sets) != 1:
        report.add(ONE_SUBMISSION_SET, None, shown([obj.id for obj in sets]))
    for obj in objects:
        if obj.kind is ObjectKind.UNKNOWN:
            if obj.element in ("", "RegistryPackage"):
                report.add(CLASSIFIED, obj)
            else:
                report.add(KNOWN_OBJECT, obj, obj.element)
    _check_unique_ids(objects, report)
    if len(sets) == 1:
        _check_patient(objects, sets[0], report)
    links = _Links(by_id, profile, report)
    for obj in objects:
        if obj.kind is AS:
            links.add(obj)
    if len(sets) == 1 and sets[0].id and profile is not Profile.UPDATE:
        links.check_membership(objects, sets[0])


# --------------------------------------------------------------------------- identifiers


def _check_ids(objects: list[RegistryObject], report: Report) -> dict[str, RegistryObject]:
    by_id: dict[str, RegistryObject] = {}
    nested: set[str] = set()
    count = 0
    for obj in objects:
        if obj.id:
            if obj.id in by_id:
                report.add(IDS_UNIQUE, obj, obj.id)
            else:
                by_id[obj.id] = obj
        for classification in obj.classifications:
            if classification.id:
                nested.add(classification.id)
                count += 1
        for identifier in obj.external_identifiers:
            if identifier.id:
                nested.add(identifier.id)
                count += 1
    if len(nested) != count:
        report.add(NESTED_IDS_UNIQUE)
    lids = [obj.lid for obj in objects if obj.lid]
    if len(set(lids)) != len(lids):
        report.add(LIDS_UNIQUE, None, shown([lid for lid, n in Counter(lids).items() if n > 1]))
    return by_id


def _check_unique_ids(objects: list[RegistryObject], report: Report) -> None:
    seen: set[str] = set()
    for obj in objects:
        unique_id = obj.unique_id
        if unique_id:
            if unique_id in seen:
                report.add(UNIQUE_IDS_UNIQUE, obj, unique_id)
            seen.add(unique_id)


def _check_patient(objects: list[RegistryObject], submission_set: RegistryObject, report: Report) -> None:
    patient = submission_set.patient_id
    for obj in objects:
        if obj is submission_set or obj.kind is AS:
            continue
        other = obj.patient_id
        # what is malformed or missing has its finding already
        if other != patient and other and patient and not cx_problem(other) and not cx_problem(patient):
            report.add(ONE_PATIENT, obj, other, f"is another patient than the SubmissionSet's '{patient}'")


# --------------------------------------------------------------------------- associations


class _Links:
    """Goes through the Associations, and counts by which of them each object is submitted."""

    def __init__(self, by_id: dict[str, RegistryObject], profile: Profile, report: Report) -> None:
        self.by_id = by_id
        self.update = profile is Profile.UPDATE
        self.report = report
        self.from_set: Counter[str] = Counter()  # id of the target → number of HasMember from the SubmissionSet
        self.memberships: list[RegistryObject] = []  # Folder → DocumentEntry
        self.set_to_association: list[tuple[RegistryObject, RegistryObject]] = []
        self.broken = False  # an Association that could not be followed: what it would have linked is not missing

    def add(self, association: RegistryObject) -> None:
        kind = association.association_type or ""
        ends = self._ends(association)
        if kind == _HAS_MEMBER:
            self._check_documentation(association, DOCUMENTATION)
            if ends is not None:
                self._add_member(association, *ends)
        elif kind in _RELATIONSHIPS:
            if kind not in _DOCUMENTED:
                self._check_documentation(association, DOCUMENTATION_UNUSED)
            if ends is not None:
                self._add_relationship(association, kind, *ends)
        elif not (self.update and kind in _OF_UPDATES):
            self.report.add(ASSOCIATION_TYPE, association, kind)

    def _check_documentation(self, association: RegistryObject, rule: Rule) -> None:
        for classification in association.classifications:
            if classification.scheme == Scheme.ASSOCIATION_DOCUMENTATION:
                self.report.add(rule, association, classification.code or "")

    def _ends(self, association: RegistryObject) -> tuple[RegistryObject | None, RegistryObject | None] | None:
        """Source and target, None for one that is not in the submission; None when there is a finding about them."""
        source, target = association.source or "", association.target or ""
        found = len(self.report.findings)
        for end, rule in ((source, SOURCE_REQUIRED), (target, TARGET_REQUIRED)):
            if not end:
                self.report.add(rule, association)
            elif end not in self.by_id:
                if not end.startswith("urn:uuid:"):
                    self.report.add(SYMBOL_RESOLVES, association, end)
                elif not is_uuid(end):
                    self.report.add(REFERENCE_FORM, association, end)
        if source and source == target:
            self.report.add(ENDS_DIFFER, association, target)
        target_object = self.by_id.get(target)
        if target_object is not None and target_object.kind is SS and source != target:
            self.report.add(SET_IS_NO_TARGET, association, target)
        if len(self.report.findings) > found:
            self.broken = True
            return None
        return self.by_id.get(source), target_object

    def _add_member(
        self, association: RegistryObject, source: RegistryObject | None, target: RegistryObject | None
    ) -> None:
        status = association.slots.get(SlotName.SUBMISSION_SET_STATUS)
        if source is not None and source.kind is SS:
            self._add_to_set(association, target, status)
            return
        if source is not None and source.kind is not FD:
            self.report.add(MEMBER_SOURCE, association, association.source or "")
            return
        # a source that is not in the submission is a registered Folder; the registry looks it up
        if target is not None and target.kind is not DE:
            self.report.add(FOLDER_CONTENT, association, association.target or "")
            return
        self.memberships.append(association)
        if status:
            self.report.add(STATUS_UNUSED, association, shown(status))

    def _add_to_set(self, association: RegistryObject, target: RegistryObject | None, status: list[str] | None) -> None:
        target_id = association.target or ""
        self.from_set[target_id] += 1
        if target is not None and target.kind is AS:
            self.set_to_association.append((association, target))
        needed = target is None or target.kind is DE
        if not status or not status[0]:
            if needed and not self.update:
                self.report.add(STATUS_REQUIRED, association)
        elif target is None and status[0] == "Original":
            self.report.add(STATUS_ORIGINAL, association, target_id)
        elif target is not None and status[0] == "Reference":
            self.report.add(STATUS_REFERENCE, association, target_id)
        elif not needed:
            self.report.add(STATUS_UNUSED, association, shown(status))

    def _add_relationship(
        self, association: RegistryObject, kind: str, source: RegistryObject | None, target: RegistryObject | None
    ) -> None:
        report = self.report
        if association.slots.get(SlotName.SUBMISSION_SET_STATUS):
            report.add(STATUS_UNUSED, association, shown(association.slots[SlotName.SUBMISSION_SET_STATUS]))
        if source is None:
            if not self.update:  # ITI-57 links registered objects
                report.add(RELATION_SOURCE, association, association.source or "")
        elif source.kind is not DE:
            report.add(RELATION_SOURCE_KIND, association, source.id)
        elif kind == AssociationType.IS_SNAPSHOT_OF and source.object_type != DocumentEntryType.STABLE:
            report.add(SNAPSHOT_SOURCE, association, source.id)
        if target is not None and target.kind is not DE:
            report.add(RELATION_TARGET_KIND, association, target.id)
        elif target is not None and kind in _OF_REGISTERED and not self.update:
            report.add(RELATION_TARGET, association, target.id)

    def check_membership(self, objects: list[RegistryObject], submission_set: RegistryObject) -> None:
        """Every new object is submitted once, and the SubmissionSet submits something."""
        report, from_set = self.report, self.from_set
        memberships = {id(association) for association in self.memberships}
        for association, target in self.set_to_association:
            if id(target) not in memberships:
                report.add(SET_CONTENT, association, target.id)
        # with an Association that leads nowhere, "not submitted" would only repeat its finding
        fewest = 0 if self.broken else 1
        for obj in objects:
            if obj.kind is DE:
                rule = ENTRY_SUBMITTED
            elif obj.kind is FD:
                rule = FOLDER_SUBMITTED
            elif id(obj) in memberships:
                rule = MEMBERSHIP_SUBMITTED
            else:
                continue
            if obj.id and not fewest <= from_set[obj.id] <= 1:
                report.add(rule, obj, "", f"{rule.text}, not {from_set[obj.id]} times")
        if not from_set and not memberships and not any(obj.kind in (DE, FD) for obj in objects) and not self.broken:
            report.add(CONTENT, submission_set)
