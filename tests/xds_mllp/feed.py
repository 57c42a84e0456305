"""Messages of an identity source, for the tests of this folder."""

from __future__ import annotations

from xds.ports import PatientRecord
from xds.registry.actor import DEFAULT_ASSIGNING_AUTHORITY, DocumentRegistry


def wire(patient: str) -> str:
    return f"{patient}^^^&{DEFAULT_ASSIGNING_AUTHORITY}&ISO"


def adt(
    patient: str = "P1", *, control_id: str = "C1", trigger: str = "A01", version: str = "2.3.1", more: str = ""
) -> bytes:
    identifier = wire(patient) if patient else ""
    return (
        f"MSH|^~\\&|HIS|H01|REG|XDS|20260101120000||ADT^{trigger}|{control_id}|P|{version}\r"
        f"EVN|{trigger}|20260101120000\rPID|||{identifier}||Wohlfahrt^Kunigunde||19700101|M\rPV1|1|N\r{more}"
    ).encode()


def known(registry: DocumentRegistry, patient: str) -> bool:
    """Whether the registry has the patient, on disk."""
    record: PatientRecord | None = registry.store.read(lambda reader: reader.patient(wire(patient)))
    return record is not None
