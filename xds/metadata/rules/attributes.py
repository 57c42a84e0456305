"""The rules about single attributes: presence, number, form, length, codes (ITI TF-3, tables 4.3.1-1 to 4.3.1-3).

The tables below are the Framework's, rows of :class:`Attribute`. Each row stands for several rules, by the aspects of
its table (a Slot may be missing, come twice, be malformed, be too long, …); ``plan`` makes of them what ``objects``
needs for a kind of object and a profile: dictionaries, so that a message is read once and what is in it is looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from xds.datatypes.hl7 import cx_problem, cxi_problem, xcn_problem, xon_problem, xtn_problem
from xds.metadata.rules import values
from xds.metadata.rules.finding import KIND_NAMES, Profile, Rule
from xds.metadata.rules.values import Check
from xds.vocab.ebrim import ID_NAMES, IdScheme, Node, ObjectKind, Scheme, SlotName

DE: Final = ObjectKind.DOCUMENT_ENTRY
SS: Final = ObjectKind.SUBMISSION_SET
FD: Final = ObjectKind.FOLDER
AS: Final = ObjectKind.ASSOCIATION

#: the Values of a Slot, @value and @nodeRepresentation are LongName in the schema
MAX_LENGTH: Final = 256


@dataclass(frozen=True, slots=True)
class Attribute:
    """One row of a metadata table: how an attribute is written and what its values must be.

    ``presence`` has a letter per column, ITI-41, ITI-42, limited metadata, ITI-61: R required, O optional, X must not
    be there. ITI-57 is judged as ITI-42.
    """

    kind: ObjectKind
    name: str
    section: str
    source: str  # name of the Slot, or UUID of the Classification or ExternalIdentifier
    presence: str = "OOOO"
    many: bool = False
    check: Check | None = None
    max_length: int = MAX_LENGTH
    length_tolerated: bool = False


def _de(name: str, section: int, source: str, presence: str = "OOOO", **more: object) -> Attribute:
    return Attribute(DE, name, f"ITI TF-3, 4.2.3.2.{section}", source, presence, **more)  # type: ignore[arg-type]  # fields of Attribute


def _ss(name: str, section: int, source: str, presence: str = "OOOO", **more: object) -> Attribute:
    return Attribute(SS, name, f"ITI TF-3, 4.2.3.3.{section}", source, presence, **more)  # type: ignore[arg-type]  # fields of Attribute


def _fd(name: str, section: int, source: str, presence: str = "OOOO", **more: object) -> Attribute:
    return Attribute(FD, name, f"ITI TF-3, 4.2.3.4.{section}", source, presence, **more)  # type: ignore[arg-type]  # fields of Attribute


def _as(name: str, section: str, source: str, **more: object) -> Attribute:
    return Attribute(AS, name, f"ITI TF-3, {section}", source, "OOOO", **more)  # type: ignore[arg-type]  # fields of Attribute


SLOTS: Final = (
    _de("creationTime", 6, SlotName.CREATION_TIME, "RROX", check=values.dtm),
    _de("hash", 10, SlotName.HASH, "OROX", check=values.sha1),
    _de("languageCode", 13, SlotName.LANGUAGE_CODE, "RROR", check=values.language),
    _de("legalAuthenticator", 14, SlotName.LEGAL_AUTHENTICATOR, check=xcn_problem),
    _de("referenceIdList", 20, SlotName.REFERENCE_ID_LIST, many=True, check=cxi_problem),
    _de("repositoryUniqueId", 21, SlotName.REPOSITORY_UNIQUE_ID, "OROR", check=values.oid),
    _de("serviceStartTime", 22, SlotName.SERVICE_START_TIME, check=values.dtm),
    _de("serviceStopTime", 23, SlotName.SERVICE_STOP_TIME, check=values.dtm),
    _de("size", 24, SlotName.SIZE, "OROX", check=values.size),
    _de("sourcePatientId", 25, SlotName.SOURCE_PATIENT_ID, "RROR", check=cx_problem),
    # the length of its values stands in one place only, and long addresses exist
    _de(
        "sourcePatientInfo",
        26,
        SlotName.SOURCE_PATIENT_INFO,
        many=True,
        check=values.source_patient_info,
        length_tolerated=True,
    ),
    # once split over several Values with 1|, 2|, … before each
    _de("URI", 30, SlotName.URI, many=True),
    _de("documentAvailability", 31, SlotName.DOCUMENT_AVAILABILITY, check=values.availability),
    _ss("intendedRecipient", 7, SlotName.INTENDED_RECIPIENT, many=True, check=values.intended_recipient),
    _ss("submissionTime", 11, SlotName.SUBMISSION_TIME, "RRRR", check=values.dtm),
    # the registry overrides it, so its form does not matter
    _fd("lastUpdateTime", 6, SlotName.LAST_UPDATE_TIME),
    # what they must say on which Association is for structure, and for ITI-57
    _as("submissionSetStatus", "4.2.2.1", SlotName.SUBMISSION_SET_STATUS, check=values.submission_set_status),
    _as("previousVersion", "4.2.2.1", SlotName.PREVIOUS_VERSION),
    _as("associationPropagation", "4.2.2.1", SlotName.ASSOCIATION_PROPAGATION, check=values.yes_or_no),
    _as("originalStatus", "4.2.2.3", SlotName.ORIGINAL_STATUS),
    _as("newStatus", "4.2.2.3", SlotName.NEW_STATUS),
)

CODES: Final = (
    _de("classCode", 3, Scheme.CLASS_CODE, "RROR"),
    _de("confidentialityCode", 5, Scheme.CONFIDENTIALITY_CODE, "RROR", many=True),
    _de("eventCodeList", 8, Scheme.EVENT_CODE, many=True),
    _de("formatCode", 9, Scheme.FORMAT_CODE, "RROR"),
    _de("healthcareFacilityTypeCode", 11, Scheme.HEALTHCARE_FACILITY_TYPE_CODE, "RROR"),
    _de("practiceSettingCode", 19, Scheme.PRACTICE_SETTING_CODE, "RROR"),
    _de("typeCode", 28, Scheme.TYPE_CODE, "RROR"),
    _ss("contentTypeCode", 4, Scheme.CONTENT_TYPE_CODE, "RROR"),
    _fd("codeList", 2, Scheme.FOLDER_CODE, "RROR", many=True),
    _as("associationDocumentation", "4.2.2.2", Scheme.ASSOCIATION_DOCUMENTATION),
)

IDENTIFIERS: Final = (
    _de("patientId", 18, IdScheme.DOCUMENT_ENTRY_PATIENT_ID, "RROR", check=cx_problem),
    _de("uniqueId", 29, IdScheme.DOCUMENT_ENTRY_UNIQUE_ID, "RRRR", check=values.unique_id),
    _ss("patientId", 9, IdScheme.SUBMISSION_SET_PATIENT_ID, "RROR", check=cx_problem),
    _ss("sourceId", 10, IdScheme.SUBMISSION_SET_SOURCE_ID, "RRRR", check=values.oid),
    _ss("uniqueId", 13, IdScheme.SUBMISSION_SET_UNIQUE_ID, "RRRR", check=values.oid),
    _fd("patientId", 8, IdScheme.FOLDER_PATIENT_ID, "RROR", check=cx_problem),
    _fd("uniqueId", 10, IdScheme.FOLDER_UNIQUE_ID, "RRRR", check=values.oid),
)

AUTHORS: Final = (
    _de("author", 1, Scheme.DOCUMENT_ENTRY_AUTHOR, many=True),
    _ss("author", 1, Scheme.SUBMISSION_SET_AUTHOR, many=True),
)

# sub-attributes of author: the same for DocumentEntry and SubmissionSet (sections 4.2.3.2.1 and 4.2.3.3.1)
AUTHOR_SLOTS: Final = tuple(
    make(name, 1, name, many=many, check=check)
    for make in (_de, _ss)
    for name, many, check in (
        (SlotName.AUTHOR_PERSON, False, xcn_problem),
        (SlotName.AUTHOR_INSTITUTION, True, xon_problem),
        (SlotName.AUTHOR_ROLE, True, None),
        (SlotName.AUTHOR_SPECIALTY, True, None),
        (SlotName.AUTHOR_TELECOMMUNICATION, True, xtn_problem),
    )
)

# title: rim:Name, at most so many characters
TITLES: Final = (
    _de("title", 27, "Name", max_length=128),
    _ss("title", 12, "Name", max_length=255),
    _fd("title", 9, "Name", "RROR"),
)

# the second node Classification of an object; see xds.vocab.ebrim.Node
LIMITED_METADATA: Final = (
    _de("limitedMetadata", 15, Node.LIMITED_DOCUMENT_ENTRY, "XXRX"),
    _ss("limitedMetadata", 8, Node.LIMITED_SUBMISSION_SET, "XXRX"),
    _fd("limitedMetadata", 7, Node.LIMITED_FOLDER, "XXRX"),
)

_COLUMN: Final = {Profile.PROVIDE: 0, Profile.XDS: 1, Profile.LIMITED: 2, Profile.ON_DEMAND: 3, Profile.UPDATE: 1}

# --------------------------------------------------------------------------- from rows to rules

_REGISTRY_CHECKS: Final = "ITI TF-2, 3.42.4.1.3"
# aspect: what is wrong when the rule does not hold, and a section other than the attribute's own
_TEXTS: Final = {
    "required": ("is missing", ""),
    "prohibited": ("must not be here", ""),
    "single": ("may stand once only", ""),
    "form": ("is malformed", "ITI TF-3, 4.2.3.1.7"),
    "length": ("is too long", ""),
    "code": ("has a Classification without a code (nodeRepresentation)", "ITI TF-3, 4.2.3.1.2"),
    "coding scheme": ("has a code without exactly one codingScheme", "ITI TF-3, 4.2.3.1.2"),
    "display name": ("has a code without a display name (rim:Name)", "ITI TF-3, 4.2.3.1.2"),
    "in domain": ("is not among the codes of this affinity domain", _REGISTRY_CHECKS),
    "empty code": ("is a Classification whose nodeRepresentation must be empty", "ITI TF-3, 4.2.3.1.4"),
    "contact": ("has neither authorPerson nor authorInstitution nor authorTelecommunication", ""),
    "parent": ("belongs to another object than the one it stands in", "ITI TF-3, 4.2.3.1"),
    "name": ("has an ExternalIdentifier with another rim:Name than the fixed one", "ITI TF-3, 4.2.3.1.5"),
    # tolerated: senders leave them out, and the place or the scheme says the same
    "code absent": ("is a Classification without nodeRepresentation", "ITI TF-3, 4.2.3.1.4"),
    "parent absent": ("does not name the object it stands in", "ITI TF-3, 4.2.3.1"),
    "name absent": ("has an ExternalIdentifier without its fixed rim:Name", "ITI TF-3, 4.2.3.1.5"),
}
_TOLERATED: Final = ("code absent", "parent absent", "name absent")
_TABLES: Final = (
    (SLOTS, ("required", "prohibited", "single", "form", "length")),
    (CODES, ("required", "single", "code", "coding scheme", "display name", "in domain", "length", "parent",
             "parent absent")),
    (AUTHORS, ("empty code", "code absent", "contact", "parent", "parent absent")),
    (AUTHOR_SLOTS, ("single", "form", "length")),
    (IDENTIFIERS, ("required", "single", "form", "length", "name", "name absent", "parent", "parent absent")),
    (TITLES, ("required", "length")),
    (LIMITED_METADATA, ("required", "prohibited")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checks:
    """A row made ready: what to look at, and the rules to report, by aspect."""

    name: str
    source: str
    many: bool
    check: Check | None
    max_length: int
    rules: Mapping[str, Rule]
    fixed_name: str = ""


def _checks(row: Attribute, aspects: tuple[str, ...]) -> Checks:
    # a rule that the row's own columns rule out does not exist
    without = {
        "required": "R" not in row.presence,
        "prohibited": "X" not in row.presence,
        "single": row.many,
        "form": row.check is None,
    }
    rules = {}
    for aspect in aspects:
        if without.get(aspect):
            continue
        text, section = _TEXTS[aspect]
        tolerated = aspect in _TOLERATED or (aspect == "length" and row.length_tolerated)
        name = f"{KIND_NAMES[row.kind]}.{row.name}: {aspect}"
        rules[aspect] = Rule(name, row.kind, row.name, section or row.section, text, tolerated=tolerated)
    fixed_name = ID_NAMES.get(row.source, "")  # type: ignore[call-overload]  # a str equals its IdScheme
    return Checks(row.name, row.source, row.many, row.check, row.max_length, rules, fixed_name)


_CHECKS: Final = {row: _checks(row, aspects) for table, aspects in _TABLES for row in table}

ATTRIBUTE_RULES: Final = tuple(rule for checks in _CHECKS.values() for rule in checks.rules.values())


@dataclass(frozen=True, slots=True)
class Plan:
    """What ``objects.check_object`` looks up for objects of a kind, in a profile."""

    kind: ObjectKind
    profile: Profile
    slots: Mapping[str, Checks]
    required_slots: tuple[Checks, ...]
    prohibited_slots: tuple[Checks, ...]
    codes: Mapping[str, Checks]
    required_codes: tuple[Checks, ...]
    identifiers: Mapping[str, Checks]
    required_identifiers: tuple[Checks, ...]
    author: Checks | None
    author_slots: Mapping[str, Checks]
    title: Checks | None
    title_required: bool
    limited: Checks | None
    limited_required: bool


@cache
def plan(kind: ObjectKind, profile: Profile) -> Plan:
    """The rows that apply to a kind of object in a profile."""
    column = _COLUMN[profile]

    def ready(table: tuple[Attribute, ...], presence: str = "ROX") -> tuple[Checks, ...]:
        return tuple(_CHECKS[row] for row in table if row.kind is kind and row.presence[column] in presence)

    def one(table: tuple[Attribute, ...]) -> Checks | None:
        return next(iter(ready(table)), None)

    return Plan(
        kind=kind,
        profile=profile,
        slots={checks.source: checks for checks in ready(SLOTS)},
        required_slots=ready(SLOTS, "R"),
        prohibited_slots=ready(SLOTS, "X"),
        codes={checks.source: checks for checks in ready(CODES)},
        required_codes=ready(CODES, "R"),
        identifiers={checks.source: checks for checks in ready(IDENTIFIERS)},
        required_identifiers=ready(IDENTIFIERS, "R"),
        author=one(AUTHORS),
        author_slots={checks.source: checks for checks in ready(AUTHOR_SLOTS)},
        title=one(TITLES),
        title_required=bool(ready(TITLES, "R")),
        limited=one(LIMITED_METADATA),
        limited_required=bool(ready(LIMITED_METADATA, "R")),
    )
