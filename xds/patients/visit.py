"""A patient's visit, as far as ITI-22 asks and answers (ITI TF-2, tables 3.22-4 and 3.22-9)."""

from __future__ import annotations

from dataclasses import dataclass

from xds.datatypes.hl7 import CX, XCN


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """The PV1 segment as values."""

    patient_class: str = ""  # PV1-2, table 0004
    location: tuple[str, ...] = ()  # PV1-3, components of PL as sent
    attending_doctors: tuple[XCN, ...] = ()  # PV1-7
    referring_doctors: tuple[XCN, ...] = ()  # PV1-8
    consulting_doctors: tuple[XCN, ...] = ()  # PV1-9
    hospital_service: str = ""  # PV1-10
    admitting_doctors: tuple[XCN, ...] = ()  # PV1-17
    visit_number: CX = CX()  # PV1-19  # noqa: RUF009 (a frozen value)
    admit_time: str = ""  # PV1-44
    discharge_time: str = ""  # PV1-45
