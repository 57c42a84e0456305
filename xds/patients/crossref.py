"""What follows from the facts: who is one person, and who ended in whom (DESIGN D12). Pure functions.

* Merges and changed identifiers hold whatever else is said: their two identities are one person's.
* Of explicit statements (link, unlink) the newest wins; an older one holds as far as newer ones leave room. An unlinked
  pair is apart: older statements, and everything automatic, join their people only without bringing the two together.
* What messages named together, and then what a matcher found, joins the rest, the oldest first.

As it all follows from the facts that hold, undoing one gives back exactly what would be without it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from xds.patients.records import Fact, FactKind, IdentityKey, Resolution


def holding(facts: Iterable[Fact]) -> list[Fact]:
    """The facts that hold, oldest first: neither undone (an undo can itself be undone) nor about a fact themselves."""
    ordered = sorted(facts, key=_number)
    undone: set[int] = set()
    for fact in reversed(ordered):  # an undo is newer than what it undoes
        if fact.kind is FactKind.UNDO and fact.number not in undone and fact.undone is not None:
            undone.add(fact.undone)
    return [fact for fact in ordered if fact.kind is not FactKind.UNDO and fact.number not in undone]


def resolve(keys: Collection[IdentityKey], facts: Iterable[Fact]) -> Resolution:
    """Persons and survivors of these identities; ``facts`` has every fact that names one of them."""
    members = set(keys)
    held = [f for f in holding(facts) if f.subject in members and f.other in members]
    groups = _Groups(members)
    survivors: dict[IdentityKey, IdentityKey] = {}
    for fact in held:
        if fact.kind.ends:
            survivors[fact.subject] = fact.other
            groups.join(fact.subject, fact.other)
    for fact in reversed(held):
        if fact.kind is FactKind.LINK:
            groups.join_if_allowed(fact.subject, fact.other)
        elif fact.kind is FactKind.UNLINK:
            groups.part(fact.subject, fact.other)
    for kind in (FactKind.TOGETHER, FactKind.MATCH):
        for fact in held:
            if fact.kind is kind:
                groups.join_if_allowed(fact.subject, fact.other)
    return Resolution(groups.persons(), survivors)


class _Groups:
    """Disjoint sets of identities, each named by its least key, and which of them must stay apart."""

    def __init__(self, members: Iterable[IdentityKey]) -> None:
        self._of: dict[IdentityKey, set[IdentityKey]] = {key: {key} for key in members}
        self._apart: list[tuple[IdentityKey, IdentityKey]] = []

    def join(self, one: IdentityKey, other: IdentityKey) -> None:
        small, large = sorted((self._of[one], self._of[other]), key=len)
        if small is not large:
            large |= small
            for key in small:
                self._of[key] = large

    def join_if_allowed(self, one: IdentityKey, other: IdentityKey) -> None:
        a, b = self._of[one], self._of[other]
        if a is not b and not any((x in a and y in b) or (x in b and y in a) for x, y in self._apart):
            self.join(one, other)

    def part(self, one: IdentityKey, other: IdentityKey) -> None:
        if self._of[one] is not self._of[other]:
            self._apart.append((one, other))

    def persons(self) -> dict[IdentityKey, IdentityKey | None]:
        least = {id(group): min(group) for group in self._of.values()}
        return {key: least[id(group)] if len(group) > 1 else None for key, group in self._of.items()}


def last_survivor(key: IdentityKey, survivors: dict[IdentityKey, IdentityKey]) -> IdentityKey:
    """Where a chain of merges ends."""
    while key in survivors:
        key = survivors[key]
    return key


def _number(fact: Fact) -> int:
    return fact.number
