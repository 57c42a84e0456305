"""What the tests of the codecs share: a typical submission, invented objects of every shape, the official schemas."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

from hypothesis import strategies as st
from lxml import etree

from xds.datatypes.ids import new_uuid
from xds.ebxml import xml
from xds.metadata.registry_object import (
    Classification,
    ExternalIdentifier,
    InternationalString,
    LocalizedString,
    RegistryObject,
    Submission,
)
from xds.vocab.ebrim import (
    ID_NAMES,
    PATIENT_ID_SCHEME,
    UNIQUE_ID_SCHEME,
    AssociationType,
    DocumentEntryType,
    IdScheme,
    Node,
    ObjectKind,
    ObjectType,
    Scheme,
    SlotName,
    Status,
)

PATIENT = "P0000001^^^&1.3.6.1.4.1.21367.13.20.1000&ISO"
APPROVED = Status.APPROVED.urn
ELEMENTS = {
    ObjectKind.DOCUMENT_ENTRY: "ExtrinsicObject",
    ObjectKind.SUBMISSION_SET: "RegistryPackage",
    ObjectKind.FOLDER: "RegistryPackage",
    ObjectKind.ASSOCIATION: "Association",
}
OBJECT_TYPES = {
    ObjectKind.DOCUMENT_ENTRY: DocumentEntryType.STABLE.value,
    ObjectKind.SUBMISSION_SET: ObjectType.REGISTRY_PACKAGE.value,
    ObjectKind.FOLDER: ObjectType.REGISTRY_PACKAGE.value,
    ObjectKind.ASSOCIATION: ObjectType.ASSOCIATION.value,
}
MARKERS = {ObjectKind.SUBMISSION_SET: Node.SUBMISSION_SET, ObjectKind.FOLDER: Node.FOLDER}


def rooted(*pieces: bytes, root: str = "root") -> etree._Element:
    """The first element among pieces that use the prefixes every envelope declares."""
    return xml.parse(f"<{root}".encode() + xml.PREFIXES + b">" + b"".join(pieces) + f"</{root}>".encode())[0]


def located(registry_object: RegistryObject, position: int = 1) -> RegistryObject:
    """``registry_object`` as if it had been read at this position."""
    element = ELEMENTS[registry_object.kind]
    return replace(registry_object, element=element, location=f"{element}[{position}] {registry_object.id}")


# --------------------------------------------------------------------------- a typical submission


def name(text: str) -> InternationalString:
    return (LocalizedString(text),)


def code(scheme: str, owner: str, value: str, system: str, display: str) -> Classification:
    slots = {"codingScheme": [system]}
    return Classification(scheme, None, value, slots, name(display), (), new_uuid(), owner)


def identifier(scheme: IdScheme, owner: str, value: str) -> ExternalIdentifier:
    return ExternalIdentifier(scheme.value, value, name(ID_NAMES[scheme]), new_uuid(), owner)


def document_entry(id_: str = "Document01") -> RegistryObject:
    entry = RegistryObject(ObjectKind.DOCUMENT_ENTRY, id_, object_type=DocumentEntryType.STABLE.value)
    entry.mime_type = "text/xml"
    entry.name = (LocalizedString("Discharge summary", "en-US", "UTF-8"), LocalizedString("出院小结", "zh-CN"))
    entry.description = name('Cardiology: "A" & <B>')
    entry.slots = {
        "creationTime": ["20260904123000"],
        "hash": ["da39a3ee5e6b4b0d3255bfef95601890afd80709"],
        "languageCode": ["zh-CN"],
        "repositoryUniqueId": ["1.3.6.1.4.1.21367.2026.1.1"],
        "size": ["4711"],
        "sourcePatientId": ["MRN1^^^&1.2.156.112700.9.1&ISO"],
        "sourcePatientInfo": ["PID-5|Wang^Guoqiang^^^", "PID-7|19720124"],
        "urn:example:extra": ["kept", "as it is"],
    }
    author = {"authorPerson": ["^Zhang^Wei^^^Dr^MD"], "authorRole": ["Attending physician", "Author"]}
    entry.classifications = [
        Classification(Scheme.DOCUMENT_ENTRY_AUTHOR.value, None, "", author, (), (), new_uuid(), id_),
        code(Scheme.CLASS_CODE.value, id_, "34133-9", "2.16.840.1.113883.6.1", "Summarization of Episode Note"),
        code(Scheme.CONFIDENTIALITY_CODE.value, id_, "N", "2.16.840.1.113883.5.25", "normal"),
        code(Scheme.FORMAT_CODE.value, id_, "urn:ihe:pcc:xds-ms:2007", "1.3.6.1.4.1.19376.1.2.3", "Medical Summaries"),
        code(Scheme.HEALTHCARE_FACILITY_TYPE_CODE.value, id_, "22232009", "2.16.840.1.113883.6.96", "Hospital"),
        code(Scheme.PRACTICE_SETTING_CODE.value, id_, "394579002", "2.16.840.1.113883.6.96", "Cardiology"),
        code(Scheme.TYPE_CODE.value, id_, "18842-5", "2.16.840.1.113883.6.1", "Discharge summary"),
    ]
    entry.external_identifiers = [
        identifier(IdScheme.DOCUMENT_ENTRY_PATIENT_ID, id_, PATIENT),
        identifier(IdScheme.DOCUMENT_ENTRY_UNIQUE_ID, id_, "1.2.156.112700.9.10.1"),
    ]
    return located(entry)


def submission_set(id_: str = "SubmissionSet01") -> RegistryObject:
    made = RegistryObject(ObjectKind.SUBMISSION_SET, id_, object_type=ObjectType.REGISTRY_PACKAGE.value)
    made.slots = {"submissionTime": ["20260904124500"]}
    made.name = name("Discharge")
    made.classifications = [
        code(Scheme.CONTENT_TYPE_CODE.value, id_, "34133-9", "2.16.840.1.113883.6.1", "Summarization of Episode Note"),
        Classification(node=Node.SUBMISSION_SET.value, id=new_uuid(), classified_object=id_),
    ]
    made.external_identifiers = [
        identifier(IdScheme.SUBMISSION_SET_PATIENT_ID, id_, PATIENT),
        identifier(IdScheme.SUBMISSION_SET_SOURCE_ID, id_, "1.2.156.112700.9.1"),
        identifier(IdScheme.SUBMISSION_SET_UNIQUE_ID, id_, "1.2.156.112700.9.11.1"),
    ]
    return located(made)


def folder(id_: str = "Folder01") -> RegistryObject:
    made = RegistryObject(ObjectKind.FOLDER, id_, object_type=ObjectType.REGISTRY_PACKAGE.value)
    made.name = name("Pregnancy")
    made.slots = {"lastUpdateTime": ["20260904124501"]}
    made.classifications = [
        Classification(node=Node.FOLDER.value, id=new_uuid(), classified_object=id_),
        code(Scheme.FOLDER_CODE.value, id_, "P", "1.2.3", "Pregnancy"),
    ]
    made.external_identifiers = [
        identifier(IdScheme.FOLDER_PATIENT_ID, id_, PATIENT),
        identifier(IdScheme.FOLDER_UNIQUE_ID, id_, "1.2.156.112700.9.12.1"),
    ]
    return located(made)


def association(id_: str, source: str, target: str, kind: str = AssociationType.HAS_MEMBER.value) -> RegistryObject:
    made = RegistryObject(ObjectKind.ASSOCIATION, id_, object_type=ObjectType.ASSOCIATION.value)
    made.association_type, made.source, made.target = kind, source, target
    made.slots = {"SubmissionSetStatus": ["Original"]}
    return located(made)


def submission() -> Submission:
    """A document in a folder, with symbolic ids."""
    members = [
        association("Association01", "SubmissionSet01", "Document01"),
        association("Association02", "SubmissionSet01", "Folder01"),
        association("Association03", "Folder01", "Document01"),
        association("Association04", "SubmissionSet01", "Association03"),
    ]
    objects = [document_entry(), submission_set(), folder()]
    objects[2].location = "RegistryPackage[2] Folder01"
    objects += [located(member, position) for position, member in enumerate(members, 1)]
    return Submission(objects)


# --------------------------------------------------------------------------- objects of every shape

_characters = st.one_of(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"),
    st.sampled_from("\t\n\r &<>\"'^|"),
)
texts = st.text(_characters, max_size=20)
trimmed = texts.map(lambda value: value.strip(xml.XML_SPACE))
names = trimmed.filter(bool)
uuids = st.uuids().map(lambda value: value.urn)
symbols = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,10}", fullmatch=True)
strings = st.lists(
    st.builds(LocalizedString, texts, st.sampled_from([None, "en-US", "zh-CN"]), st.sampled_from([None, "UTF-8"])),
    max_size=2,
).map(tuple)
slot_names = st.one_of(st.sampled_from([str(known) for known in SlotName]), names)
slots = st.dictionaries(slot_names, st.lists(trimmed, max_size=3), max_size=4)
nodes = st.sampled_from([None, Node.LIMITED_DOCUMENT_ENTRY.value, "urn:example:node"])


def classifications(owner: str) -> st.SearchStrategy[Classification]:
    schemes = st.one_of(st.none(), st.sampled_from([scheme.value for scheme in Scheme]), names)
    return st.builds(
        Classification, schemes, nodes, st.none() | trimmed, slots, strings, strings, uuids, st.just(owner)
    )


def external_identifiers(kind: ObjectKind, owner: str) -> st.SearchStrategy[list[ExternalIdentifier]]:
    required = [scheme.value for scheme in (PATIENT_ID_SCHEME.get(kind), UNIQUE_ID_SCHEME.get(kind)) if scheme]
    known = [scheme.value for scheme in IdScheme if scheme.value not in required]

    def build(schemes: st.SearchStrategy[str]) -> st.SearchStrategy[ExternalIdentifier]:
        return st.builds(ExternalIdentifier, schemes, trimmed, strings, uuids, st.just(owner), slots, strings)

    others = st.lists(build(st.one_of(st.sampled_from(known), names)), max_size=2)
    return st.tuples(st.tuples(*[build(st.just(scheme)) for scheme in required]), others).map(lambda t: [*t[0], *t[1]])


ids_of_any_kind = st.one_of(uuids, symbols)


@st.composite
def registry_objects(draw: st.DrawFn, ids: st.SearchStrategy[str] = ids_of_any_kind) -> RegistryObject:
    """A registry object as ``rim.decode_list`` would give it, with anything in it."""
    kind = draw(st.sampled_from(list(ELEMENTS)))
    made = RegistryObject(kind, draw(ids), object_type=OBJECT_TYPES[kind])
    made.slots = draw(slots)
    made.name, made.description = draw(strings), draw(strings)
    made.status, made.home = draw(st.none() | st.just(APPROVED)), draw(st.none() | names)
    made.lid, made.version = draw(st.none() | uuids), draw(st.none() | names)
    made.classifications = draw(st.lists(classifications(made.id), max_size=3))
    made.external_identifiers = draw(external_identifiers(kind, made.id))
    if kind is ObjectKind.DOCUMENT_ENTRY:
        made.mime_type = draw(st.none() | names)
    if kind is ObjectKind.ASSOCIATION:
        made.association_type, made.source, made.target = draw(names), draw(ids), draw(ids)
    if kind in MARKERS:
        marker = Classification(node=MARKERS[kind].value, id=draw(uuids), classified_object=made.id)
        made.classifications.insert(draw(st.integers(0, len(made.classifications))), marker)
    return located(made)


# --------------------------------------------------------------------------- the official schemas


@cache
def schema(shared: Path) -> etree.XMLSchema:
    """The schemas of Document Sharing, as one."""
    folder_ = shared / "conformance/testkit/schema/v3"
    root = xml.parse(
        b'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified">'
        b'<xs:import namespace="urn:ihe:iti:xds-b:2007" schemaLocation="XDS.b_DocumentRepository.xsd"/>'
        b'<xs:import namespace="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" schemaLocation="query.xsd"/>'
        b"</xs:schema>"
    )
    for element in root:
        element.set("schemaLocation", (folder_ / str(element.get("schemaLocation"))).as_uri())
    return etree.XMLSchema(root)


@cache
def toolkit(shared: Path) -> ModuleType:
    """The conformance runner's own view of metadata: a second opinion."""
    spec = importlib.util.spec_from_file_location("toolkit_metadata", shared / "conformance/metadata.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
