"""Register Document Set, ITI-42 (ITI TF-2, 3.42.4.1.3): from a decoded submission to rows in the store.

Two steps. The plan needs no store: rules, UUIDs, what the registry sets itself, rendering. ``register`` is the work
that runs in the writer: everything that depends on what is registered already, then the writes, all or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from xds.errors import RegistryError, RequestRejected
from xds.metadata.codes import CodeTable
from xds.metadata.identity import assign_uuids, unique_id_conflicts
from xds.metadata.registry_object import RegistryObject, Submission
from xds.metadata.rules import Finding, Profile, check
from xds.ports import Claim, PreparedObjects, Reader, RegistryResponse, Transaction
from xds.registry.lifecycle import Reference, Role, apply, effects_of, findings, registered
from xds.registry.patients import identifier_in
from xds.vocab.ebrim import AssociationType, ObjectKind, Severity, SlotName, Status
from xds.vocab.errors import ErrorCode

_APPROVED: Final = Status.APPROVED.urn
_HAS_MEMBER: Final = AssociationType.HAS_MEMBER.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A clean submission, ready for the writer; picklable. Called in the writer it registers itself."""

    patient_id: str
    create_patient: bool  # patients="any"
    prepared: PreparedObjects
    references: tuple[Reference, ...]  # to objects registered before
    new_ids: tuple[str, ...]
    claims: tuple[Claim, ...]  # the uniqueIds it wants
    submission_set: str
    new_folders: tuple[str, ...]
    now: int  # YYYYMMDDhhmmss by the registry's clock
    warnings: tuple[RegistryError, ...] = ()
    translate_to: str = ""  # OID of the affinity domain, for a submission under another domain's identifier

    def __call__(self, transaction: Transaction) -> RegistryResponse:
        return register(self, transaction)


# --------------------------------------------------------------------------- before the writer


def examine(
    submission: Submission,
    *,
    profile: Profile,
    codes: CodeTable | None,
    authority: str | None,
    notes: list[str] | None = None,
) -> tuple[RegistryError, ...]:
    """The warnings of a submission that may be tried; RequestRejected with every finding of one that may not.

    ``notes`` collects the names of the rules whose breaking was tolerated.
    """
    errors: list[RegistryError] = []
    warnings: list[RegistryError] = []
    tolerated: list[Finding] = []
    for finding in check(submission, profile=profile, codes=codes, notes=tolerated):
        error = finding.to_error()
        (warnings if error.severity is Severity.WARNING else errors).append(error)
    if notes is not None:
        notes.extend(finding.rule.name for finding in tolerated)
    if not errors:
        errors.extend(_relationship_errors(submission))
    if authority is not None:
        errors.extend(_authority_errors(submission, authority, known_bad=bool(errors)))
    if errors:
        raise RequestRejected.of([*errors, *warnings])
    return tuple(warnings)


def _authority_errors(submission: Submission, authority: str, *, known_bad: bool) -> Iterator[RegistryError]:
    """ITI TF-2, 3.42.4.1.3: the patientId is one of the affinity domain's."""
    suffix = f"^^^&{authority}&ISO"
    seen: set[str] = set()
    for registry_object in submission.objects:
        patient_id = registry_object.patient_id
        if not patient_id or patient_id in seen or patient_id.endswith(suffix):
            continue
        seen.add(patient_id)
        if known_bad and "^^^&" not in patient_id:
            continue  # malformed, and reported as such
        yield RegistryError(
            ErrorCode.UNKNOWN_PATIENT_ID,
            f"{patient_id} is not an identifier of the affinity domain {authority}",
            registry_object.location,
        )


def _relationship_errors(submission: Submission) -> Iterator[RegistryError]:
    """An addendum is not made to a transformation, here to one of the same submission (ITI TF-3, 4.2.2.2.1)."""
    associations = submission.associations
    if all(a.association_type == _HAS_MEMBER for a in associations):
        return
    transformed = {a.source for a in associations if a.association_type == AssociationType.XFRM}
    for association in associations:
        if association.association_type == AssociationType.APND and association.target in transformed:
            yield RegistryError(
                ErrorCode.REGISTRY_METADATA_ERROR,
                f"{association.location}: {association.target} is itself a transformation",
                association.location,
            )


