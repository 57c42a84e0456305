"""Submissions that break no rule, by profile, for tests to break one at a time."""

from __future__ import annotations

from dataclasses import replace

from xds.datatypes.hl7 import XTN
from xds.metadata.association import Association
from xds.metadata.common import Author, Code, SourcePatientInfo
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.folder import Folder
from xds.metadata.registry_object import LocalizedString, RegistryObject, Submission
from xds.metadata.rules import Profile
from xds.metadata.submission import build_submission, in_folder, replaces, signs, transforms
from xds.metadata.submission_set import SubmissionSet
from xds.vocab.ebrim import DocumentEntryType

PATIENT = "P1^^^&1.3.6.1.4.1.21367.13.20.1000&ISO"
OTHER_PATIENT = "P2^^^&1.3.6.1.4.1.21367.13.20.1000&ISO"
REGISTERED = "urn:uuid:b2632452-1de7-480d-94b1-c2074d79c871"
ALSO_REGISTERED = "urn:uuid:b2632df2-1de7-480d-1045-c2074d79aabd"

CODE = Code("34133-9", "2.16.840.1.113883.6.1", "Summarization of Episode Note")
NORMAL = Code("N", "2.16.840.1.113883.5.25", "normal")

AUTHOR = Author(
    person="^Zhang^Wei^^^Dr^MD",
    institutions="First People's Hospital^^^^^&1.2.156.112700.9&ISO^^^^1.2.156.112700.9.1",
    roles="Attending physician",
    specialties="C^^^&1.2.3&ISO",
    telecommunications=XTN.internet("zhang@example.org"),
)

ENTRY = DocumentEntry(
    entry_uuid="Document01",
    unique_id="1.2.156.112700.9.10.1",
    patient_id=PATIENT,
    mime_type="text/xml",
    author=AUTHOR,
    class_code=CODE,
    type_code=CODE,
    format_code=CODE,
    confidentiality_code=(NORMAL, CODE),
    event_code_list=(CODE, NORMAL),
    healthcare_facility_type_code=CODE,
    practice_setting_code=CODE,
    creation_time="20260904123000",
    service_start_time="202609",
    service_stop_time="20260901",
    language_code="zh-CN",
    legal_authenticator="7601^Zhang^Wei^^^^^^&1.2.3&ISO",
    reference_id_list=("ORD1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:order",),
    source_patient_id="MRN1^^^&1.2.156.112700.9.1&ISO",
    source_patient_info=SourcePatientInfo(
        patient_ids="MRN1^^^&1.2.156.112700.9.1&ISO",
        names=("Wang^Guoqiang", "王^国强"),
        birth_date="19720124",
        sex="M",
        addresses="353 Xingfu Dadao^^Yunzhou^^^CN",
        other=("PID-18|4711",),
    ),
    title=LocalizedString("出院小结", "zh-CN", "UTF-8"),
    comments="Cardiology discharge summary",
    uri="DSC00001.XML",
    hash="DA39a3ee5e6b4b0d3255bfef95601890afd80709",
    size=0,
    repository_unique_id="1.3.6.1.4.1.21367.2026.1.1",
    document_availability="urn:ihe:iti:2010:DocumentAvailability:Online",
    extra={"urn:example:ward": ("3", "4")},
)
SUBMISSION_SET = SubmissionSet(
    entry_uuid="SubmissionSet01",
    unique_id="1.2.156.112700.9.11.1",
    source_id="1.2.156.112700.9.1",
    patient_id=PATIENT,
    content_type_code=CODE,
    submission_time="20260904124500",
    author=AUTHOR,
    intended_recipient=("First People's Hospital|^Zhang^Wei|^^Internet^a@example.org", "|^Li"),
    title="Discharge",
    extra={"urn:example:batch": "7"},
)
FOLDER = Folder(
    entry_uuid="Folder01",
    unique_id="1.2.156.112700.9.12.1",
    patient_id=PATIENT,
    title="Infarct 2026",
    code_list=(CODE, NORMAL),
    last_update_time="20260904124500",
    extra={"urn:example:colour": "red"},
)


def _identified(association: Association, id: str) -> Association:
    return replace(association, entry_uuid=id)


def example(profile: Profile = Profile.XDS) -> Submission:
    """A SubmissionSet with a DocumentEntry, a Folder with it in, and relationships to registered entries."""
    entry, submission_set, folder = ENTRY, SUBMISSION_SET, FOLDER
    if profile is Profile.ON_DEMAND:
        entry = replace(entry, object_type=DocumentEntryType.ON_DEMAND.value, creation_time=None, hash=None, size=None)
    if profile is Profile.LIMITED:
        entry = DocumentEntry(entry_uuid="Document01", unique_id="1.2.3.4", mime_type="text/xml", limited_metadata=True)
        submission_set = SubmissionSet(
            entry_uuid="SubmissionSet01", unique_id="1.2.3.5", source_id="1.2.3", limited_metadata=True
        )
        folder = Folder(entry_uuid="Folder01", unique_id="1.2.3.6", limited_metadata=True)
    associations = (
        _identified(in_folder(folder, entry), "Membership"),
        _identified(replaces(entry, REGISTERED, documentation=CODE), "Replacement"),
        _identified(transforms(entry, ALSO_REGISTERED), "Transformation"),
        _identified(signs(entry, ALSO_REGISTERED), "Signature"),
    )
    submission = build_submission(submission_set, entry, folder, associations)
    for number, obj in enumerate(submission.objects):
        for n, part in enumerate((*obj.classifications, *obj.external_identifiers)):
            part.id = f"part-{number}-{n}"
    return submission


def named(submission: Submission, id: str) -> RegistryObject:
    """The object of a submission with this id."""
    return next(obj for obj in submission.objects if obj.id == id)
