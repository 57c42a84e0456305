"""The parameters of QPD-3 ↔ :class:`~xds.patients.queries.PatientCriteria` (ITI TF-2 3.21.4.1.2.3, 3.22.4.1.2.3).

Each repetition is ``@SEG.field.component.subcomponent^value``; all of them must fit. The Framework's way to write a
name is read, and those that differ in ``@``, letter case or a component 1 that is left out. A parameter that is not in
the table is refused: to ignore it would show people whom the query excluded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from xds.datatypes.hl7 import CX, HD, XCN, escape
from xds.hl7v2.er7 import NULL, Content, Field, Repetition
from xds.hl7v2.errors import Hl7Rejected, Location, reject
from xds.hl7v2.queries import Tolerate
from xds.patients.queries import PatientCriteria
from xds.patients.visit import Visit
from xds.vocab.hl7 import Hl7ErrorCode

_MAX_PARAMETERS: Final = 100
_match_name = re.compile(r"(@?)([A-Za-z][A-Za-z0-9]{2})\.(\d{1,2}(?:\.\d{1,2}){0,2})", re.ASCII).fullmatch
_match_time = re.compile(r"(\d{4}(?:\d\d){0,5})(?:\.\d*)?(?:[+-]\d{4})?", re.ASCII).fullmatch

# name without @ → attribute; the first name of an attribute is the one we write
_TEXTS: Final = {
    "PID.5.1.1": "family_name",
    "PID.5.2": "given_name",
    "PID.5.3": "further_given_names",
    "PID.7.1": "birth_time",
    "PID.8": "sex",
    "PID.11.1.1": "street",
    "PID.11.3": "city",
    "PID.11.4": "state",
    "PID.11.5": "postal_code",
    "PID.11.6": "country",
    "PID.6.1.1": "mothers_maiden_name",
    "PID.13.1": "home_phone",
    "PID.13.7": "home_phone",
}
_VISIT_TEXTS: Final = {
    "PV1.2": "patient_class",
    "PV1.10": "hospital_service",
    "PV1.44.1": "admit_time",
    "PV1.45.1": "discharge_time",
}
# CX: name of the field → attribute; its components are read below
_IDENTIFIERS: Final = {"PID.3": "identifiers", "PID.18": "account_number"}
_VISIT_IDENTIFIERS: Final = {"PV1.19": "visit_number"}
_DOCTORS: Final = {
    "PV1.7": "attending_doctors",
    "PV1.8": "referring_doctors",
    "PV1.9": "consulting_doctors",
    "PV1.17": "admitting_doctors",
}
_LOCATION: Final = "PV1.3"
_CX_PARTS: Final = frozenset({"1", "4.1", "4.2", "4.3", "5"})
_XCN_PARTS: Final = frozenset({"1", "2.1", "3"})
_LOCATION_PARTS: Final = frozenset(map(str, range(1, 10)))
# as the Framework writes them too, or forgets to: the first subcomponent, the first component
_SHORT: Final = {
    name.removesuffix(".1"): name
    for name in ("PID.5.1.1", "PID.11.1.1", "PID.6.1.1", "PID.7.1", "PV1.44.1", "PV1.45.1")
} | {f"{name}.2": f"{name}.2.1" for name in _DOCTORS}
_SHORTER: Final = {
    "PID.5": "PID.5.1.1",
    "PID.6": "PID.6.1.1",
    "PID.11": "PID.11.1.1",
    "PID.13": "PID.13.1",
    "PID.8.1": "PID.8",
    "PV1.2.1": "PV1.2",
    "PV1.10.1": "PV1.10",
    _LOCATION: f"{_LOCATION}.1",
    **{name: f"{name}.1" for name in (*_IDENTIFIERS, *_VISIT_IDENTIFIERS, *_DOCTORS)},
}
_TIMES: Final = frozenset({"birth_time", "admit_time", "discharge_time"})


# --------------------------------------------------------------------------- reading


def read_criteria(field: Field, tolerate: Tolerate, *, visits: bool = False) -> PatientCriteria:
    """QPD-3. ``visits`` takes the parameters of PV1, too, as ITI-22 does.

    Raises Hl7Rejected at the repetition that is to blame: 103 for an unknown parameter, 102 for a value that cannot be
    one, 101 for an identifier without id, or when nothing is asked for.
    """
    reader = _Reader(tolerate, visits)
    for n, repetition in enumerate(field.repetitions, 1):
        if n > _MAX_PARAMETERS:
            raise _wrong(n, f"there are more than {_MAX_PARAMETERS} parameters")
        if repetition.raw:
            reader.take(n, repetition)
    return reader.criteria()


def _wrong(n: int, text: str, code: Hl7ErrorCode = Hl7ErrorCode.DATA_TYPE_ERROR) -> Hl7Rejected:
    return reject(code, Location("QPD", 1, 3, n), text)


class _Reader:
    """Gathers parameters; components of one CX, XCN or PL may come in any order."""

    def __init__(self, tolerate: Tolerate, visits: bool) -> None:
        self._tolerate = tolerate
        self._texts: dict[str, str] = {}
        self._visit_texts: dict[str, str] = {}
        self._groups: dict[str, list[dict[str, str]]] = {}
        self._first: dict[tuple[str, int], int] = {}  # field and group → the repetition that began it
        self._visits = visits

    def take(self, n: int, repetition: Repetition) -> None:
        name = self._name(n, repetition[1].strip())
        # an authority may stand in one value, as its subcomponents
        values = repetition.subcomponents(2)
        if not any(values) or values == [NULL]:
            self._tolerate("parameter without value")
            return
        value = values[0]
        if name in _TEXTS:
            self._put(n, self._texts, _TEXTS[name], value)
        elif name in _VISIT_TEXTS and self._visits:
            self._put(n, self._visit_texts, _VISIT_TEXTS[name], value)
        elif name.endswith(".4") and self._parts_of(name.removesuffix(".4")) is _CX_PARTS:
            for number, part in enumerate(values[:3], 1):
                if part:
                    self._component(n, f"{name}.{number}", part)
        else:
            self._component(n, name, value)

    def _name(self, n: int, written: str) -> str:
        match = _match_name(written)
        if match is None:
            raise _wrong(n, "this is no name of a parameter, such as @PID.5.1.1", Hl7ErrorCode.TABLE_VALUE_NOT_FOUND)
        name = f"{match[2].upper()}.{match[3]}"
        if not match[1] or match[2] != match[2].upper() or name in _SHORTER:
            self._tolerate("parameter name")
        return _SHORT.get(name) or _SHORTER.get(name) or name

    def _put(self, n: int, texts: dict[str, str], attribute: str, value: str) -> None:
        if attribute in _TIMES:
            match = _match_time(value)
            if match is None:
                raise _wrong(n, "this is no time of the form YYYY[MM[DD[HH[MM[SS]]]]]")
            value = match[1]
        if texts.setdefault(attribute, value) != value:
            raise _wrong(n, "a parameter has two values")

    def _parts_of(self, field: str) -> frozenset[str]:
        if field in _IDENTIFIERS or (self._visits and field in _VISIT_IDENTIFIERS):
            return _CX_PARTS
        if self._visits:
            return _XCN_PARTS if field in _DOCTORS else _LOCATION_PARTS if field == _LOCATION else frozenset()
        return frozenset()

    def _component(self, n: int, name: str, value: str) -> None:
        """One component of a field; a component that was there already begins the next value of that field."""
        segment, field, part = [*name.split(".", 2), ""][:3]
        field = f"{segment}.{field}"
        if part not in self._parts_of(field):
            raise _wrong(n, "there is no such parameter here", Hl7ErrorCode.TABLE_VALUE_NOT_FOUND)
        groups = self._groups.setdefault(field, [])
        if not groups or part in groups[-1]:
            groups.append({})
            self._first[field, len(groups)] = n
        groups[-1][part] = value

    def criteria(self) -> PatientCriteria:
        identifiers = self._identifiers("PID.3")
        accounts = self._identifiers("PID.18")
        texts: dict[str, Any] = self._texts
        criteria = PatientCriteria(
            **texts,
            identifiers=identifiers,
            account_number=accounts[0] if accounts else CX(),
            visit=self._visit(),
        )
        if criteria == PatientCriteria():
            problem = "QPD-3 asks for nothing"
            raise reject(Hl7ErrorCode.REQUIRED_FIELD_MISSING, Location("QPD", 1, 3), problem)
        return criteria

    def _identifiers(self, field: str) -> tuple[CX, ...]:
        """The CX of a field, each once. Of all but PID-3 a patient has one."""
        found: dict[CX, int] = {}
        for number, parts in enumerate(self._groups.get(field, []), 1):
            n = self._first[field, number]
            if "1" not in parts:
                text = "an identifier needs its component 1 beside the authority"
                raise _wrong(n, text, Hl7ErrorCode.REQUIRED_FIELD_MISSING)
            authority = HD(parts.get("4.1", ""), parts.get("4.2", ""), parts.get("4.3", ""))
            found.setdefault(CX(parts["1"].strip(), authority, parts.get("5", "")), n)
        if field != "PID.3" and len(found) > 1:
            raise _wrong([*found.values()][1], "a parameter has two values")
        return tuple(found)

    def _visit(self) -> Visit:
        numbers = self._identifiers("PV1.19")
        doctors = {
            attribute: tuple(
                XCN(parts.get("1", ""), parts.get("2.1", ""), parts.get("3", "")) for parts in self._groups[field]
            )
            for field, attribute in _DOCTORS.items()
            if field in self._groups
        }
        places = self._groups.get(_LOCATION, [])
        if len(places) > 1:
            raise _wrong(self._first[_LOCATION, 2], "a parameter has two values")
        place = places[0] if places else {}
        location = tuple(escape(place.get(str(n), "")) for n in range(1, max(map(int, place), default=0) + 1))
        values: dict[str, Any] = self._visit_texts | doctors
        return Visit(
            **values,
            location=location,
            visit_number=numbers[0] if numbers else CX(),
        )


# --------------------------------------------------------------------------- writing


def criteria_content(criteria: PatientCriteria) -> Content:
    """QPD-3 for these criteria."""
    return [(f"@{name}", value) for name, value in _parameters(criteria)]


def _parameters(criteria: PatientCriteria) -> Iterator[tuple[str, str]]:
    for identifier in criteria.identifiers:
        yield from _cx("PID.3", identifier)
    yield from _texts(_TEXTS, criteria)
    yield from _cx("PID.18", criteria.account_number)
    visit = criteria.visit
    yield from _texts(_VISIT_TEXTS, visit)
    for n, part in enumerate(visit.location, 1):
        if part:
            yield f"{_LOCATION}.{n}", part
    for field, attribute in _DOCTORS.items():
        for doctor in getattr(visit, attribute):
            yield from _present((f"{field}.1", doctor.id), (f"{field}.2.1", doctor.family_name))
            yield from _present((f"{field}.3", doctor.given_name))
    yield from _cx("PV1.19", visit.visit_number)


def _texts(table: dict[str, str], value: Any) -> Iterator[tuple[str, str]]:
    written = set()
    for name, attribute in table.items():
        text = getattr(value, attribute)
        if text and attribute not in written:
            written.add(attribute)
            yield name, text


def _cx(field: str, value: CX) -> Iterator[tuple[str, str]]:
    authority = value.assigning_authority
    yield from _present(
        (f"{field}.1", value.id),
        (f"{field}.4.1", authority.namespace_id),
        (f"{field}.4.2", authority.universal_id),
        (f"{field}.4.3", authority.universal_id_type),
        (f"{field}.5", value.identifier_type_code),
    )


def _present(*parameters: tuple[str, str]) -> Iterator[tuple[str, str]]:
    return ((name, text) for name, text in parameters if text)