def make_plan(
    submission: Submission,
    *,
    warnings: tuple[RegistryError, ...],
    prepare: Callable[[Sequence[RegistryObject]], PreparedObjects],
    create_patient: bool,
    now: int,
    translate_to: str = "",
) -> Plan:
    """Assigns UUIDs and what the registry sets itself, and renders an examined submission; changes its objects."""
    assign_uuids(submission)
    claims: list[Claim] = []
    folders: list[str] = []
    associations: list[RegistryObject] = []
    submission_set = patient_id = ""
    for o in submission.objects:
        _set_by_registry(o)
        if o.kind is ObjectKind.ASSOCIATION:
            associations.append(o)
            continue
        if o.kind is ObjectKind.SUBMISSION_SET:
            submission_set, patient_id = o.id, o.patient_id or ""
        elif o.kind is ObjectKind.FOLDER:
            folders.append(o.id)
            o.slots[SlotName.LAST_UPDATE_TIME] = [str(now)]
        claims.append(_claim(o))
    new_ids = tuple([o.id for o in submission.objects])
    return Plan(
        patient_id=patient_id,
        create_patient=create_patient,
        prepared=prepare(submission.objects),
        references=tuple(_references(associations, frozenset(new_ids), submission_set)),
        new_ids=new_ids,
        claims=tuple(claims),
        submission_set=submission_set,
        new_folders=tuple(folders),
        now=now,
        warnings=warnings,
        translate_to="" if patient_id.endswith(f"^^^&{translate_to}&ISO") else translate_to,
    )


def _set_by_registry(o: RegistryObject) -> None:
    # ITI TF-3, 4.2.3.1: status, version, logicalID and homeCommunityId are not the source's to say
    o.status = _APPROVED
    o.lid = o.id
    o.version = "1"
    o.home = None


def _claim(o: RegistryObject) -> Claim:
    file_hash, size = o.slot(SlotName.HASH), o.slot(SlotName.SIZE)
    return Claim(
        unique_id=o.unique_id or "",
        kind=o.kind,
        patient=0,
        entry_uuid=o.id,
        hash=file_hash.lower() if file_hash else None,
        size=int(size) if size else None,
    )


def _references(
    associations: Sequence[RegistryObject], own: frozenset[str], submission_set: str
) -> Iterator[Reference]:
    """The references that leave the submission (ITI TF-3, 4.2.1.4)."""
    for a in associations:
        kind, source, target = a.association_type or "", a.source or "", a.target or ""
        if kind != _HAS_MEMBER:
            if target not in own:
                yield Reference(Role.TARGET, target, kind, source, a.location)
        elif source == submission_set:
            if target not in own:
                yield Reference(Role.MEMBER, target, kind, source, a.location)
        else:
            if source not in own:
                yield Reference(Role.FOLDER, source, kind, target, a.location)
            if target not in own:
                yield Reference(Role.CONTENT, target, kind, source, a.location)


# --------------------------------------------------------------------------- in the writer


def register(plan: Plan, transaction: Transaction) -> RegistryResponse:
    """Registers a plan: the work for ``UnitOfWork.submit``; RequestRejected with every finding when it cannot."""
    patient_id = plan.patient_id
    if plan.translate_to:
        patient_id = identifier_in(transaction, plan.translate_to, patient_id) or patient_id
    create = plan.create_patient and (not plan.translate_to or patient_id != plan.patient_id)
    patient = transaction.lock_patient(patient_id, create=create)
    errors: list[RegistryError] = []
    if patient is None or not patient.active:
        # ITI TF-2, 3.8.4.2.4: a subsumed identifier is unknown to later submissions
        errors.append(RegistryError(ErrorCode.UNKNOWN_PATIENT_ID, plan.patient_id))
    if plan.references:
        found = registered(transaction, plan.references, patient_id)
        errors.extend(findings(transaction, plan.references, found, patient_id))
    if errors or patient is None:
        raise RequestRejected.of([*errors, *_claim_errors(transaction, plan), *plan.warnings])
    transaction.insert(plan.prepared, patient.key)  # raises when an id or uniqueId is taken
    if plan.references:
        effects = effects_of(plan.references, plan.new_folders, plan.submission_set)
        apply(transaction, effects, patient, plan.now)
    return RegistryResponse(plan.warnings)


def _claim_errors(reader: Reader, plan: Plan) -> Iterator[RegistryError]:
    """What ``insert`` would have found, so that a refusal for other reasons names it too (ITI TF-2, 3.42.4.1.3)."""
    for taken in reader.by_uuid(plan.new_ids, references=True):
        yield RegistryError(ErrorCode.REGISTRY_METADATA_ERROR, f"entryUUID {taken.entry_uuid} is registered already")
    held = reader.claims([claim.unique_id for claim in plan.claims])
    for claim in plan.claims:
        wanted = (claim.kind, claim.hash, claim.size)
        for holder in held.get(claim.unique_id, ()):
            conflicts = unique_id_conflicts(claim.unique_id, wanted, (holder.kind, holder.hash, holder.size))
            if conflicts:
                yield from conflicts
                break
