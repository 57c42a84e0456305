"""Arbitrary typed metadata, for round trips."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from xds.datatypes.hl7 import CX, HD, XAD, XCN, XON, XPN, XTN, CodedString, CXi
from xds.datatypes.time import DTM
from xds.metadata.association import Association
from xds.metadata.common import Author, Code, SourcePatientInfo, text_from
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.folder import Folder
from xds.metadata.registry_object import Classification, ExternalIdentifier, LocalizedString
from xds.metadata.submission_set import IntendedRecipient, SubmissionSet
from xds.vocab.ebrim import AssociationType, DocumentEntryType, Status

words = st.text(st.sampled_from("aZ9 王é&^|~\\'<>\""), min_size=1, max_size=6)
oids = st.lists(st.integers(0, 99), min_size=1, max_size=4).map(lambda arcs: ".".join(map(str, [1, *arcs])))
uuids = st.uuids().map(lambda value: value.urn)
authorities = oids.map(HD.oid)
times = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).flatmap(
    lambda t: st.sampled_from((4, 6, 8, 10, 12, 14)).map(lambda n: DTM(f"{t:%Y%m%d%H%M%S}"[:n]))
)
texts = st.none() | st.lists(
    st.builds(LocalizedString, words, st.none() | st.just("zh-CN"), st.none() | st.just("UTF-8")),
    min_size=1,
    max_size=2,
).map(lambda strings: text_from(tuple(strings)))
codes = st.builds(Code, words, words, texts)
extras = st.dictionaries(words.map("urn:example:".__add__), st.lists(words, min_size=1, max_size=2).map(tuple))
persons = st.builds(XCN, id=words, family_name=words, given_name=words, assigning_authority=authorities)
organizations = st.builds(XON, name=words, id=oids)
telecoms = words.map(XTN.internet)
identifiers = st.builds(CX, words, authorities)


def few(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=2).map(tuple)


authors = st.builds(
    Author,
    person=st.none() | persons,
    institutions=few(organizations),
    roles=few(st.builds(CodedString, words, authorities)),
    specialties=few(words.map(CodedString)),
    telecommunications=few(telecoms),
    extra=extras,
)
recipients = st.builds(IntendedRecipient, st.none() | organizations, st.none() | persons, st.none() | telecoms).filter(
    lambda recipient: str(recipient) != ""
)
demographics = st.builds(
    SourcePatientInfo,
    patient_ids=few(identifiers),
    names=few(st.builds(XPN, words, words)),
    birth_date=st.none() | st.just("19720124"),
    sex=st.none() | st.just("F"),
    addresses=few(st.builds(XAD, words, city=words)),
    other=few(words.map("PID-18|".__add__)),
).filter(lambda info: info.values() != [])
unknown_codes = st.builds(
    Classification,
    scheme=uuids,
    code=words,
    slots=st.just({"codingScheme": ["1.2"]}),
    classified_object=st.just("Document01"),
)
unknown_identifiers = st.builds(ExternalIdentifier, uuids, words)

_common: dict[str, Any] = {
    "entry_uuid": uuids | words,
    "title": texts,
    "comments": texts,
    "home_community_id": st.none() | oids.map("urn:oid:".__add__),
    "availability_status": st.none() | st.sampled_from(Status) | st.just("urn:example:Status:Withdrawn"),
    "logical_id": st.none() | uuids,
    "version": st.none() | st.just("2"),
    "extra": extras,
    "extra_classifications": few(unknown_codes),
    "extra_identifiers": few(unknown_identifiers),
}
_identified: dict[str, Any] = {
    **_common,
    "patient_id": st.none() | identifiers,
    "unique_id": oids,
    "limited_metadata": st.booleans(),
}
maybe_code = st.none() | codes
maybe_time = st.none() | times

document_entries = st.builds(
    DocumentEntry,
    **_identified,
    object_type=st.sampled_from([kind.value for kind in DocumentEntryType]),
    mime_type=st.sampled_from(("text/xml", "application/pdf")),
    author=few(authors),
    class_code=maybe_code,
    type_code=maybe_code,
    format_code=maybe_code,
    confidentiality_code=few(codes),
    event_code_list=few(codes),
    healthcare_facility_type_code=maybe_code,
    practice_setting_code=maybe_code,
    creation_time=maybe_time,
    service_start_time=maybe_time,
    service_stop_time=maybe_time,
    language_code=st.none() | st.just("zh-CN"),
    legal_authenticator=st.none() | persons,
    reference_id_list=few(st.builds(CXi, words, authorities, words)),
    source_patient_id=st.none() | identifiers,
    source_patient_info=st.none() | demographics,
    uri=st.none() | words,
    hash=st.none() | st.just("da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    size=st.none() | st.integers(0, 2**40),
    repository_unique_id=st.none() | oids,
    document_availability=st.none() | st.just("urn:ihe:iti:2010:DocumentAvailability:Online"),
)
submission_sets = st.builds(
    SubmissionSet,
    **_identified,
    source_id=oids,
    content_type_code=maybe_code,
    submission_time=maybe_time,
    author=few(authors),
    intended_recipient=few(recipients),
)
folders = st.builds(Folder, **_identified, code_list=few(codes), last_update_time=maybe_time)
associations = st.builds(
    Association,
    **_common,
    association_type=st.sampled_from([kind.value for kind in AssociationType]) | words,
    source_object=uuids,
    target_object=uuids,
    submission_set_status=st.none() | st.sampled_from(("Original", "Reference")),
    documentation=maybe_code,
    previous_version=st.none() | st.just("1"),
    association_propagation=st.none() | st.booleans(),
    original_status=st.none() | st.sampled_from(Status),
    new_status=st.none() | st.sampled_from(Status),
)
