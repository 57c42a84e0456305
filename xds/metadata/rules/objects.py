"""One registry object against its plan. This runs for every object of every submission: one pass, lookups only."""

from __future__ import annotations

from typing import Final

from xds.datatypes.ids import is_uuid
from xds.datatypes.time import dtm_latest, dtm_number
from xds.metadata.codes import CodeTable, media_type
from xds.metadata.registry_object import Classification, RegistryObject, text_of
from xds.metadata.rules import values
from xds.metadata.rules.attributes import AS, DE, FD, MAX_LENGTH, SS, Checks, Plan
from xds.metadata.rules.finding import KIND_NAMES, Profile, Report, Rule, shown
from xds.vocab.ebrim import DocumentEntryType, Node, ObjectKind, SlotName

_KINDS: Final = (DE, SS, FD, AS)


def _for_each_kind(
    attribute: str, name: str, section: str, text: str, *, tolerated: bool = False
) -> dict[ObjectKind, Rule]:
    return {
        kind: Rule(f"{KIND_NAMES[kind]}: {name}", kind, attribute, f"ITI TF-3, {section}", text, tolerated=tolerated)
        for kind in _KINDS
    }


OBJECT_TYPE: Final = Rule(
    "DocumentEntry.objectType: form", DE, "objectType", "ITI TF-3, 4.2.3.2.17", "is not the type this transaction takes"
)
MIME_TYPE_FORM: Final = Rule(
    "DocumentEntry.mimeType: form", DE, "mimeType", "ITI TF-3, 4.2.3.2.16", "is not a MIME type (type/subtype)"
)
MIME_TYPE_LENGTH: Final = Rule("DocumentEntry.mimeType: length", DE, "mimeType", "ITI TF-3, 4.2.3.2.16", "is too long")
MIME_TYPE_IN_DOMAIN: Final = Rule(
    "DocumentEntry.mimeType: in domain",
    DE,
    "mimeType",
    "ITI TF-2, 3.42.4.1.3",
    "is not among the MIME types of this affinity domain",
)
SERVICE_TIMES: Final = Rule(
    "DocumentEntry.serviceStopTime: order",
    DE,
    "serviceStopTime",
    "ITI TF-3, 4.2.3.2.23",
    "is before serviceStartTime",
)
URI_PARTS: Final = Rule(
    "DocumentEntry.URI: parts",
    DE,
    "URI",
    "ITI TF-3, 4.2.3.2.30",
    "has several values that are not the numbered parts of one (1|…, 2|…)",
)
ENTRY_UUID_REQUIRED: Final = _for_each_kind("entryUUID", "id required", "4.2.3.1.3", "is missing")
ENTRY_UUID_FORM: Final = _for_each_kind(
    "entryUUID", "id form", "4.2.3.1.3", "begins with urn:uuid: but is not a UUID in lower case"
)
# A Slot name that IHE has not defined must be a URN (ITI TF-3, 4.2.3.1.6). Those of urn:ihe: belong to editions of the
# Framework we do not know: kept, and noted.
SLOT_NAME: Final = _for_each_kind("Slot", "extra Slot name", "4.2.3.1.6", "is neither defined by IHE nor a URN")
SLOT_NAME_LENGTH: Final = _for_each_kind("Slot", "extra Slot name length", "4.2.3.1.6", "is too long")
SLOT_REPEATED: Final = _for_each_kind("Slot", "Slot repeated", "4.2.3.1", "stands twice in one object")
SLOT_IHE: Final = _for_each_kind("Slot", "extra Slot of IHE", "4.2.3.1.6", "is reserved for IHE", tolerated=True)
SLOT_LENGTH: Final = _for_each_kind("Slot", "extra Slot length", "4.2.3.1.6", "is too long", tolerated=True)
SLOT_EMPTY: Final = _for_each_kind("Slot", "Slot empty", "4.2.3.1", "has no value", tolerated=True)
# What the schema has no place for would be lost: an element may carry anything; attributes are leftovers of ebRIM 2
ELEMENT_UNKNOWN: Final = _for_each_kind("element", "unknown element", "4.2.1", "is no part of a registry object")
ATTRIBUTE_UNKNOWN: Final = _for_each_kind(
    "attribute", "unknown attribute", "4.2.1", "is no attribute of a registry object", tolerated=True
)
# An unknown Classification or ExternalIdentifier may be national or newer than we are: one place of the Framework calls
# it an error, peers send them
SCHEME_UNKNOWN: Final = _for_each_kind(
    "Classification", "unknown Classification", "4.2.3.1.2", "has a scheme that IHE has not defined", tolerated=True
)
IDENTIFIER_UNKNOWN: Final = _for_each_kind(
    "ExternalIdentifier", "unknown ExternalIdentifier", "4.2.3.1.5", "has a scheme IHE has not defined", tolerated=True
)

