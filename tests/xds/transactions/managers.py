"""Actors of somebody else's behind the transactions of PIX and PDQ: a few people in memory. All are invented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

from xds.datatypes.hl7 import CX, HD, XAD, XCN, XPN, XTN
from xds.patients.demographics import Demographics
from xds.patients.identity import same_authority
from xds.patients.queries import (
    CrossReferenceQuery,
    DemographicsAnswer,
    DemographicsQuery,
    PatientRecord,
    UnknownContinuation,
    UnknownDomain,
    UnknownIdentifier,
)
from xds.patients.visit import Visit

EAST = HD("EAST", "1.2.3.1", "ISO")
WEST = HD("WEST", "1.2.3.2", "ISO")
NORTH = HD("NORTH", "1.2.3.3", "ISO")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)

# who is who: the lists of linked identifiers
PEOPLE = (
    (CX("E1", EAST), CX("W1", WEST), CX("E1b", EAST)),
    (CX("E2", EAST),),
)


class Manager:
    """A PIX manager over the lists above."""

    def find_identifiers(self, query: CrossReferenceQuery) -> tuple[CX, ...]:
        domain = _domain(query.identifier.assigning_authority)
        if domain is None:
            raise UnknownDomain
        known = [_domain(authority) for authority in query.domains]
        person = next((p for p in PEOPLE if CX(query.identifier.id, domain) in p), None)
        if person is None:
            raise UnknownIdentifier("unknown")
        if None in known:
            raise UnknownDomain(tuple(n for n, authority in enumerate(known, 1) if authority is None))
        others = (cx for cx in person if cx != CX(query.identifier.id, domain))
        return tuple(cx for cx in others if not known or cx.assigning_authority in known)


def _domain(authority: HD) -> HD | None:
    return next((d for d in (EAST, WEST, NORTH) if same_authority(d, authority)), None)


RECORDS = (
    PatientRecord(
        identifiers=(CX("E1", EAST, "MR"), CX("W1", WEST)),
        demographics=Demographics(
            names=(XPN("Vermeulen", "Ilse"), XPN("韦", "梅伦", name_representation_code="I")),
            mothers_maiden_names=(XPN("Quist"),),
            birth_time="19800203",
            sex="F",
            addresses=(XAD("Kerkstraat 1|b", "", "Gent", "", "9000", "BEL"),),
            home_phones=(XTN("123456"),),
            account_number=CX("A9", EAST),
            multiple_birth="Y",
            birth_order="2",
        ),
        visit=Visit(patient_class="I", location=("W1", "R2"), attending_doctors=(XCN("7", "Ferro", "Aldo"),)),
        confidence=0.875,
    ),
    PatientRecord(identifiers=(CX("E2", EAST),), demographics=Demographics(names=(XPN("Vermeulen", "Bas"),))),
    PatientRecord(identifiers=(CX("E3", EAST),), demographics=Demographics(names=(XPN("Vermeulen", "Cato"),))),
)


class Supplier:
    """A demographics supplier over the records above: finds by family name, keeps what is left of an answer."""

    def __init__(self) -> None:
        self.queries: list[DemographicsQuery] = []
        self.cancelled: list[tuple[tuple[HD, HD], str]] = []
        self._kept: dict[str, Sequence[PatientRecord]] = {}
        self._pointers = count(1)

    def find(self, query: DemographicsQuery) -> DemographicsAnswer:
        self.queries.append(query)
        known = [_domain(authority) for authority in query.domains]
        if None in known:
            raise UnknownDomain(tuple(n for n, authority in enumerate(known, 1) if authority is None))
        if query.pointer:
            if query.pointer not in self._kept:
                raise UnknownContinuation("unknown")
            found = self._kept[query.pointer]
        else:
            found = [r for r in RECORDS if query.criteria.family_name in ("", r.demographics.names[0].family_name)]
        if not query.with_visits:
            found = [replace(record, visit=None) for record in found]
        limit = query.limit or len(found)
        rest = found[limit:]
        pointer = f"P{next(self._pointers)}" if rest else ""
        if rest:
            self._kept[pointer] = rest
        return DemographicsAnswer(records=tuple(found[:limit]), total=len(found), pointer=pointer)

    def cancel(self, requester: tuple[HD, HD], tag: str) -> None:
        self.cancelled.append((requester, tag))
        self._kept.clear()
