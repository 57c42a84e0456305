"""Visits as ITI-22 asks for them and answers them (ITI TF-2 3.22): a person's, each once, the newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from xds.datatypes.hl7 import XCN, XPN, unescape
from xds.patients import compact_visit
from xds.patients.identity import same_authority
from xds.patients.names import divided, family_keys, folded, given_keys, query_keys
from xds.patients.records import Identity, IdentityKey, IdentityReader, KeptVisit
from xds.patients.stamps import moments_of
from xds.patients.visit import Visit
from xds.pdq.fitting import number_test

VisitTest = Callable[[Visit], bool]


@dataclass(frozen=True, slots=True)
class PersonsVisit:
    """A visit of a person; ``reference`` finds it again among those of the same person."""

    reference: int
    visit: Visit


def visits_by_person(
    reader: IdentityReader, members: dict[IdentityKey, list[Identity]]
) -> dict[IdentityKey, list[PersonsVisit]]:
    """The visits of these people, by person: also of identities that ended, as long as they are the person's."""
    person_of = {identity.key: group for group, identities in members.items() for identity in identities}
    kept: dict[IdentityKey, list[KeptVisit]] = {}
    for visit in reader.visits(person_of):
        kept.setdefault(person_of[visit.identity], []).append(visit)
    return {group: _each_once(visits) for group, visits in kept.items()}


def with_visit(
    reader: IdentityReader, keys: Sequence[IdentityKey], tests: Sequence[VisitTest]
) -> Sequence[IdentityKey]:
    """Those of these identities that have a visit for which the tests hold; of the person it may not be the newest."""
    if not tests:
        return keys
    return sorted({kept.identity for kept in reader.visits(keys) if _holds(tests, kept)})


def _holds(tests: Sequence[VisitTest], kept: KeptVisit) -> bool:
    visit = compact_visit.decode(kept.visit)
    return all(test(visit) for test in tests)


def _each_once(kept: Iterable[KeptVisit]) -> list[PersonsVisit]:
    """A message that names several identifiers is kept with each: of a visit what was heard last counts.

    That is told by its number. One without number is the same as another when a source told of both, of which only the
    last one counts, or when they say the same.
    """
    numbered: dict[int, KeptVisit] = {}
    others: list[KeptVisit] = []
    for visit in sorted(kept, key=_heard, reverse=True):
        if visit.number:
            numbered.setdefault(visit.number, visit)
        elif not any(_is_same(visit, other) for other in others):
            others.append(visit)
    newest_first = sorted([*numbered.values(), *others], key=_age, reverse=True)
    return [PersonsVisit(v.number or -v.identity, compact_visit.decode(v.visit)) for v in newest_first]


def _is_same(one: KeptVisit, other: KeptVisit) -> bool:
    return one.visit == other.visit or bool(moments_of(one.stamps).keys() & moments_of(other.stamps).keys())


def _heard(visit: KeptVisit) -> tuple[int, int, int]:
    return visit.heard, max(moments_of(visit.stamps).values(), default=0), -visit.identity


def _age(visit: KeptVisit) -> tuple[int, int, int, int]:
    return visit.age


# --------------------------------------------------------------------------- what is asked for


def visit_tests(asked: Visit) -> list[VisitTest]:
    """What must hold of a visit (ITI TF-2, table 3.22-4); texts are compared as those of demographics."""
    tests: list[VisitTest] = []
    for attribute in ("patient_class", "hospital_service"):
        if text := getattr(asked, attribute):
            tests.append(_text_test(attribute, text))
    for attribute in ("admit_time", "discharge_time"):
        if text := getattr(asked, attribute):
            tests.append(_time_test(attribute, text))
    for place, part in enumerate(asked.location):
        if part:
            tests.append(_location_test(place, part))
    for attribute in ("attending_doctors", "referring_doctors", "consulting_doctors", "admitting_doctors"):
        tests += [_doctor_test(attribute, doctor) for doctor in getattr(asked, attribute)]
    if asked.visit_number.id:
        tests.append(_number_test(asked))
    return tests


def _text_test(attribute: str, text: str) -> VisitTest:
    wanted = query_keys(text)
    return lambda visit: wanted.fits((folded(getattr(visit, attribute)),))


def _time_test(attribute: str, text: str) -> VisitTest:
    return lambda visit: bool(getattr(visit, attribute).startswith(text))


def _location_test(place: int, part: str) -> VisitTest:
    """A component of PL; of one that is an authority (PL.4) every part asked for must be one of its parts."""
    wanted = [query_keys(unescape(text)) for text in part.split("&") if text]

    def fits(visit: Visit) -> bool:
        if place >= len(visit.location):
            return False
        keys = [folded(unescape(text)) for text in visit.location[place].split("&")]
        return all(criterion.fits(keys) for criterion in wanted)

    return fits


def _doctor_test(attribute: str, asked: XCN) -> VisitTest:
    """One of the doctors must fit everything that is asked of one."""
    name = XPN(asked.family_name, asked.given_name)
    name = name if "*" in asked.family_name or asked.given_name else divided(name)
    family = query_keys(name.family_name) if name.family_name else None
    given = query_keys(name.given_name) if name.given_name else None
    has_number = number_test(asked.id) if asked.id else None
    authority = asked.assigning_authority

    def is_asked_for(doctor: XCN) -> bool:
        known = divided(XPN(doctor.family_name, doctor.given_name))
        return (
            (has_number is None or has_number(doctor.id))
            and (not authority or same_authority(authority, doctor.assigning_authority))
            and (family is None or family.fits(family_keys(known.family_name)))
            and (given is None or given.fits(given_keys(known.given_name)))
        )

    return lambda visit: any(map(is_asked_for, getattr(visit, attribute)))


def _number_test(asked: Visit) -> VisitTest:
    fits, authority = number_test(asked.visit_number.id), asked.visit_number.assigning_authority

    def has(visit: Visit) -> bool:
        known = visit.visit_number
        return fits(known.id) and (not authority or same_authority(authority, known.assigning_authority))

    return has
