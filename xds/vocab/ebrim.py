"""Identifiers that give ebRIM elements their meaning in Document Sharing (ITI TF-3, 4.2 and 4.3)."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

_REGREP = "urn:oasis:names:tc:ebxml-regrep:"


class ObjectKind(IntEnum):
    """What a registry object is. The numbers are stored: they never change."""

    DOCUMENT_ENTRY = 1
    SUBMISSION_SET = 2
    FOLDER = 3
    ASSOCIATION = 4
    # only before validation: a RegistryPackage that is neither (or both) of SubmissionSet and Folder
    UNKNOWN = 0


class Status(IntEnum):
    """availabilityStatus. The numbers are stored: they never change."""

    APPROVED = 1
    DEPRECATED = 2

    @property
    def urn(self) -> str:
        return _STATUS_URNS[self]


_STATUS_URNS: Final = {
    Status.APPROVED: _REGREP + "StatusType:Approved",
    Status.DEPRECATED: _REGREP + "StatusType:Deprecated",
}
STATUS_BY_URN: Final = {urn: status for status, urn in _STATUS_URNS.items()}


class DocumentEntryType(StrEnum):
    """@objectType of an ExtrinsicObject (ITI TF-3, 4.2.5.2)."""

    STABLE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
    ON_DEMAND = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"


class ObjectType(StrEnum):
    """@objectType of everything that is not an ExtrinsicObject."""

    REGISTRY_PACKAGE = _REGREP + "ObjectType:RegistryObject:RegistryPackage"
    ASSOCIATION = _REGREP + "ObjectType:RegistryObject:Association"
    CLASSIFICATION = _REGREP + "ObjectType:RegistryObject:Classification"
    EXTERNAL_IDENTIFIER = _REGREP + "ObjectType:RegistryObject:ExternalIdentifier"


class Node(StrEnum):
    """@classificationNode of the markers (ITI TF-3, 4.2.1 and 4.2.3.4)."""

    SUBMISSION_SET = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
    FOLDER = "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"
    LIMITED_DOCUMENT_ENTRY = "urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85"
    LIMITED_SUBMISSION_SET = "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707"
    LIMITED_FOLDER = "urn:uuid:2c144a76-29a9-4b7c-af54-b25409fe7d03"


class Scheme(StrEnum):
    """@classificationScheme of external Classifications (ITI TF-3, 4.2.3)."""

    DOCUMENT_ENTRY_AUTHOR = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
    CLASS_CODE = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
    CONFIDENTIALITY_CODE = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
    EVENT_CODE = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
    FORMAT_CODE = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
    HEALTHCARE_FACILITY_TYPE_CODE = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"
    PRACTICE_SETTING_CODE = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"
    TYPE_CODE = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
    SUBMISSION_SET_AUTHOR = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
    CONTENT_TYPE_CODE = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"
    FOLDER_CODE = "urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5"
    ASSOCIATION_DOCUMENTATION = "urn:uuid:abd807a3-4432-4053-87b4-fd82c643d1f3"


class IdScheme(StrEnum):
    """@identificationScheme of ExternalIdentifiers."""

    DOCUMENT_ENTRY_PATIENT_ID = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
    DOCUMENT_ENTRY_UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
    SUBMISSION_SET_PATIENT_ID = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
    SUBMISSION_SET_SOURCE_ID = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"
    SUBMISSION_SET_UNIQUE_ID = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
    FOLDER_PATIENT_ID = "urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a"
    FOLDER_UNIQUE_ID = "urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a"


# rim:Name of each ExternalIdentifier is fixed
ID_NAMES: Final = {
    IdScheme.DOCUMENT_ENTRY_PATIENT_ID: "XDSDocumentEntry.patientId",
    IdScheme.DOCUMENT_ENTRY_UNIQUE_ID: "XDSDocumentEntry.uniqueId",
    IdScheme.SUBMISSION_SET_PATIENT_ID: "XDSSubmissionSet.patientId",
    IdScheme.SUBMISSION_SET_SOURCE_ID: "XDSSubmissionSet.sourceId",
    IdScheme.SUBMISSION_SET_UNIQUE_ID: "XDSSubmissionSet.uniqueId",
    IdScheme.FOLDER_PATIENT_ID: "XDSFolder.patientId",
    IdScheme.FOLDER_UNIQUE_ID: "XDSFolder.uniqueId",
}
PATIENT_ID_SCHEME: Final = {
    ObjectKind.DOCUMENT_ENTRY: IdScheme.DOCUMENT_ENTRY_PATIENT_ID,
    ObjectKind.SUBMISSION_SET: IdScheme.SUBMISSION_SET_PATIENT_ID,
    ObjectKind.FOLDER: IdScheme.FOLDER_PATIENT_ID,
}
UNIQUE_ID_SCHEME: Final = {
    ObjectKind.DOCUMENT_ENTRY: IdScheme.DOCUMENT_ENTRY_UNIQUE_ID,
    ObjectKind.SUBMISSION_SET: IdScheme.SUBMISSION_SET_UNIQUE_ID,
    ObjectKind.FOLDER: IdScheme.FOLDER_UNIQUE_ID,
}


class AssociationType(StrEnum):
    """@associationType (ITI TF-3, 4.2.2)."""

    HAS_MEMBER = _REGREP + "AssociationType:HasMember"
    RPLC = "urn:ihe:iti:2007:AssociationType:RPLC"
    APND = "urn:ihe:iti:2007:AssociationType:APND"
    XFRM = "urn:ihe:iti:2007:AssociationType:XFRM"
    XFRM_RPLC = "urn:ihe:iti:2007:AssociationType:XFRM_RPLC"
    SIGNS = "urn:ihe:iti:2007:AssociationType:signs"
    IS_SNAPSHOT_OF = "urn:ihe:iti:2010:AssociationType:IsSnapshotOf"
    UPDATE_AVAILABILITY_STATUS = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
    SUBMIT_ASSOCIATION = "urn:ihe:iti:2010:AssociationType:SubmitAssociation"


class SlotName(StrEnum):
    """Names of the Slots that IHE defines."""

    CREATION_TIME = "creationTime"
    HASH = "hash"
    LANGUAGE_CODE = "languageCode"
    LEGAL_AUTHENTICATOR = "legalAuthenticator"
    REFERENCE_ID_LIST = "urn:ihe:iti:xds:2013:referenceIdList"
    REPOSITORY_UNIQUE_ID = "repositoryUniqueId"
    SERVICE_START_TIME = "serviceStartTime"
    SERVICE_STOP_TIME = "serviceStopTime"
    SIZE = "size"
    SOURCE_PATIENT_ID = "sourcePatientId"
    SOURCE_PATIENT_INFO = "sourcePatientInfo"
    URI = "URI"
    DOCUMENT_AVAILABILITY = "documentAvailability"
    INTENDED_RECIPIENT = "intendedRecipient"
    SUBMISSION_TIME = "submissionTime"
    LAST_UPDATE_TIME = "lastUpdateTime"
    CODING_SCHEME = "codingScheme"
    AUTHOR_PERSON = "authorPerson"
    AUTHOR_INSTITUTION = "authorInstitution"
    AUTHOR_ROLE = "authorRole"
    AUTHOR_SPECIALTY = "authorSpecialty"
    AUTHOR_TELECOMMUNICATION = "authorTelecommunication"
    SUBMISSION_SET_STATUS = "SubmissionSetStatus"
    PREVIOUS_VERSION = "PreviousVersion"
    ASSOCIATION_PROPAGATION = "AssociationPropagation"
    ORIGINAL_STATUS = "OriginalStatus"
    NEW_STATUS = "NewStatus"


class ResponseStatus(StrEnum):
    """@status of a RegistryResponse (ITI TF-3, 4.2.4.2)."""

    SUCCESS = _REGREP + "ResponseStatusType:Success"
    FAILURE = _REGREP + "ResponseStatusType:Failure"
    PARTIAL_SUCCESS = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"


class Severity(StrEnum):
    """@severity of a RegistryError."""

    ERROR = _REGREP + "ErrorSeverityType:Error"
    WARNING = _REGREP + "ErrorSeverityType:Warning"