OBJECT_RULES: Final = (
    OBJECT_TYPE,
    MIME_TYPE_FORM,
    MIME_TYPE_LENGTH,
    MIME_TYPE_IN_DOMAIN,
    SERVICE_TIMES,
    URI_PARTS,
    *(
        rule
        for rules in (
            ENTRY_UUID_FORM,
            ENTRY_UUID_REQUIRED,
            SLOT_NAME,
            SLOT_NAME_LENGTH,
            SLOT_REPEATED,
            SLOT_IHE,
            SLOT_LENGTH,
            SLOT_EMPTY,
            ELEMENT_UNKNOWN,
            ATTRIBUTE_UNKNOWN,
            SCHEME_UNKNOWN,
            IDENTIFIER_UNKNOWN,
        )
        for rule in rules.values()
        if not (rule.kind is AS and rule in (ENTRY_UUID_REQUIRED[AS], IDENTIFIER_UNKNOWN[AS]))
    ),
)
_NODES: Final = frozenset((Node.SUBMISSION_SET.value, Node.FOLDER.value))


def check_object(obj: RegistryObject, plan: Plan, codes: CodeTable | None, report: Report, *, profile: Profile) -> None:
    """All findings about the attributes of one object; what it means among the others is for ``structure``."""
    kind = obj.kind
    if obj.id.startswith("urn:uuid:"):
        if not is_uuid(obj.id):
            report.add(ENTRY_UUID_FORM[kind], obj, obj.id)
    elif not obj.id and kind is not AS:  # an Association without id gets one: nothing needs to refer to it
        report.add(ENTRY_UUID_REQUIRED[kind], obj)
    for name in obj.unknown:
        rules = ATTRIBUTE_UNKNOWN if name.startswith("@") else ELEMENT_UNKNOWN
        report.add(rules[kind], obj, name.lstrip("@"))
    if kind is DE:
        _check_types(obj, profile, codes, report)
    _check_slots(obj, plan, report)
    _check_classifications(obj, plan, codes, report)
    if plan.identifiers:
        _check_identifiers(obj, plan, report)
    if plan.title is not None:
        _check_title(obj, plan.title, plan, report)


def _check_types(obj: RegistryObject, profile: Profile, codes: CodeTable | None, report: Report) -> None:
    object_type = obj.object_type
    if profile is Profile.ON_DEMAND:
        fits = object_type == DocumentEntryType.ON_DEMAND
    elif profile is Profile.UPDATE:
        fits = object_type in (DocumentEntryType.STABLE, DocumentEntryType.ON_DEMAND)
    else:
        fits = object_type == DocumentEntryType.STABLE
    if not fits:
        report.add(OBJECT_TYPE, obj, object_type or "")
    mime_type = obj.mime_type or "application/octet-stream"  # the schema's default
    if problem := values.mime_type(mime_type):
        report.add(MIME_TYPE_FORM, obj, mime_type, problem)
    elif len(mime_type) > MAX_LENGTH:
        report.add(MIME_TYPE_LENGTH, obj, mime_type)
    elif codes is not None and codes.mime_types is not None and media_type(mime_type) not in codes.mime_types:
        report.add(MIME_TYPE_IN_DOMAIN, obj, mime_type)
    _check_service_times(obj, report)


