"""The stored queries of ITI-18 as data (ITI TF-2, 3.18.4.1.2.3.7): identifiers, parameters, what each one filters.

A row says what a query accepts; ``xds.registry.parameters`` reads arguments by it, ``xds.registry.queries`` runs it,
and the clients write requests from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final


class Kind(Enum):
    """How a parameter's value is written and what it does to the result."""

    PATIENT_ID = auto()  # 'id^^^&OID&ISO'
    STATUS = auto()  # URN of a StatusType; unknown ones are dropped
    CODE = auto()  # 'code^^scheme', both parts required
    TEXT = auto()  # compared exactly
    UUID = auto()  # entryUUID or another identifier of the registry, compared in lower case
    PATTERN = auto()  # LIKE: % any run, _ one character
    TIME_FROM = auto()  # YYYY[MM[DD[hh[mm[ss]]]]], bare or quoted; from <= value
    TIME_TO = auto()  # value < to; for lastUpdateTime, which the registry sets, value <= to
    NUMBER = auto()  # digits, bare or quoted


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a stored query.

    ``many``: the value is a list in parentheses, an OR. ``repeats``: the Slot may stand several times, an AND.
    ``filters`` names the attribute it selects on, as ``ports.Criteria`` does. ``excludes``: what matches is left out.
    """

    name: str
    kind: Kind
    filters: str = ""
    required: bool = False
    many: bool = False
    repeats: bool = False
    excludes: bool = False


@dataclass(frozen=True, slots=True)
class StoredQuery:
    """One stored query.

    ``alternatives``: exactly one of these parameters is given. ``single_patient``: with LeafClass the result must not
    hold objects of several patients (ITI TF-2, 3.18.4.1.2.3.7, XDSResultNotSinglePatient). ``section`` is where the
    Framework, or the profile that ``section`` names, describes it.
    """

    id: str
    name: str
    section: str
    parameters: tuple[Parameter, ...]
    alternatives: tuple[str, ...] = ()
    single_patient: bool = False
    by_name: dict[str, Parameter] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {parameter.name: parameter for parameter in self.parameters})


DOCUMENT_ENTRY_PATIENT_ID: Final = "$XDSDocumentEntryPatientId"
DOCUMENT_ENTRY_STATUS: Final = "$XDSDocumentEntryStatus"
DOCUMENT_ENTRY_TYPE: Final = "$XDSDocumentEntryType"
DOCUMENT_ENTRY_UUID: Final = "$XDSDocumentEntryEntryUUID"
DOCUMENT_ENTRY_UNIQUE_ID: Final = "$XDSDocumentEntryUniqueId"
DOCUMENT_ENTRY_LOGICAL_ID: Final = "$XDSDocumentEntryLogicalID"
SUBMISSION_SET_PATIENT_ID: Final = "$XDSSubmissionSetPatientId"
SUBMISSION_SET_STATUS: Final = "$XDSSubmissionSetStatus"
SUBMISSION_SET_UUID: Final = "$XDSSubmissionSetEntryUUID"
SUBMISSION_SET_UNIQUE_ID: Final = "$XDSSubmissionSetUniqueId"
FOLDER_PATIENT_ID: Final = "$XDSFolderPatientId"
FOLDER_STATUS: Final = "$XDSFolderStatus"
FOLDER_UUID: Final = "$XDSFolderEntryUUID"
FOLDER_UNIQUE_ID: Final = "$XDSFolderUniqueId"
FOLDER_LOGICAL_ID: Final = "$XDSFolderLogicalID"
PATIENT_ID: Final = "$patientId"
UUIDS: Final = "$uuid"
ASSOCIATION_TYPES: Final = "$AssociationTypes"
ASSOCIATION_STATUS: Final = "$XDSAssociationStatus"
METADATA_LEVEL: Final = "$MetadataLevel"


def _code(name: str, attribute: str, *, repeats: bool = False) -> Parameter:
    return Parameter(f"$XDSDocumentEntry{name}", Kind.CODE, attribute, many=True, repeats=repeats)


def _times(prefix: str, attribute: str) -> tuple[Parameter, Parameter]:
    return (
        Parameter(f"{prefix}From", Kind.TIME_FROM, attribute),
        Parameter(f"{prefix}To", Kind.TIME_TO, attribute),
    )


# XDS Metadata Update supplement, 3.18: every query accepts it; level 2 shows old versions
_LEVEL = Parameter(METADATA_LEVEL, Kind.NUMBER)
_ASSOCIATION_STATUS = Parameter(ASSOCIATION_STATUS, Kind.STATUS, many=True)
_ENTRY_TYPE = Parameter(DOCUMENT_ENTRY_TYPE, Kind.UUID, "object_type", many=True)
_FORMAT_CODE = _code("FormatCode", "format_code")
_CONFIDENTIALITY_CODE = _code("ConfidentialityCode", "confidentiality_code", repeats=True)

_FIND_DOCUMENTS_KEYS = (
    Parameter(DOCUMENT_ENTRY_PATIENT_ID, Kind.PATIENT_ID, required=True),
    Parameter(DOCUMENT_ENTRY_STATUS, Kind.STATUS, required=True, many=True),
)
_FIND_DOCUMENTS_CODES = (
    _code("ClassCode", "class_code"),
    _code("TypeCode", "type_code"),
    _code("PracticeSettingCode", "practice_setting_code"),
    _code("HealthcareFacilityTypeCode", "healthcare_facility_type_code"),
    _FORMAT_CODE,
    _code("EventCodeList", "event_code", repeats=True),
    _CONFIDENTIALITY_CODE,
)
_FIND_DOCUMENTS_TIMES = (
    *_times("$XDSDocumentEntryCreationTime", "creation_time"),
    *_times("$XDSDocumentEntryServiceStartTime", "service_start_time"),
    *_times("$XDSDocumentEntryServiceStopTime", "service_stop_time"),
)
_ENTRY_AUTHOR = Parameter("$XDSDocumentEntryAuthorPerson", Kind.PATTERN, "author_persons", many=True)
_REFERENCE_IDS = "$XDSDocumentEntryReferenceIdList"
_FIND_DOCUMENTS = (
    *_FIND_DOCUMENTS_KEYS,
    *_FIND_DOCUMENTS_CODES,
    *_FIND_DOCUMENTS_TIMES,
    _ENTRY_AUTHOR,
    _ENTRY_TYPE,
    _LEVEL,
)
_CONTENT_FILTERS = (_FORMAT_CODE, _CONFIDENTIALITY_CODE, _ENTRY_TYPE)
_ENTRY_IDS = (
    Parameter(DOCUMENT_ENTRY_UUID, Kind.UUID, many=True),
    Parameter(DOCUMENT_ENTRY_UNIQUE_ID, Kind.TEXT, many=True),
)
_ENTRY_ID = (Parameter(DOCUMENT_ENTRY_UUID, Kind.UUID), Parameter(DOCUMENT_ENTRY_UNIQUE_ID, Kind.TEXT))


FIND_DOCUMENTS: Final = StoredQuery(
    id="urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d",
    name="FindDocuments",
    section="ITI TF-2, 3.18.4.1.2.3.7.1",
    parameters=_FIND_DOCUMENTS,
)

FIND_SUBMISSION_SETS: Final = StoredQuery(
    id="urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9",
    name="FindSubmissionSets",
    section="ITI TF-2, 3.18.4.1.2.3.7.2",
    parameters=(
        Parameter(SUBMISSION_SET_PATIENT_ID, Kind.PATIENT_ID, required=True),
        Parameter(SUBMISSION_SET_STATUS, Kind.STATUS, required=True, many=True),
        Parameter("$XDSSubmissionSetSourceId", Kind.TEXT, "source_id", many=True),
        *_times("$XDSSubmissionSetSubmissionTime", "submission_time"),
        Parameter("$XDSSubmissionSetAuthorPerson", Kind.PATTERN, "author_persons"),
        Parameter("$XDSSubmissionSetContentType", Kind.CODE, "content_type_code", many=True),
        _LEVEL,
    ),
)

FIND_FOLDERS: Final = StoredQuery(
    id="urn:uuid:958f3006-baad-4929-a4de-ff1114824431",
    name="FindFolders",
    section="ITI TF-2, 3.18.4.1.2.3.7.3",
    parameters=(
        Parameter(FOLDER_PATIENT_ID, Kind.PATIENT_ID, required=True),
        Parameter(FOLDER_STATUS, Kind.STATUS, required=True, many=True),
        *_times("$XDSFolderLastUpdateTime", "last_update_time"),
        Parameter("$XDSFolderCodeList", Kind.CODE, "folder_code", many=True, repeats=True),
        _LEVEL,
    ),
)

GET_ALL: Final = StoredQuery(
    id="urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3",
    name="GetAll",
    section="ITI TF-2, 3.18.4.1.2.3.7.4",
    parameters=(
        Parameter(PATIENT_ID, Kind.PATIENT_ID, required=True),
        Parameter(DOCUMENT_ENTRY_STATUS, Kind.STATUS, required=True, many=True),
        Parameter(SUBMISSION_SET_STATUS, Kind.STATUS, required=True, many=True),
        Parameter(FOLDER_STATUS, Kind.STATUS, required=True, many=True),
        *_CONTENT_FILTERS,
        _ASSOCIATION_STATUS,
        _LEVEL,
    ),
)

GET_DOCUMENTS: Final = StoredQuery(
    id="urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4",
    name="GetDocuments",
    section="ITI TF-2, 3.18.4.1.2.3.7.5",
    parameters=(*_ENTRY_IDS, Parameter(DOCUMENT_ENTRY_LOGICAL_ID, Kind.UUID, many=True), _LEVEL),
    alternatives=(DOCUMENT_ENTRY_UUID, DOCUMENT_ENTRY_UNIQUE_ID, DOCUMENT_ENTRY_LOGICAL_ID),
    single_patient=True,
)

GET_FOLDERS: Final = StoredQuery(
    id="urn:uuid:5737b14c-8a1a-4539-b659-e03a34a5e1e4",
    name="GetFolders",
    section="ITI TF-2, 3.18.4.1.2.3.7.6",
    parameters=(
        Parameter(FOLDER_UUID, Kind.UUID, many=True),
        Parameter(FOLDER_UNIQUE_ID, Kind.TEXT, many=True),
        Parameter(FOLDER_LOGICAL_ID, Kind.UUID, many=True),
        _LEVEL,
    ),
    alternatives=(FOLDER_UUID, FOLDER_UNIQUE_ID, FOLDER_LOGICAL_ID),
    single_patient=True,
)

GET_ASSOCIATIONS: Final = StoredQuery(
    id="urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155",
    name="GetAssociations",
    section="ITI TF-2, 3.18.4.1.2.3.7.7",
    parameters=(Parameter(UUIDS, Kind.UUID, required=True, many=True), _ASSOCIATION_STATUS, _LEVEL),
)

GET_DOCUMENTS_AND_ASSOCIATIONS: Final = StoredQuery(
    id="urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a",
    name="GetDocumentsAndAssociations",
    section="ITI TF-2, 3.18.4.1.2.3.7.8",
    parameters=(*_ENTRY_IDS, _ASSOCIATION_STATUS, _LEVEL),
    alternatives=(DOCUMENT_ENTRY_UUID, DOCUMENT_ENTRY_UNIQUE_ID),
    single_patient=True,
)

GET_SUBMISSION_SETS: Final = StoredQuery(
    id="urn:uuid:51224314-5390-4169-9b91-b1980040715a",
    name="GetSubmissionSets",
    section="ITI TF-2, 3.18.4.1.2.3.7.9",
    parameters=(Parameter(UUIDS, Kind.UUID, required=True, many=True), _LEVEL),
    single_patient=True,
)

GET_SUBMISSION_SET_AND_CONTENTS: Final = StoredQuery(
    id="urn:uuid:e8e3cb2c-e39c-46b9-99e4-c12f57260b83",
    name="GetSubmissionSetAndContents",
    section="ITI TF-2, 3.18.4.1.2.3.7.10",
    parameters=(
        Parameter(SUBMISSION_SET_UUID, Kind.UUID),
        Parameter(SUBMISSION_SET_UNIQUE_ID, Kind.TEXT),
        *_CONTENT_FILTERS,
        _LEVEL,
    ),
    alternatives=(SUBMISSION_SET_UUID, SUBMISSION_SET_UNIQUE_ID),
    single_patient=True,
)

GET_FOLDER_AND_CONTENTS: Final = StoredQuery(
    id="urn:uuid:b909a503-523d-4517-8acf-8e5834dfc4c7",
    name="GetFolderAndContents",
    section="ITI TF-2, 3.18.4.1.2.3.7.11",
    parameters=(
        Parameter(FOLDER_UUID, Kind.UUID),
        Parameter(FOLDER_UNIQUE_ID, Kind.TEXT),
        *_CONTENT_FILTERS,
        _ASSOCIATION_STATUS,
        _LEVEL,
    ),
    alternatives=(FOLDER_UUID, FOLDER_UNIQUE_ID),
    single_patient=True,
)

GET_FOLDERS_FOR_DOCUMENT: Final = StoredQuery(
    id="urn:uuid:10cae35a-c7f9-4cf5-b61e-fc3278ffb578",
    name="GetFoldersForDocument",
    section="ITI TF-2, 3.18.4.1.2.3.7.12",
    parameters=(*_ENTRY_ID, _ASSOCIATION_STATUS, _LEVEL),
    alternatives=(DOCUMENT_ENTRY_UUID, DOCUMENT_ENTRY_UNIQUE_ID),
)

GET_RELATED_DOCUMENTS: Final = StoredQuery(
    id="urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6",
    name="GetRelatedDocuments",
    section="ITI TF-2, 3.18.4.1.2.3.7.13",
    parameters=(
        *_ENTRY_ID,
        Parameter(ASSOCIATION_TYPES, Kind.TEXT, required=True, many=True),
        _ENTRY_TYPE,
        _ASSOCIATION_STATUS,
        _LEVEL,
    ),
    alternatives=(DOCUMENT_ENTRY_UUID, DOCUMENT_ENTRY_UNIQUE_ID),
)

FIND_DOCUMENTS_BY_REFERENCE_ID: Final = StoredQuery(
    id="urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492",
    name="FindDocumentsByReferenceId",
    section="ITI TF-2, 3.18.4.1.2.3.7.14",
    parameters=(
        *_FIND_DOCUMENTS,
        Parameter(_REFERENCE_IDS, Kind.PATTERN, "reference_id", required=True, many=True, repeats=True),
    ),
)

FIND_DOCUMENTS_BY_TITLE: Final = StoredQuery(
    id="urn:uuid:ab474085-82b5-402d-8115-3f37cb1e2405",
    name="FindDocumentsByTitle",
    section="gematik ePA (Germany)",
    parameters=(
        *_FIND_DOCUMENTS,
        Parameter("$XDSDocumentEntryTitle", Kind.PATTERN, "titles", required=True, many=True),
        Parameter("$XDSDocumentEntryAuthorInstitution", Kind.PATTERN, "author_institutions", many=True),
    ),
)


def _excluding(parameter: Parameter) -> Parameter:
    return Parameter(
        f"{parameter.name}Exclude",
        parameter.kind,
        parameter.filters,
        many=True,
        repeats=parameter.repeats,
        excludes=True,
    )


_REFERENCE_IDS_OPTIONAL = Parameter(_REFERENCE_IDS, Kind.PATTERN, "reference_id", many=True, repeats=True)
_EXCLUDABLE = (*_FIND_DOCUMENTS_CODES, _ENTRY_AUTHOR, _ENTRY_TYPE, _REFERENCE_IDS_OPTIONAL)

FIND_DOCUMENTS_EXCLUDE: Final = StoredQuery(
    id="urn:uuid:4308b1df-36de-4bef-8e2e-ba91f593c435",
    name="FindDocumentsExclude",
    section="ITI change proposal: Exclude option",
    parameters=(
        *_FIND_DOCUMENTS,
        _REFERENCE_IDS_OPTIONAL,
        *(_excluding(parameter) for parameter in _EXCLUDABLE),
    ),
)

STORED_QUERIES: Final = (
    FIND_DOCUMENTS,
    FIND_SUBMISSION_SETS,
    FIND_FOLDERS,
    GET_ALL,
    GET_DOCUMENTS,
    GET_FOLDERS,
    GET_ASSOCIATIONS,
    GET_DOCUMENTS_AND_ASSOCIATIONS,
    GET_SUBMISSION_SETS,
    GET_SUBMISSION_SET_AND_CONTENTS,
    GET_FOLDER_AND_CONTENTS,
    GET_FOLDERS_FOR_DOCUMENT,
    GET_RELATED_DOCUMENTS,
    FIND_DOCUMENTS_BY_REFERENCE_ID,
    FIND_DOCUMENTS_BY_TITLE,
    FIND_DOCUMENTS_EXCLUDE,
)
STORED_QUERY_BY_ID: Final = {query.id: query for query in STORED_QUERIES}
STORED_QUERY_BY_NAME: Final = {query.name: query for query in STORED_QUERIES}
