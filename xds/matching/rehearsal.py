"""Cross-references in memory, with the semantics of the PIX manager: to try a profile, to learn one, to measure one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import count
from typing import Final

from xds.patients.matching import Decision, Matcher, Member, Verdict
from xds.patients.records import IdentityKey

_CANDIDATES: Final = 100  # as the manager's


class Rehearsal:
    """People by their registrations, as a manager with this matcher would have them."""

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self.members: dict[IdentityKey, Member] = {}
        self.retired: set[IdentityKey] = set()
        self.reviews: dict[tuple[IdentityKey, IdentityKey], str] = {}
        self.capped: Counter[str] = Counter()
        self.compared = 0
        self._terms: dict[IdentityKey, frozenset[str]] = {}
        self._by_term: dict[str, list[IdentityKey]] = defaultdict(list)
        self._links: dict[IdentityKey, set[IdentityKey]] = defaultdict(set)  # by matches
        self._merges: dict[IdentityKey, set[IdentityKey]] = defaultdict(set)
        self._matches: dict[tuple[IdentityKey, IdentityKey], int] = {}  # in which order they were made
        self._numbers = count(1)

    def announce(self, member: Member) -> None:
        """A registration is new, or says something else than before."""
        key = member.key
        had = self._terms.get(key, frozenset())
        has = frozenset(self.matcher.terms(member))
        for term in had - has:
            self._by_term[term].remove(key)
        for term in has - had:
            self._by_term[term].append(key)
        known = self.members.get(key)
        self.members[key], self._terms[key] = member, has
        if known != member and key not in self.retired:
            self._withdraw((key,), member)
            self._match(member)

    def retire(self, prior: IdentityKey, survivor: IdentityKey) -> None:
        """One registration ended in another: both are one person's."""
        self.retired.add(prior)
        self._merges[prior].add(survivor)
        self._merges[survivor].add(prior)
        if survivor in self.members:
            self._withdraw((prior, survivor), self.members[survivor])

    def person(self, key: IdentityKey) -> set[IdentityKey]:
        """All registrations of the person, those that ended too."""
        found, waiting = {key}, [key]
        while waiting:
            key = waiting.pop()
            for other in (self._links[key] | self._merges[key]) - found:
                found.add(other)
                waiting.append(other)
        return found

    def people(self) -> dict[IdentityKey, IdentityKey]:
        """The person of each registration."""
        placed: dict[IdentityKey, IdentityKey] = {}
        for key in sorted(self.members):
            if key not in placed:
                placed.update(dict.fromkeys(self.person(key), key))
        return placed

    def candidates(self, member: Member) -> list[tuple[Member, ...]]:
        """People with a registration that shares a key."""
        keys: set[IdentityKey] = set()
        for term in self._terms[member.key]:
            found = self._by_term[term]
            if len(found) > _CANDIDATES + 1:  # one of them is who looks
                self.capped[term] += 1
            else:
                keys.update(found)
        groups: list[set[IdentityKey]] = []
        seen = self.person(member.key)
        for key in sorted(keys):
            if key not in seen:
                group = self.person(key)
                seen |= group
                groups.append(group)
        people = (self._active(group) for group in sorted(groups, key=min))
        return [person for person in people if person]

    def _active(self, group: Iterable[IdentityKey]) -> tuple[Member, ...]:
        return tuple(self.members[k] for k in sorted(group) if k not in self.retired and k in self.members)

    def _withdraw(self, keys: tuple[IdentityKey, ...], member: Member) -> None:
        """Take back matches of ``keys`` that the matcher would no longer make for ``member``, the oldest first."""
        pairs = {_pair(key, other) for key in keys for other in self._links[key]} & self._matches.keys()
        for one, two in sorted(pairs, key=self._matches.__getitem__):
            key, other = (one, two) if one in keys else (two, one)
            number = self._matches[one, two]
            self._part(key, other)
            beyond = self._active(self.person(other) - self.person(key))
            if not beyond or self.matcher.judge(member, beyond).decision is Decision.LINK:
                self._join(key, other, number)

    def _part(self, one: IdentityKey, other: IdentityKey) -> None:
        del self._matches[_pair(one, other)]
        self._links[one].discard(other)
        self._links[other].discard(one)

    def _join(self, one: IdentityKey, other: IdentityKey, number: int | None = None) -> None:
        self._matches[_pair(one, other)] = next(self._numbers) if number is None else number
        self._links[one].add(other)
        self._links[other].add(one)

    def _match(self, member: Member) -> None:
        judged: list[tuple[Verdict, tuple[Member, ...]]] = []
        mine = self._active(self.person(member.key))
        for person in self.candidates(member):
            self.compared += len(person)
            verdict = self.matcher.judge(member, person)
            if verdict.decision is not Decision.NONE:
                judged.append((verdict, person))
        for verdict, _ in zip(self.matcher.among(judged, mine), judged, strict=True):
            assert verdict.witness is not None
            if verdict.decision is Decision.LINK:
                self._join(member.key, verdict.witness)
            else:
                self.reviews[_pair(member.key, verdict.witness)] = verdict.reason


def _pair(one: IdentityKey, other: IdentityKey) -> tuple[IdentityKey, IdentityKey]:
    return (one, other) if one < other else (other, one)
