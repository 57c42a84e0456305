"""What an identity source says about a person besides identifiers: the PID segment as values (ITI TF-2 3.8.4.1.2.3).

Texts are kept as they were sent, dates included: a registration is not refused because somebody typed a 31st of
February. ``birth_date`` and ``name`` read them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Final

from xds.datatypes.hl7 import CX, HD, NOBODY, XAD, XPN, XTN


class NameRepresentation(StrEnum):
    """XPN.8, table 0465: how a name is written. Chinese and Japanese names come in several repetitions of PID-5."""

    ALPHABETIC = "A"
    IDEOGRAPHIC = "I"
    PHONETIC = "P"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demographics:
    """A person as described by one sender. Empty values were not sent; ``deleted`` names those sent as null, ``""``."""

    names: tuple[XPN, ...] = ()  # PID-5
    mothers_maiden_names: tuple[XPN, ...] = ()  # PID-6
    birth_time: str = ""  # PID-7, YYYY[MM[DD[HH[MM[SS]]]]]
    sex: str = ""  # PID-8, table 0001: F M O U A N
    aliases: tuple[XPN, ...] = ()  # PID-9
    addresses: tuple[XAD, ...] = ()  # PID-11
    home_phones: tuple[XTN, ...] = ()  # PID-13
    business_phones: tuple[XTN, ...] = ()  # PID-14
    primary_language: str = ""  # PID-15
    marital_status: str = ""  # PID-16
    account_number: CX = CX()  # PID-18  # noqa: RUF009 (a frozen value)
    ssn: str = ""  # PID-19; outside the USA the national identity number often stands here
    drivers_license: str = ""  # PID-20.1
    mothers_identifiers: tuple[CX, ...] = ()  # PID-21
    ethnic_group: str = ""  # PID-22.1
    birth_place: str = ""  # PID-23
    multiple_birth: str = ""  # PID-24, Y or N
    birth_order: str = ""  # PID-25
    nationality: str = ""  # PID-28.1
    death_time: str = ""  # PID-29
    deceased: str = ""  # PID-30, Y or N
    identity_unknown: str = ""  # PID-31, Y or N
    identity_reliability: tuple[str, ...] = ()  # PID-32, table 0445
    last_update_time: str = ""  # PID-33
    last_update_facility: HD = NOBODY  # PID-34
    deleted: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.deleted and not self.deleted <= _ATTRIBUTES:
            raise ValueError("deleted names attributes of Demographics")

    @property
    def birth_date(self) -> date | None:
        """The day of PID-7; None when it is missing, less precise than a day, or no day of the calendar."""
        text = self.birth_time[:8]
        if len(text) < 8 or not (text.isascii() and text.isdigit()):
            return None
        try:
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
        except ValueError:
            return None

    def name(self, representation: NameRepresentation | None = None) -> XPN | None:
        """The name to show: the legal one (XPN.7 ``L``) if there is one, else the first, in this representation."""
        names = [n for n in self.names if representation is None or n.name_representation_code == representation]
        named = [n for n in names if n.family_name or n.given_name]
        return next((n for n in named if n.name_type_code == "L"), named[0] if named else None)


_ATTRIBUTES: Final = frozenset(f.name for f in fields(Demographics)) - {"deleted"}
