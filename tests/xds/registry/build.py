"""Submissions for the tests of the actors: neutral registry objects, as a codec would have decoded them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count

from xds.metadata.registry_object import (
    Classification,
    ExternalIdentifier,
    LocalizedString,
    RegistryObject,
    Submission,
)
from xds.metadata.requests import AdhocQuery
from xds.registry import DEFAULT_ASSIGNING_AUTHORITY as AUTHORITY
from xds.vocab.ebrim import (
    ID_NAMES,
    PATIENT_ID_SCHEME,
    UNIQUE_ID_SCHEME,
    AssociationType,
    DocumentEntryType,
    IdScheme,
    Node,
    ObjectKind,
    Scheme,
    SlotName,
    Status,
)
from xds.vocab.queries import STORED_QUERY_BY_NAME, Kind

PATIENT = f"P1^^^&{AUTHORITY}&ISO"
OTHER_PATIENT = f"P2^^^&{AUTHORITY}&ISO"
APPROVED, DEPRECATED = Status.APPROVED.urn, Status.DEPRECATED.urn
BOTH = (APPROVED, DEPRECATED)
SCHEME = "1.2.3.4"
HASH = "da39a3ee5e6b4b0d3255bfef95601890afd80709"

_numbers = count(1)

CODES = {
    "class_code": Scheme.CLASS_CODE,
    "type_code": Scheme.TYPE_CODE,
    "format_code": Scheme.FORMAT_CODE,
    "practice_setting_code": Scheme.PRACTICE_SETTING_CODE,
    "healthcare_facility_type_code": Scheme.HEALTHCARE_FACILITY_TYPE_CODE,
    "confidentiality_code": Scheme.CONFIDENTIALITY_CODE,
    "event_code": Scheme.EVENT_CODE,
}


def unique_id() -> str:
    """An OID nobody had before."""
    return f"1.2.826.0.1.{next(_numbers)}"


def uuid(number: int) -> str:
    """A well-formed UUID."""
    return f"urn:uuid:00000000-0000-4000-8000-{number:012x}"


def fresh_uuid() -> str:
    """A UUID nobody had before."""
    return uuid(0x10000 + next(_numbers))


def code(scheme: str, value: str, parent: str) -> Classification:
    return Classification(
        scheme=scheme,
        code=value,
        slots={SlotName.CODING_SCHEME: [SCHEME]},
        name=(LocalizedString(value),),
        id=f"cl{next(_numbers)}",
        classified_object=parent,
    )


def author(parent: str, person: str, institutions: Sequence[str] = (), *, scheme: str) -> Classification:
    slots = {SlotName.AUTHOR_PERSON.value: [person]}
    if institutions:
        slots[SlotName.AUTHOR_INSTITUTION.value] = list(institutions)
    return Classification(scheme=scheme, code="", slots=slots, id=f"cl{next(_numbers)}", classified_object=parent)


def _identifier(scheme: IdScheme, value: str, parent: str) -> ExternalIdentifier:
    return ExternalIdentifier(
        scheme=scheme,
        value=value,
        name=(LocalizedString(ID_NAMES[scheme]),),
        id=f"ei{next(_numbers)}",
        registry_object=parent,
    )


def entry(
    id: str = "Document01",
    *,
    patient: str = PATIENT,
    unique: str | None = None,
    hash: str = HASH,
    size: int = 0,
    created: str = "20260101",
    service: tuple[str, str] | None = None,
    mime_type: str = "text/plain",
    title: str = "",
    authors: Iterable[tuple[str, Sequence[str]]] = (),
    object_type: str = DocumentEntryType.STABLE,
    slots: dict[str, list[str]] | None = None,
    **codes: str | Sequence[str],
) -> RegistryObject:
    """A DocumentEntry as a repository would register it; ``codes`` by attribute, one or several."""
    chosen: dict[str, str | Sequence[str]] = {name: "default" for name in CODES if name != "event_code"}
    chosen.update(codes)
    times = {"serviceStartTime": [service[0]], "serviceStopTime": [service[1]]} if service else {}
    return RegistryObject(
        ObjectKind.DOCUMENT_ENTRY,
        id=id,
        element="ExtrinsicObject",
        location=f"ExtrinsicObject {id}",
        object_type=object_type,
        mime_type=mime_type,
        name=(LocalizedString(title),) if title else (),
        slots={
            SlotName.CREATION_TIME: [created],
            SlotName.HASH: [hash],
            SlotName.LANGUAGE_CODE: ["en"],
            SlotName.REPOSITORY_UNIQUE_ID: ["1.2.3.4.9"],
            SlotName.SIZE: [str(size)],
            SlotName.SOURCE_PATIENT_ID: ["local^^^&1.2.3.4.7&ISO"],
            **times,
            **(slots or {}),
        },
        classifications=[
            *(author(id, person, where, scheme=Scheme.DOCUMENT_ENTRY_AUTHOR) for person, where in authors),
            *(
                code(CODES[name], value, id)
                for name, values in chosen.items()
                for value in ([values] if isinstance(values, str) else values)
            ),
        ],
        external_identifiers=_identifiers(ObjectKind.DOCUMENT_ENTRY, id, patient, unique),
    )


def _identifiers(kind: ObjectKind, id: str, patient: str, unique: str | None) -> list[ExternalIdentifier]:
    return [
        _identifier(PATIENT_ID_SCHEME[kind], patient, id),
        _identifier(UNIQUE_ID_SCHEME[kind], unique or unique_id(), id),
    ]


def submission_set(
    id: str = "SubmissionSet01",
    *,
    patient: str = PATIENT,
    unique: str | None = None,
    submitted: str = "20260102120000",
    source_id: str = "1.2.3.4.5",
    content_type: str = "default",
    person: str = "",
) -> RegistryObject:
    return RegistryObject(
        ObjectKind.SUBMISSION_SET,
        id=id,
        element="RegistryPackage",
        location=f"RegistryPackage {id}",
        slots={SlotName.SUBMISSION_TIME: [submitted]},
        classifications=[
            Classification(node=Node.SUBMISSION_SET, id=f"cl{next(_numbers)}", classified_object=id),
            *([author(id, person, scheme=Scheme.SUBMISSION_SET_AUTHOR)] if person else []),
            code(Scheme.CONTENT_TYPE_CODE, content_type, id),
        ],
        external_identifiers=[
            *_identifiers(ObjectKind.SUBMISSION_SET, id, patient, unique),
            _identifier(IdScheme.SUBMISSION_SET_SOURCE_ID, source_id, id),
        ],
    )


def folder(
    id: str = "Folder01",
    *,
    patient: str = PATIENT,
    unique: str | None = None,
    codes: Sequence[str] = ("default",),
    last_update_time: str | None = None,
) -> RegistryObject:
    return RegistryObject(
        ObjectKind.FOLDER,
        id=id,
        element="RegistryPackage",
        location=f"RegistryPackage {id}",
        name=(LocalizedString("a folder"),),
        slots={SlotName.LAST_UPDATE_TIME: [last_update_time]} if last_update_time else {},
        classifications=[
            Classification(node=Node.FOLDER, id=f"cl{next(_numbers)}", classified_object=id),
            *(code(Scheme.FOLDER_CODE, value, id) for value in codes),
        ],
        external_identifiers=_identifiers(ObjectKind.FOLDER, id, patient, unique),
    )


def association(kind: str, source: str, target: str, *, status: str = "", id: str = "") -> RegistryObject:
    id = id or f"as{next(_numbers)}"
    return RegistryObject(
        ObjectKind.ASSOCIATION,
        id=id,
        element="Association",
        location=f"Association {id}",
        association_type=kind,
        source=source,
        target=target,
        slots={SlotName.SUBMISSION_SET_STATUS: [status]} if status else {},
    )


def member(source: str, target: str, *, status: str = "", id: str = "") -> RegistryObject:
    return association(AssociationType.HAS_MEMBER, source, target, status=status, id=id)


def submission(*objects: RegistryObject, of: RegistryObject | None = None) -> Submission:
    """A submission of ``objects`` with their SubmissionSet and the HasMembers it needs.

    ``of`` is the SubmissionSet; a plain one for the patient of the first object when it is left out. A HasMember whose
    source is another object gets its SS-HM.
    """
    patient = next((o.patient_id for o in objects if o.patient_id), PATIENT)
    chosen = of or submission_set(patient=patient)
    links: list[RegistryObject] = []
    for o in objects:
        if o.kind is ObjectKind.DOCUMENT_ENTRY:
            links.append(member(chosen.id, o.id, status="Original"))
        elif o.kind is ObjectKind.FOLDER or (
            o.association_type == AssociationType.HAS_MEMBER and o.source != chosen.id
        ):
            links.append(member(chosen.id, o.id))
    return Submission([chosen, *objects, *links])


def references(*uuids: str, patient: str = PATIENT) -> Submission:
    """A submission of nothing but references to registered entries."""
    chosen = submission_set(patient=patient)
    return Submission([chosen, *(member(chosen.id, target, status="Reference") for target in uuids)])


def query(name: str, *, leaf: bool = True, **parameters: object) -> AdhocQuery:
    """A stored query; parameter names without their dollar, values plain: written here as the grammar wants them.

    A list of lists is a repeated Slot.
    """
    row = STORED_QUERY_BY_NAME[name]
    slots: list[tuple[str, tuple[str, ...]]] = []
    for key, value in parameters.items():
        parameter = row.by_name[f"${key}"]
        if parameter.many:
            assert isinstance(value, (list, tuple))
            groups = value if value and isinstance(value[0], (list, tuple)) else [value]
            slots += [(parameter.name, (_list(group),)) for group in groups]
        elif parameter.kind in (Kind.TIME_FROM, Kind.TIME_TO, Kind.NUMBER):
            slots.append((parameter.name, (str(value),)))
        else:
            slots.append((parameter.name, (_quoted(str(value)),)))
    return AdhocQuery(row.id, "LeafClass" if leaf else "ObjectRef", tuple(slots))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _list(values: Sequence[str]) -> str:
    return "(" + ",".join(_quoted(value) for value in values) + ")"
