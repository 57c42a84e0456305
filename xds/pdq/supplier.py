"""The Patient Demographics Supplier actor: ITI-21 (ITI TF-2 3.21)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from xds.datatypes.hl7 import CX, HD
from xds.datatypes.time import utc_now
from xds.patients import compact
from xds.patients.demographics import Demographics
from xds.patients.directory import Directory, holders, identifiers_of_person
from xds.patients.domains import Domains
from xds.patients.queries import DemographicsAnswer, DemographicsQuery, PatientCriteria, PatientRecord
from xds.patients.records import Identity, IdentityKey
from xds.patients.terms import terms_for
from xds.pdq.continuing import Continuations, Held
from xds.pdq.fitting import is_exact, normalised, tests_of
from xds.ports import Clock, Reader, UnitOfWork

_AT_ONCE: Final = 256  # identities that are looked at together


class PatientDemographicsSupplier:
    """Finds people by their demographics and identifiers in the store of the manager. Thread-safe.

    ``most`` people at most are found by one query, ``page`` of them are in an answer that names no limit. A result with
    further pages is kept for ``keep`` seconds after it was last asked for.
    """

    def __init__(
        self,
        store: UnitOfWork,
        *,
        domains: Domains,
        most: int = 10_000,
        page: int = 100,
        keep: float = 300.0,
        clock: Clock = utc_now,
    ) -> None:
        self.store = store
        self.domains = domains
        self.most = most
        self.page = page
        self._continuations = Continuations(keep=keep, clock=clock)

    def find(self, query: DemographicsQuery) -> DemographicsAnswer:
        """Patient Demographics Query, ITI-21 (ITI TF-2, 3.21): a page of those who fit all criteria, the best first.

        One record is one person: all their identifiers, or those of the domains asked for (people without any are left
        out), and the demographics by which they were found. Raises UnknownDomain and UnknownContinuation. No visits are
        kept, so a query for visits (ITI-22) finds none.
        """
        if query.pointer:
            held, start = self._continuations.find(query.pointer, query.requester)
            return self.store.read(partial(self._page, query, held, start))
        return self.store.read(partial(self._search, query))

    def cancel(self, requester: tuple[HD, HD], tag: str) -> None:
        """What is kept for a query of this tag is not wanted any more; that nothing is, is no error (3.21.4.3)."""
        self._continuations.cancel(requester, tag)

    # ----------------------------------------------------------------- a search

    def _search(self, query: DemographicsQuery, reader: Reader) -> DemographicsAnswer:
        directory = Directory(self.domains, reader)
        wanted = directory.find_all(query.domains) if query.domains else None
        criteria = normalised(query.criteria)
        found = [] if query.with_visits else _Search(reader, directory, criteria, self.most).run()
        if wanted is not None:
            found = _having(reader, directory, found, wanted)
        held = Held(found, wanted, query.requester, query.tag)
        return self._page(query, held, 0, reader)

    def _page(self, query: DemographicsQuery, held: Held, start: int, reader: Reader) -> DemographicsAnswer:
        """Records from ``start`` on. Who was merged away since the search is left out."""
        end = min(start + (query.limit or self.page), len(held.keys))
        directory = Directory(self.domains, reader)
        records = tuple(_records(reader, directory, held.keys[start:end], held.domains))
        pointer = self._continuations.keep(held, end) if end < len(held.keys) else ""
        return DemographicsAnswer(records=records, total=len(held.keys), pointer=pointer)


def _records(
    reader: Reader, directory: Directory, keys: Sequence[IdentityKey], wanted: frozenset[int] | None
) -> Iterator[PatientRecord]:
    identities = {i.key: i for i in reader.identities(keys, whole=True) if i.active}
    members = _members(reader, list(identities.values()))
    for key in keys:
        if key not in identities:
            continue
        found = identifiers_of_person(directory, members[identities[key].group], wanted)
        if found:
            demographics = compact.decode(identities[key].demographics)
            yield PatientRecord(identifiers=tuple(cx for _, cx in found), demographics=demographics)


def _members(reader: Reader, identities: Sequence[Identity]) -> dict[IdentityKey, list[Identity]]:
    """The identities of these people, by person."""
    members: dict[IdentityKey, list[Identity]] = {}
    several = {i.group for i in identities if i.person is not None}
    for identity in reader.persons(several) if several else ():
        members.setdefault(identity.group, []).append(identity)
    for identity in identities:
        if identity.person is None:
            members[identity.key] = [identity]
    return members


def _having(
    reader: Reader, directory: Directory, keys: Sequence[IdentityKey], wanted: frozenset[int]
) -> list[IdentityKey]:
    """Those who have an identifier of these domains (ITI TF-2 3.21.4.2.2.8)."""
    kept: list[IdentityKey] = []
    for start in range(0, len(keys), _AT_ONCE):
        part = keys[start : start + _AT_ONCE]
        identities = {i.key: i for i in reader.identities(part)}
        members = _members(reader, list(identities.values()))
        kept += [key for key in part if identifiers_of_person(directory, members[identities[key].group], wanted)]
    return kept


class _Search:
    """One search on one snapshot."""

    def __init__(self, reader: Reader, directory: Directory, criteria: PatientCriteria, most: int) -> None:
        self._reader = reader
        self._directory = directory
        self._criteria = criteria
        self._most = most
        self._tests = tests_of(criteria)
        self._exact: dict[IdentityKey, IdentityKey] = {}  # person → the identity that fits
        self._others: dict[IdentityKey, IdentityKey] = {}

    def run(self) -> list[IdentityKey]:
        """An identity of each person who fits: first those with the very names, then the others, each by key."""
        for identities in self._candidates():
            for identity in identities:
                if identity.active:
                    self._look_at(identity)
            if len(self._exact) + len(self._others) >= self._most:
                break
        others = [key for person, key in self._others.items() if person not in self._exact]
        return [*sorted(self._exact.values()), *sorted(others)][: self._most]

    def _look_at(self, identity: Identity) -> None:
        demographics = compact.decode(identity.demographics)
        if all(test(demographics) for test in self._tests):
            found = self._exact if self._is_exact(demographics) else self._others
            found.setdefault(identity.group, identity.key)

    def _is_exact(self, demographics: Demographics) -> bool:
        return is_exact(self._criteria, demographics)

    # ----------------------------------------------------------------- who is looked at

    def _candidates(self) -> Iterator[list[Identity]]:
        if self._criteria.visit != type(self._criteria.visit)():
            return  # nothing is known of visits
        if self._criteria.identifiers:
            yield self._by_identifiers()
            return
        alternatives = terms_for(self._criteria)
        if not alternatives:
            yield from self._in_order(partial(self._reader.all_identities, limit=_AT_ONCE))
        for terms in alternatives:
            yield from self._in_order(partial(self._reader.with_terms, terms, limit=_AT_ONCE))

    def _in_order(self, read: Callable[..., list[IdentityKey]]) -> Iterator[list[Identity]]:
        after = 0
        while keys := read(after=after):
            yield self._reader.identities(keys, whole=True)
            after = keys[-1]
            if len(keys) < _AT_ONCE:
                return

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
