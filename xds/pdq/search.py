"""One search for people, or for their visits, on one snapshot of the store (ITI TF-2 3.21.4.1.3.2, 3.22.4.1.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from xds.datatypes.hl7 import CX
from xds.patients import compact
from xds.patients.directory import Directory, holders, identifiers_of_person
from xds.patients.names import WILDCARD
from xds.patients.queries import PatientCriteria
from xds.patients.records import Identity, IdentityKey
from xds.patients.terms import terms_for, visit_term_for
from xds.patients.visit import Visit
from xds.pdq.fitting import is_exact, tests_of
from xds.pdq.visiting import visit_tests, visits_by_person, with_visit
from xds.ports import Reader

_AT_ONCE: Final = 256  # identities that are looked at together
_ANY: Final = Visit()


@dataclass(slots=True)
class _Found:
    """An identity that fits, and which visits of its person do."""

    key: IdentityKey
    visits: tuple[int, ...]


class Search:
    """``most`` records are looked for: one for each person, or one for each visit when ``with_visits``."""

    def __init__(
        self, reader: Reader, directory: Directory, criteria: PatientCriteria, *, with_visits: bool, most: int
    ) -> None:
        self._reader = reader
        self._directory = directory
        self._criteria = criteria
        self._with_visits = with_visits
        self._about_visits = with_visits or criteria.visit != _ANY
        self._most = most
        self._tests = tests_of(criteria)
        self._visit_tests = visit_tests(criteria.visit)
        self._exact: dict[IdentityKey, _Found] = {}  # by person
        self._others: dict[IdentityKey, _Found] = {}
        self._visits: dict[IdentityKey, tuple[int, ...]] = {}  # references of those that fit, by person

    def run(self) -> list[tuple[int, ...]]:
        """People with the very names first, then the others, each by key; the newest visit of each first.

        A record is the key of an identity, with the reference of a visit when it is about one.
        """
        for identities in self._candidates():
            self._look_at([identity for identity in identities if identity.active])
            if self._count() >= self._most:
                break
        others = [found for person, found in self._others.items() if person not in self._exact]
        ordered = [*sorted(self._exact.values(), key=_key), *sorted(others, key=_key)]
        records: list[tuple[int, ...]] = []
        for found in ordered:
            records += [(found.key, visit) for visit in found.visits] if self._with_visits else [(found.key,)]
        return records[: self._most]

    def _count(self) -> int:
        if not self._with_visits:
            return len(self._exact) + len(self._others)
        return sum(map(len, self._visits.values()))

    def _look_at(self, identities: Sequence[Identity]) -> None:
        fitting: list[tuple[Identity, bool]] = []
        for identity in identities:
            demographics = compact.decode(identity.demographics)
            if all(test(demographics) for test in self._tests):
                fitting.append((identity, is_exact(self._criteria, demographics)))
        if self._about_visits:
            self._look_for_visits([identity for identity, _ in fitting])
        for identity, exact in fitting:
            visits = self._visits.get(identity.group, ())
            if visits or not self._about_visits:
                (self._exact if exact else self._others).setdefault(identity.group, _Found(identity.key, visits))

    def _look_for_visits(self, identities: Sequence[Identity]) -> None:
        fresh = [identity for identity in identities if identity.group not in self._visits]
        visits = visits_by_person(self._reader, members_of(self._reader, fresh)) if fresh else {}
        for identity in fresh:
            self._visits[identity.group] = tuple(
                one.reference
                for one in visits.get(identity.group, ())
                if all(test(one.visit) for test in self._visit_tests)
            )

    # ----------------------------------------------------------------- who is looked at

    def _candidates(self) -> Iterator[list[Identity]]:
        if self._criteria.identifiers:
            yield self._by_identifiers()
            return
        alternatives = terms_for(self._criteria)
        number = visit_term_for(self._criteria.visit)
        if number and not (alternatives and number.endswith(WILDCARD)):
            yield from map(self._people, self._in_order(partial(self._reader.with_terms, [number], limit=_AT_ONCE)))
        elif alternatives:
            for terms in alternatives:
                yield from map(self._whole, self._in_order(partial(self._reader.with_terms, terms, limit=_AT_ONCE)))
        elif self._about_visits:
            for keys in self._in_order(partial(self._reader.visited, limit=_AT_ONCE)):
                yield self._people(with_visit(self._reader, keys, self._visit_tests))
        else:
            yield from map(self._whole, self._in_order(partial(self._reader.all_identities, limit=_AT_ONCE)))

    def _in_order(self, read: Callable[..., list[IdentityKey]]) -> Iterator[list[IdentityKey]]:
        after = 0
        while keys := read(after=after):
            yield keys
            after = keys[-1]
            if len(keys) < _AT_ONCE:
                return

    def _whole(self, keys: Sequence[IdentityKey]) -> list[Identity]:
        return self._reader.identities(keys, whole=True)

    def _people(self, keys: Sequence[IdentityKey]) -> list[Identity]:
        """All identities of whoever has one of these: a visit is the person's, whichever identity it came with."""
        groups = {identity.group for identity in self._reader.identities(keys)} if keys else set()
        return self._reader.persons(groups, whole=True) if groups else []

    def _by_identifiers(self) -> list[Identity]:
        """All identities of the people who have every identifier asked for, the identities named first."""
        groups: set[IdentityKey] | None = None
        named: set[IdentityKey] = set()
        for identifier in self._criteria.identifiers:
            holding = self._holders(identifier)
            own = {identity.group for identity in holding}
            groups = own if groups is None else groups & own
            named |= {identity.key for identity in holding}
        if not groups:
            return []
        found = self._reader.persons(groups, whole=True)
        return sorted(found, key=lambda identity: (identity.key not in named, identity.key))

    def _holders(self, identifier: CX) -> list[Identity]:
        authority = identifier.assigning_authority
        if authority:
            domain = self._directory.find(authority)
            domains = [] if domain is None else [domain]
        else:
            domains = self._directory.all()
        found: list[Identity] = []
        for domain in domains:
            if domain.trusted:
                found += holders(self._reader, domain, identifier.id)
            elif (identity := self._reader.identity(domain.number, identifier.id)) is not None and identity.active:
                found.append(identity)
        return found


def _key(found: _Found) -> IdentityKey:
    return found.key


def members_of(reader: Reader, identities: Sequence[Identity]) -> dict[IdentityKey, list[Identity]]:
    """The identities of these people, by person."""
    members: dict[IdentityKey, list[Identity]] = {}
    several = {i.group for i in identities if i.person is not None}
    for identity in reader.persons(several) if several else ():
        members.setdefault(identity.group, []).append(identity)
    for identity in identities:
        if identity.person is None:
            members[identity.key] = [identity]
    return members


def having(
    reader: Reader, directory: Directory, records: Sequence[tuple[int, ...]], wanted: frozenset[int]
) -> list[tuple[int, ...]]:
    """Records of people who have an identifier of these domains (ITI TF-2 3.21.4.2.2.8)."""
    kept: list[tuple[int, ...]] = []
    for start in range(0, len(records), _AT_ONCE):
        part = records[start : start + _AT_ONCE]
        identities = {i.key: i for i in reader.identities({record[0] for record in part})}
        members = members_of(reader, list(identities.values()))
        named = {
            key: bool(identifiers_of_person(directory, members[identity.group], wanted))
            for key, identity in identities.items()
        }
        kept += [record for record in part if named[record[0]]]
    return kept
