"""Makes the compression dictionary of the stored fragments: ``python -m xds.ebxml.make_dictionary > FILE``.

The dictionary is the text our encoder writes for objects with the values that occur everywhere, with nothing of
anybody in it. Once fragments have been stored with it the file never changes; a run of this after a change of the
encoder makes material for the next one (another file, another format byte in ``xds.ebxml.fragments``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from xds.ebxml.fragments import render_with_holes
from xds.metadata.registry_object import Classification, ExternalIdentifier, LocalizedString, RegistryObject
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
)

# texts that are common but do not stand in every entry; the further ahead, the rarer
_RARE: Final = (
    *(str(kind) for kind in AssociationType),
    *(str(name) for name in SlotName),
    "application/octet-stream text/plain image/jpeg application/dicom application/fhir+json application/hl7-v3",
    "urn:oid:1.2.840. 2.16.840.1.113883.5. 2.16.756.5.30.1. 1.2.276.0.76. 1.2.250.1. 1.2.156. 1.3.6.1.4.1.",
    "urn:ihe:iti:xds:2013:accession urn:ihe:iti:xds:2013:referral urn:ihe:iti:xds:2013:order",
    "urn:ihe:iti:xdw:2013:workflowInstanceId urn:ihe:iti:xds:2016:studyInstanceUID urn:ihe:iti:xds:2015:encounterId",
    "urn:ihe:iti:xds-sd:pdf:2008 urn:ihe:iti:xds-sd:text:2008 urn:ihe:iti:xds:2017:mimeTypeSufficient",
    "urn:hl7-org:sdwg:ccda-structuredBody:2.1 urn:ihe:pcc:xphr:2007 urn:ihe:lab:xd-lab:2008 urn:ihe:rad:TEXT",
    "Discharge summary Progress note Consultation note Radiology report Laboratory report Prescription Referral note",
    "Dr^MD Dr. med. Prof. Attending physician Consultant Nurse General medicine Internal medicine Surgery Radiology",
    "Hospital Outpatient clinic Laboratory Pharmacy General practitioner normal restricted very restricted",
)
_NESTED_ID: Final = "urn:uuid:01890000-0000-7000-8000-00000000{:04x}"
# scheme → code, coding scheme, display name
_CODES: Final = {
    Scheme.EVENT_CODE: ("", "1.2.840.10008.2.16.4", ""),
    Scheme.CLASS_CODE: ("34133-9", "2.16.840.1.113883.6.1", "Summarization of Episode Note"),
    Scheme.CONFIDENTIALITY_CODE: ("N", "2.16.840.1.113883.5.25", "Normal"),
    Scheme.FORMAT_CODE: ("urn:ihe:pcc:xds-ms:2007", "1.3.6.1.4.1.19376.1.2.3", "Medical Summaries"),
    Scheme.HEALTHCARE_FACILITY_TYPE_CODE: ("22232009", "2.16.840.1.113883.6.96", "Hospital"),
    Scheme.PRACTICE_SETTING_CODE: ("394802001", "2.16.840.1.113883.6.96", "General medicine"),
    Scheme.TYPE_CODE: ("18842-5", "2.16.840.1.113883.6.1", "Discharge summary"),
}


def build() -> bytes:
    """The dictionary: what is nearest to its end is cheapest to refer to, so the commonest comes last."""
    return b"\n".join([*(rare.encode() for rare in _RARE), *map(render_with_holes, _typical_objects())])


def _typical_objects() -> Iterator[RegistryObject]:
    numbers = iter(range(1000))
    for kind, node, codes, author in (
        (ObjectKind.FOLDER, Node.FOLDER, {Scheme.FOLDER_CODE: ("", "", "")}, None),
        (ObjectKind.ASSOCIATION, None, {}, None),
        (
            ObjectKind.SUBMISSION_SET,
            Node.SUBMISSION_SET,
            {Scheme.CONTENT_TYPE_CODE: _CODES[Scheme.CLASS_CODE]},
            Scheme.SUBMISSION_SET_AUTHOR,
        ),
        (ObjectKind.DOCUMENT_ENTRY, None, _CODES, Scheme.DOCUMENT_ENTRY_AUTHOR),
    ):
        made = RegistryObject(kind, mime_type="text/xml", object_type=_OBJECT_TYPES.get(kind), slots=dict(_SLOTS[kind]))
        made.name = made.description = (LocalizedString("Discharge summary", "en-US", "UTF-8"),)
        if author is not None:
            made.classifications.append(Classification(author, code="", slots=dict(_AUTHOR)))
        made.classifications += [
            Classification(scheme, code=code, slots={"codingScheme": [system]}, name=(LocalizedString(display),))
            for scheme, (code, system, display) in codes.items()
        ]
        if node is not None:
            made.classifications.append(Classification(node=node))
        made.external_identifiers = [
            ExternalIdentifier(scheme, "1.2.", (LocalizedString(ID_NAMES[scheme]),))
            for scheme in (PATIENT_ID_SCHEME.get(kind), *_SOURCE.get(kind, ()), UNIQUE_ID_SCHEME.get(kind))
            if scheme is not None
        ]
        for classification in made.classifications:
            classification.id = _NESTED_ID.format(next(numbers))
        for identifier in made.external_identifiers:
            identifier.id = _NESTED_ID.format(next(numbers))
        yield made


_OBJECT_TYPES: Final = {ObjectKind.DOCUMENT_ENTRY: DocumentEntryType.STABLE.value}
_SOURCE: Final = {ObjectKind.SUBMISSION_SET: (IdScheme.SUBMISSION_SET_SOURCE_ID,)}
_AUTHOR: Final = {
    "authorPerson": ["^^^^^Dr^^^&1.2.&ISO"],
    "authorInstitution": ["Hospital^^^^^&1.2.&ISO^^^^1.2."],
    "authorRole": [""],
    "authorSpecialty": [""],
    "authorTelecommunication": ["^PRN^Internet^"],
}
_SLOTS: Final = {
    ObjectKind.FOLDER: {},
    ObjectKind.ASSOCIATION: {"SubmissionSetStatus": ["Original"]},
    ObjectKind.SUBMISSION_SET: {"intendedRecipient": ["|^^"], "submissionTime": ["20260101120000"]},
    ObjectKind.DOCUMENT_ENTRY: {
        "URI": [""],
        "legalAuthenticator": ["^^^^^Dr^MD^^&1.2.&ISO"],
        SlotName.REFERENCE_ID_LIST.value: ["^^^&1.2.&ISO^urn:ihe:iti:xds:2013:"],
        "creationTime": ["20260101120000"],
        "hash": [""],
        "languageCode": ["en-US"],
        "repositoryUniqueId": ["1.3.6.1.4.1.21367.2026.1.1"],
        "serviceStartTime": ["20260101"],
        "serviceStopTime": ["20260101"],
        "size": [""],
        "sourcePatientId": ["^^^&1.2.&ISO"],
        "sourcePatientInfo": ["PID-3|^^^&1.2.&ISO", "PID-5|^^^", "PID-7|19", "PID-8|M", "PID-8|F", "PID-11|^^^^^"],
    },
}


if __name__ == "__main__":
    sys.stdout.buffer.write(build())
