"""Search terms: under what an identity is found, in the store's index and by a query.

A term is one character for the attribute and a folded value. The characters are stored: they never change. Under ``F``
a family name stands backwards, which makes of a suffix a prefix. Every term costs a page of the index when an identity
is new, so there is none for what nobody asks for alone (postal codes, endings of given names): such queries look at
everybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import islice, product
from typing import Final

from xds.patients.demographics import Demographics
from xds.patients.names import WILDCARD, divided, family_keys, given_keys, query_keys
from xds.patients.queries import PatientCriteria
from xds.patients.visit import Visit

FAMILY: Final = "f"
BACKWARDS: Final = "F"  # a family name
GIVEN: Final = "g"
MAIDEN: Final = "m"
BIRTH: Final = "b"
PHONE: Final = "p"
ACCOUNT: Final = "a"
QUOTED: Final = "n"
VISIT: Final = "v"  # the number of a visit
_ALTERNATIVES: Final = 64
_LONGEST: Final = 40  # characters; what is cut off is compared on the demographics


@lru_cache(16_384)
def _family_terms(text: str) -> tuple[str, ...]:
    keys = family_keys(text)
    return tuple(term for key in keys for term in ((FAMILY + key)[:_LONGEST], (BACKWARDS + key[::-1])[:_LONGEST]))


@lru_cache(16_384)
def _given_terms(text: str) -> tuple[str, ...]:
    return tuple((GIVEN + key)[:_LONGEST] for key in given_keys(text))


def folded_number(text: str) -> str:
    """A telephone number or account number without what people put between its parts."""
    return "".join(filter(str.isalnum, text)).lower()


def quoted_term(entry: str) -> str:
    """The term of an identifier of a trusted domain, written as ``quoted_entry`` does."""
    return (QUOTED + entry)[:80]


def quoted_entry(domain: int, id: str) -> str:
    """How an identifier of a trusted domain is kept with the identity that it came with; without blanks."""
    return f"{domain:x}:{''.join(id.split()).upper()}"


def terms_of(demographics: Demographics, quoted: Iterable[str] = ()) -> set[str]:
    """Under what an identity with these demographics is found."""
    terms: set[str] = set()
    for name in map(divided, demographics.names + demographics.aliases):
        if name.family_name:
            terms.update(_family_terms(name.family_name))
        if name.given_name:
            terms.update(_given_terms(name.given_name))
    for name in demographics.mothers_maiden_names:
        terms.update((MAIDEN + key)[:_LONGEST] for key in family_keys(name.family_name or name.given_name))
    if demographics.birth_time:
        terms.add(BIRTH + demographics.birth_time[:8])
    for phone in demographics.home_phones:
        if number := folded_number(phone.number or phone.formatted or phone.text):
            terms.add((PHONE + number)[:_LONGEST])
    if demographics.account_number.id:
        terms.add((ACCOUNT + folded_number(demographics.account_number.id))[:_LONGEST])
    terms.update(map(quoted_term, quoted))
    return terms


def visit_terms(visit: Visit) -> frozenset[str]:
    """Under what an identity with this visit is found: its number. Nobody asks for wards and doctors alone."""
    number = folded_number(visit.visit_number.id)
    return frozenset(((VISIT + number)[:_LONGEST],)) if number else frozenset()


def visit_term_for(visit: Visit) -> str:
    """The term of whoever has a visit with this number, with ``*`` where it may go on; "" when none can be told."""
    text = visit.visit_number.id.strip()
    number = folded_number(text)
    if not number or text.startswith(WILDCARD):
        return ""
    return (VISIT + number)[: _LONGEST - 1] + WILDCARD if text.endswith(WILDCARD) else (VISIT + number)[:_LONGEST]


def terms_for(criteria: PatientCriteria) -> list[list[str]]:
    """Alternatives: whoever fits the criteria has every term of at least one of these lists.

    The most selective term comes first; only that may end with ``*``. No list at all when the criteria have no
    attribute that is indexed, or only ones with wildcards at both ends.
    """
    exact: list[list[str]] = []
    open_ended: list[list[str]] = []

    def add(letter: str, text: str) -> None:
        wanted = query_keys(text) if letter in (FAMILY, GIVEN, MAIDEN) else None
        keys = sorted(wanted.keys) if wanted is not None else [folded_number(text)]
        starts, ends = text.startswith(WILDCARD), text.endswith(WILDCARD)
        if not text or not all(keys) or not keys or (starts and ends):
            return
        if starts and letter == FAMILY:
            open_ended.append([(BACKWARDS + key[::-1])[: _LONGEST - 1] + WILDCARD for key in keys])
        elif ends:
            open_ended.append([(letter + key)[: _LONGEST - 1] + WILDCARD for key in keys])
        elif not starts:
            exact.append([(letter + key)[:_LONGEST] for key in keys])

    add(ACCOUNT, criteria.account_number.id)
    add(PHONE, criteria.home_phone)
    if len(criteria.birth_time) >= 8:
        exact.append([BIRTH + criteria.birth_time[:8]])
    elif criteria.birth_time:
        open_ended.append([BIRTH + criteria.birth_time + WILDCARD])
    add(GIVEN, criteria.given_name)
    add(FAMILY, criteria.family_name)
    add(MAIDEN, criteria.mothers_maiden_name)
    if exact:
        return [list(terms) for terms in islice(product(*exact), _ALTERNATIVES)]
    return [[term] for term in max(open_ended, key=_selectivity, default=[])]


def _selectivity(terms: list[str]) -> int:
    return min(map(len, terms))
