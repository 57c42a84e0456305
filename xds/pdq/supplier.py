"""The Patient Demographics Supplier actor: ITI-21 and ITI-22 (ITI TF-2 3.21, 3.22)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from xds.datatypes.hl7 import HD
from xds.datatypes.time import utc_now
from xds.patients import compact
from xds.patients.directory import Directory, identifiers_of_person
from xds.patients.domains import Domains
from xds.patients.queries import DemographicsAnswer, DemographicsQuery, PatientRecord
from xds.patients.records import IdentityKey
from xds.patients.visit import Visit
from xds.pdq.continuing import Continuations, Held
from xds.pdq.fitting import normalised
from xds.pdq.search import Search, having, members_of
from xds.pdq.visiting import visits_by_person
from xds.ports import Clock, Reader, UnitOfWork


class PatientDemographicsSupplier:
    """Finds people by their demographics, identifiers and visits in the store of the manager. Thread-safe.

    ``most`` records at most are found by one query, ``page`` of them are in an answer that names no limit. A result
    with further pages is kept for ``keep`` seconds after it was last asked for.
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
        """Patient Demographics Query, ITI-21, and with visits ITI-22 (ITI TF-2, 3.21 and 3.22): a page of those who
        fit all criteria, the best first.

        One record is one person: all their identifiers, or those of the domains asked for (people without any are left
        out), and the demographics by which they were found. ``with_visits`` it is one visit that fits, the newest of a
        person first; who has none has no record. Raises UnknownDomain and UnknownContinuation.
        """
        if query.pointer:
            held, start = self._continuations.find(query.pointer, query.requester)
            return self.store.read(partial(self._page, query, held, start))
        return self.store.read(partial(self._search, query))

    def cancel(self, requester: tuple[HD, HD], tag: str) -> None:
        """What is kept for a query of this tag is not wanted any more; that nothing is, is no error (3.21.4.3)."""
        self._continuations.cancel(requester, tag)

    def _search(self, query: DemographicsQuery, reader: Reader) -> DemographicsAnswer:
        directory = Directory(self.domains, reader)
        wanted = directory.find_all(query.domains) if query.domains else None
        criteria, visits = normalised(query.criteria), query.with_visits
        found = Search(reader, directory, criteria, with_visits=visits, most=self.most).run()
        if wanted is not None:
            found = having(reader, directory, found, wanted)
        keys = [number for record in found for number in record]
        held = Held(keys, wanted, query.requester, query.tag, width=2 if visits else 1)
        return self._page(query, held, 0, reader)

    def _page(self, query: DemographicsQuery, held: Held, start: int, reader: Reader) -> DemographicsAnswer:
        """Records from ``start`` on. Who was merged away since the search is left out, as are visits of others now."""
        end = min(start + (query.limit or self.page), len(held))
        directory = Directory(self.domains, reader)
        records = tuple(_records(reader, directory, held.records(start, end), held.domains))
        pointer = self._continuations.keep(held, end) if end < len(held) else ""
        return DemographicsAnswer(records=records, total=len(held), pointer=pointer)


def _records(
    reader: Reader, directory: Directory, found: Sequence[tuple[int, ...]], wanted: frozenset[int] | None
) -> Iterator[PatientRecord]:
    identities = {i.key: i for i in reader.identities({record[0] for record in found}, whole=True) if i.active}
    members = members_of(reader, list(identities.values()))
    visits: dict[IdentityKey, dict[int, Visit]] = {}
    if any(len(record) > 1 for record in found):
        by_person = visits_by_person(reader, members)
        visits = {group: {one.reference: one.visit for one in known} for group, known in by_person.items()}
    for key, *reference in found:
        if key not in identities:
            continue
        group = identities[key].group
        identifiers = identifiers_of_person(directory, members[group], wanted)
        visit = visits.get(group, {}).get(reference[0]) if reference else None
        if identifiers and (visit is not None or not reference):
            demographics = compact.decode(identities[key].demographics)
            yield PatientRecord(identifiers=tuple(cx for _, cx in identifiers), demographics=demographics, visit=visit)
