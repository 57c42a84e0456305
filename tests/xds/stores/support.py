"""Registry objects to store, as short as a test can read, and the work that stores them."""

from __future__ import annotations

import contextlib
import hashlib
import resource
import signal
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from xds.datatypes.ids import new_uuid
from xds.metadata.registry_object import Classification, ExternalIdentifier, LocalizedString, RegistryObject
from xds.ports import Criteria, PatientRecord, Reader, StagedDocument, StoredObject, Transaction
from xds.stores.rows import prepare_objects
from xds.stores.store import SqlStore
from xds.vocab.ebrim import (
    PATIENT_ID_SCHEME,
    UNIQUE_ID_SCHEME,
    AssociationType,
    DocumentEntryType,
    IdScheme,
    ObjectKind,
    Scheme,
    SlotName,
    Status,
)

PATIENT = "P1^^^&1.3.6.1.4.1.21367.13.20.1000&ISO"
OTHER_PATIENT = "P2^^^&1.3.6.1.4.1.21367.13.20.1000&ISO"
HASH = hashlib.sha1(b"").hexdigest()
DE, SS, FD, AS = (
    ObjectKind.DOCUMENT_ENTRY,
    ObjectKind.SUBMISSION_SET,
    ObjectKind.FOLDER,
    ObjectKind.ASSOCIATION,
)
HAS_MEMBER = AssociationType.HAS_MEMBER.value


def code(scheme: str, value: str) -> Classification:
    """A code Classification; ``value`` is ``code^^scheme``."""
    node, _, coding_scheme = value.partition("^^")
    return Classification(scheme=scheme, code=node, slots={"codingScheme": [coding_scheme]}, id=new_uuid())


def author(scheme: str, person: str, institution: str = "Clinic") -> Classification:
    return Classification(
        scheme=scheme, code="", slots={"authorPerson": [person], "authorInstitution": [institution]}, id=new_uuid()
    )


def _package(kind: ObjectKind, element: str, unique_id: str, patient: str) -> RegistryObject:
    identifiers = [
        ExternalIdentifier(UNIQUE_ID_SCHEME[kind].value, unique_id),
        ExternalIdentifier(PATIENT_ID_SCHEME[kind].value, patient),
    ]
    return RegistryObject(
        kind, new_uuid(), element, external_identifiers=identifiers, location=f"{element} {unique_id}"
    )


def entry(unique_id: str, *, patient: str = PATIENT, **given: Any) -> RegistryObject:
    """A DocumentEntry. Codes by attribute name (``class_code="1^^s"``, lists for several), times by Slot name."""
    o = _package(DE, "ExtrinsicObject", unique_id, patient)
    o.mime_type = given.pop("mime_type", "text/xml")
    o.object_type = given.pop("object_type", DocumentEntryType.STABLE.value)
    o.name = (LocalizedString(given.pop("title", "Report")),)
    o.slots = {"hash": [given.pop("hash", HASH)], "size": [str(given.pop("size", 0))]}
    for slot in (SlotName.CREATION_TIME, SlotName.SERVICE_START_TIME, SlotName.SERVICE_STOP_TIME):
        if value := given.pop(slot.name.lower(), None):
            o.slots[slot.value] = [value]
    if references := given.pop("reference_ids", None):
        o.slots[SlotName.REFERENCE_ID_LIST.value] = list(references)
    for person in given.pop("authors", ()):
        o.classifications.append(author(Scheme.DOCUMENT_ENTRY_AUTHOR.value, person))
    for name, values in given.items():
        for value in [values] if isinstance(values, str) else values:
            o.classifications.append(code(Scheme[name.upper()].value, value))
    return o


def submission_set(unique_id: str, *, patient: str = PATIENT, **given: Any) -> RegistryObject:
    o = _package(SS, "RegistryPackage", unique_id, patient)
    source = given.get("source_id", "1.2.3")
    o.external_identifiers.append(ExternalIdentifier(IdScheme.SUBMISSION_SET_SOURCE_ID.value, source))
    o.slots = {"submissionTime": [given.get("submission_time", "20260101")]}
    o.classifications = [code(Scheme.CONTENT_TYPE_CODE.value, given.get("content_type_code", "c^^s"))]
    for person in given.get("authors", ()):
        o.classifications.append(author(Scheme.SUBMISSION_SET_AUTHOR.value, person))
    return o


def folder(
    unique_id: str, *, patient: str = PATIENT, codes: Sequence[str] = ("f^^s",), last_update_time: str = "20260101"
) -> RegistryObject:
    o = _package(FD, "RegistryPackage", unique_id, patient)
    o.slots = {"lastUpdateTime": [last_update_time]}
    o.classifications = [code(Scheme.FOLDER_CODE.value, value) for value in codes]
    return o


def association(source: str, target: str, type_: str = HAS_MEMBER) -> RegistryObject:
    o = RegistryObject(AS, new_uuid(), "Association", location="Association")
    o.association_type, o.source, o.target = type_, source, target
    if type_ == HAS_MEMBER:
        o.slots = {"SubmissionSetStatus": ["Original"]}
    return o


# --------------------------------------------------------------------------- work: module-level, so that it can travel


def register_work(rows: Any, patient: str, transaction: Transaction) -> int:
    record = transaction.lock_patient(patient, create=True)
    assert record is not None
    transaction.insert(rows, record.key)
    return record.key


def registering(objects: Sequence[RegistryObject], patient: str = PATIENT) -> partial[int]:
    """Work that stores these objects under a patient."""
    return partial(register_work, prepare_objects(objects), patient)


def register(store: SqlStore, *objects: RegistryObject, patient: str = PATIENT) -> int:
    return store.transaction(registering(objects, patient))


def document_work(unique_id: str, staged: StagedDocument, transaction: Transaction) -> None:
    transaction.insert_document(unique_id, "text/xml", staged)


def stage(store: SqlStore, content: bytes) -> StagedDocument:
    place = store.stage()
    for start in range(0, len(content), 4096):
        place.write(memoryview(content)[start : start + 4096])
    return place.finish()


def patient_of(store: SqlStore, identifier: str = PATIENT) -> PatientRecord:
    record = store.read(partial(_patient, identifier))
    assert record is not None
    return record


def _patient(identifier: str, reader: Reader) -> PatientRecord | None:
    return reader.patient(identifier)


def find(store: SqlStore, kind: ObjectKind = DE, *, limit: int | None = None, **criteria: Any) -> list[StoredObject]:
    patient = patient_of(store, criteria.pop("patient", PATIENT))
    criteria.setdefault("statuses", tuple(Status))
    wanted = Criteria(kind=kind, patients=patient.tree, **criteria)
    return store.read(lambda reader: reader.find(wanted, limit=limit))


@contextlib.contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """The operating system refuses to write behind ``size`` in any file: a real I/O error at COMMIT."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