def _check_service_times(obj: RegistryObject, report: Report) -> None:
    start, stop = obj.slots.get(SlotName.SERVICE_START_TIME), obj.slots.get(SlotName.SERVICE_STOP_TIME)
    if start and stop:
        # start is padded with the lowest values, stop with the highest
        first, last = dtm_number(start[0]), dtm_latest(stop[0])
        if first is not None and last is not None and last < first:
            report.add(SERVICE_TIMES, obj, f"{stop[0]} < {start[0]}")


# --------------------------------------------------------------------------- Slots


def _check_slots(obj: RegistryObject, plan: Plan, report: Report) -> None:
    slots, known = obj.slots, plan.slots
    for name, found in slots.items():
        checks = known.get(name)
        if checks is None:
            _check_extra_slot(name, found, obj, report)
        else:
            check_values(checks, found, obj, report)
    for checks in plan.required_slots:
        found_values = slots.get(checks.source)
        if not found_values or not found_values[0]:
            report.add(checks.rules["required"], obj)
    for checks in plan.prohibited_slots:
        if checks.source in slots:
            report.add(checks.rules["prohibited"], obj, shown(slots[checks.source]))
    for name in obj.repeated_slots:
        report.add(SLOT_REPEATED[obj.kind], obj, name)
    uri = slots.get(SlotName.URI)
    if uri is not None and len(uri) > 1 and obj.kind is DE and not all(u.partition("|")[0].isdigit() for u in uri):
        report.add(URI_PARTS, obj, shown(uri))


def check_values(checks: Checks, found: list[str], obj: RegistryObject, report: Report) -> None:
    """Number, form and length of the values of one Slot. An empty value counts as absent."""
    if len(found) != 1 and not checks.many and found:
        report.add(checks.rules["single"], obj, shown(found))
    if not found or not found[0]:
        report.add(SLOT_EMPTY[obj.kind], obj, checks.source)
    check, longest = checks.check, checks.max_length
    for value in found:
        if not value:
            continue
        if len(value) > longest:
            report.add(checks.rules["length"], obj, value, f"is longer than {longest} characters")
        elif check is not None and (problem := check(value)) is not None:
            report.add(checks.rules["form"], obj, value, problem)


def _check_extra_slot(name: str, found: list[str], obj: RegistryObject, report: Report) -> None:
    if not values.is_urn(name):
        report.add(SLOT_NAME[obj.kind], obj, name)
    elif len(name) > MAX_LENGTH:
        report.add(SLOT_NAME_LENGTH[obj.kind], obj, name)
    elif name[:8].lower() == "urn:ihe:":
        report.add(SLOT_IHE[obj.kind], obj, name)
    if any(len(value) > MAX_LENGTH for value in found):
        report.add(SLOT_LENGTH[obj.kind], obj, name)


# --------------------------------------------------------------------------- Classifications


def _check_classifications(obj: RegistryObject, plan: Plan, codes: CodeTable | None, report: Report) -> None:
    known, author = plan.codes, plan.author
    seen: set[str] = set()
    limited = False
    for classification in obj.classifications:
        scheme = classification.scheme
        if scheme is None:
            limited |= _is_limited(classification, obj, plan, report)
            continue
        checks = known.get(scheme)
        if checks is not None:
            if scheme in seen and not checks.many:
                report.add(checks.rules["single"], obj, classification.code or "")
            seen.add(scheme)
            _check_code(classification, checks, obj, codes, report)
        elif author is not None and scheme == author.source:
            _check_author(classification, author, plan, obj, report)
        else:
            report.add(SCHEME_UNKNOWN[obj.kind], obj, scheme)
        if classification.repeated_slots:
            report.add(SLOT_REPEATED[obj.kind], obj, shown(classification.repeated_slots))
    for checks in plan.required_codes:
        if checks.source not in seen:
            report.add(checks.rules["required"], obj)
    if plan.limited_required and not limited and plan.limited is not None:
        report.add(plan.limited.rules["required"], obj)


