"""Whether somebody fits the criteria of a demographics query (ITI TF-2 3.21.4.1.3.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from xds.datatypes.hl7 import CX, XAD, XPN
from xds.patients.demographics import Demographics
from xds.patients.identity import same_authority
from xds.patients.names import WILDCARD, NameCriterion, divided, family_keys, folded, given_keys, query_keys
from xds.patients.queries import PatientCriteria
from xds.patients.terms import folded_number

Test = Callable[[Demographics], bool]


def normalised(criteria: PatientCriteria) -> PatientCriteria:
    """A Chinese name asked for whole is asked for by its parts, as it is indexed."""
    if not criteria.family_name or criteria.given_name or WILDCARD in criteria.family_name:
        return criteria
    name = divided(XPN(criteria.family_name))
    return replace(criteria, family_name=name.family_name, given_name=name.given_name)


def tests_of(criteria: PatientCriteria) -> list[Test]:
    """What must hold of the demographics; identifiers are looked up elsewhere, visits in ``visiting``."""
    tests: list[Test] = []
    if criteria.family_name or criteria.given_name or criteria.further_given_names:
        tests.append(_name_test(criteria))
    if birth := criteria.birth_time:
        tests.append(lambda d: d.birth_time.startswith(birth))
    if sex := criteria.sex.upper():
        tests.append(lambda d: d.sex.upper() == sex)
    if address := _address_tests(criteria):
        tests.append(lambda d: any(all(fits(a) for fits in address) for a in d.addresses))
    if (account := criteria.account_number).id:
        tests.append(lambda d: _same_account(account, d.account_number))
    if maiden := criteria.mothers_maiden_name:
        wanted = query_keys(maiden)
        tests.append(
            lambda d: any(wanted.fits(family_keys(n.family_name or n.given_name)) for n in d.mothers_maiden_names)
        )
    if folded_number(criteria.home_phone):
        is_phone = number_test(criteria.home_phone)
        tests.append(lambda d: any(is_phone(p.number or p.formatted or p.text) for p in d.home_phones))
    return tests


def number_test(text: str) -> Callable[[str], bool]:
    """Whether a number is the one asked for, without what people put between its parts; ``*`` at either end."""
    criterion = replace(query_keys(text), keys=frozenset((folded_number(text),)) - {""})
    return lambda known: criterion.fits((folded_number(known),))


def is_exact(criteria: PatientCriteria, demographics: Demographics) -> bool:
    """Whether the names asked for are the names written, case and accents apart: such people come first."""
    family, given = folded(criteria.family_name), folded(criteria.given_name)
    return any(
        (not family or folded(n.family_name) == family) and (not given or folded(n.given_name) == given)
        for n in map(divided, demographics.names)
    )


def _name_test(criteria: PatientCriteria) -> Test:
    family = query_keys(criteria.family_name) if criteria.family_name else None
    given = query_keys(criteria.given_name) if criteria.given_name else None
    further = query_keys(criteria.further_given_names) if criteria.further_given_names else None

    def fits(demographics: Demographics) -> bool:
        return any(
            (family is None or family.fits(family_keys(name.family_name)))
            and (given is None or given.fits(given_keys(name.given_name)))
            and (further is None or further.fits(given_keys(name.further_given_names)))
            for name in map(divided, (*demographics.names, *demographics.aliases))
        )

    return fits


def _address_tests(criteria: PatientCriteria) -> list[Callable[[XAD], bool]]:
    wanted = (
        (criteria.street, "street"),
        (criteria.city, "city"),
        (criteria.state, "state"),
        (criteria.postal_code, "zip_code"),
        (criteria.country, "country"),
    )
    return [_part_test(query_keys(text), attribute) for text, attribute in wanted if text]


def _part_test(criterion: NameCriterion, attribute: str) -> Callable[[XAD], bool]:
    def fits(address: XAD) -> bool:
        keys: Iterable[str] = (folded(getattr(address, attribute)),)
        return criterion.fits(keys)

    return fits


def _same_account(asked: CX, known: CX) -> bool:
    if folded_number(asked.id) != folded_number(known.id):
        return False
    return not asked.assigning_authority or same_authority(asked.assigning_authority, known.assigning_authority)
