"""A patient's visit, as far as ITI-22 asks and answers (ITI TF-2, tables 3.22-4 and 3.22-9)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from xds.datatypes.hl7 import CX, XCN


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """The PV1 segment as values. Empty ones were not sent; ``deleted`` names those sent as null, ``""``."""

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
    deleted: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.deleted and not self.deleted <= _ATTRIBUTES:
            raise ValueError("deleted names attributes of Visit")


_ATTRIBUTES: Final = frozenset(f.name for f in fields(Visit)) - {"deleted"}