def _is_limited(classification: Classification, obj: RegistryObject, plan: Plan, report: Report) -> bool:
    if plan.limited is not None and classification.node == plan.limited.source:
        if not plan.limited_required:
            report.add(plan.limited.rules["prohibited"], obj)
        return True
    if classification.node not in _NODES:
        report.add(SCHEME_UNKNOWN[obj.kind], obj, classification.node or "")
    return False


def _check_code(
    classification: Classification, checks: Checks, obj: RegistryObject, codes: CodeTable | None, report: Report
) -> None:
    code = classification.code
    schemes = classification.slots.get("codingScheme")
    if not code:
        report.add(checks.rules["code"], obj)
    elif len(code) > MAX_LENGTH:
        report.add(checks.rules["length"], obj, code, f"is longer than {MAX_LENGTH} characters")
    if schemes is None or len(schemes) != 1 or not schemes[0]:
        report.add(checks.rules["coding scheme"], obj, code or "")
    elif codes is not None and code:
        allowed = codes.by_scheme.get(checks.source)
        if allowed is not None and (code, schemes[0]) not in allowed:
            report.add(checks.rules["in domain"], obj, f"{code}^^{schemes[0]}")
    if not text_of(classification.name):
        report.add(checks.rules["display name"], obj, code or "")
    _check_parent(classification.classified_object, checks, obj, report)


def _check_parent(parent: str | None, checks: Checks, obj: RegistryObject, report: Report) -> None:
    if parent != obj.id:
        if parent:
            report.add(checks.rules["parent"], obj, parent)
        else:
            report.add(checks.rules["parent absent"], obj)


def _check_author(
    classification: Classification, checks: Checks, plan: Plan, obj: RegistryObject, report: Report
) -> None:
    if classification.code is None:
        report.add(checks.rules["code absent"], obj)
    elif classification.code:
        report.add(checks.rules["empty code"], obj, classification.code)
    slots, known = classification.slots, plan.author_slots
    for name, found in slots.items():
        sub = known.get(name)
        if sub is not None:
            check_values(sub, found, obj, report)
        else:  # kept: nobody says that an author may not have Slots of its own
            report.add(SLOT_IHE[obj.kind], obj, name, "is not a Slot of author")
    if not (
        any(slots.get(SlotName.AUTHOR_PERSON, ()))
        or any(slots.get(SlotName.AUTHOR_INSTITUTION, ()))
        or any(slots.get(SlotName.AUTHOR_TELECOMMUNICATION, ()))
    ):
        report.add(checks.rules["contact"], obj)
    _check_parent(classification.classified_object, checks, obj, report)


# --------------------------------------------------------------------------- ExternalIdentifiers and title


def _check_identifiers(obj: RegistryObject, plan: Plan, report: Report) -> None:
    known = plan.identifiers
    seen: set[str] = set()
    for identifier in obj.external_identifiers:
        scheme, value = identifier.scheme, identifier.value
        checks = known.get(scheme)
        if checks is None:
            report.add(IDENTIFIER_UNKNOWN[obj.kind], obj, scheme)
            continue
        if scheme in seen:
            report.add(checks.rules["single"], obj, value)
        seen.add(scheme)
        if not value:
            seen.discard(scheme)
        elif len(value) > MAX_LENGTH:
            report.add(checks.rules["length"], obj, value, f"is longer than {MAX_LENGTH} characters")
        elif checks.check is not None and (problem := checks.check(value)) is not None:
            report.add(checks.rules["form"], obj, value, problem)
        name = text_of(identifier.name)
        if name != checks.fixed_name:
            report.add(checks.rules["name" if name else "name absent"], obj, name or "")
        _check_parent(identifier.registry_object, checks, obj, report)
    for checks in plan.required_identifiers:
        if checks.source not in seen:
            report.add(checks.rules["required"], obj)


def _check_title(obj: RegistryObject, checks: Checks, plan: Plan, report: Report) -> None:
    title = text_of(obj.name)
    if title is None:
        if plan.title_required:
            report.add(checks.rules["required"], obj)
        return
    for string in obj.name:
        if len(string.value) > checks.max_length:
            report.add(checks.rules["length"], obj, string.value, f"is longer than {checks.max_length} characters")
