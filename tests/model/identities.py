"""Identities as simple as DESIGN D12 can be read: a list of statements, and everything worked out anew from it.

It is what the manager and the registry are compared with. Nothing is indexed, nothing is kept that follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

Name = tuple[str, str]  # domain and id
MERGE, CHANGE, LINK, UNLINK, TOGETHER, UNDO = "merge", "change", "link", "unlink", "together", "undo"
AFFINITY = "X"


@dataclass
class Statement:
    kind: str
    one: Name
    other: Name
    undoes: Statement | None = None
    number: int = 0  # as the manager calls it


@dataclass
class NaiveVisit:
    """Where an identity's visit is, who said so as of when, and at which of all tellings it was heard last."""

    ward: str = ""
    heard: int = 0
    moments: dict[str, int] = field(default_factory=dict)


@dataclass
class NaiveIdentities:
    """``order`` has every identifier that was ever named, in the order in which they came up."""

    order: list[Name] = field(default_factory=list)
    announced: dict[Name, str] = field(default_factory=dict)  # what was last said of it
    newest: dict[tuple[Name, str], int] = field(default_factory=dict)  # identifier and source → time
    statements: list[Statement] = field(default_factory=list)
    documents: list[Name] = field(default_factory=list)  # under which identifier each was submitted
    visits: dict[tuple[Name, str], NaiveVisit] = field(default_factory=dict)  # identifier and visit number, or ""
    tellings: int = 0

    # ------------------------------------------------------------------ what follows

    def holds(self, s: Statement) -> bool:
        return not any(u.undoes is s and self.holds(u) for u in self.statements if u.kind == UNDO)

    def held(self, *kinds: str) -> list[Statement]:
        return [s for s in self.statements if s.kind in kinds and self.holds(s)]

    def survivor(self, name: Name) -> Name | None:
        return next((s.other for s in self.held(MERGE, CHANGE) if s.one == name), None)

    def last(self, name: Name) -> Name:
        survivor = self.survivor(name)
        return name if survivor is None else self.last(survivor)

    def known(self, name: Name) -> bool:
        return name in self.announced or any(s.other == name for s in self.held(MERGE, CHANGE))

    def active(self, name: Name) -> bool:
        return self.known(name) and self.survivor(name) is None

    def people(self) -> list[set[Name]]:
        people = [{name} for name in self.order]
        apart: list[tuple[Name, Name]] = []

        def of(name: Name) -> set[Name]:
            return next(p for p in people if name in p)

        def join(s: Statement) -> None:
            one, other = of(s.one), of(s.other)
            if one is not other:
                people.remove(other)
                one |= other

        def join_if_allowed(s: Statement) -> None:
            both = of(s.one) | of(s.other)
            if not any(x in both and y in both for x, y in apart):
                join(s)

        for s in self.held(MERGE, CHANGE):
            join(s)
        for s in reversed(self.held(LINK, UNLINK)):
            if s.kind == LINK:
                join_if_allowed(s)
            elif of(s.one) is not of(s.other):
                apart.append((s.one, s.other))
        for s in self.held(TOGETHER):
            join_if_allowed(s)
        return people

    def person(self, name: Name) -> set[Name]:
        return next((p for p in self.people() if name in p), {name})

    def others(self, name: Name) -> set[Name] | None:
        if not self.active(name):
            return None
        return {n for n in self.person(name) if self.active(n) and n != name}

    def visits_of(self, name: Name) -> list[tuple[str, str]]:
        """Number and ward of each visit of this person: a number once, and what has none once for each source."""
        found: list[tuple[str, NaiveVisit]] = []
        known = [
            (visit.heard, max(visit.moments.values()), -self.order.index(member), number, visit)
            for (member, number), visit in self.visits.items()
            if member in self.person(name)
        ]
        for *_, number, visit in sorted(known, key=lambda v: v[:3], reverse=True):
            others = [other for other_number, other in found if other_number == number]
            if number and others:
                continue
            if not any(o.ward == visit.ward or o.moments.keys() & visit.moments.keys() for o in others):
                found.append((number, visit))
        return sorted((number, visit.ward) for number, visit in found)

    # ------------------------------------------------------------------ the registry

    def may_have_documents(self, name: Name) -> bool:
        return self.survivor(name) is None and (self.known(name) or name in self.documents)

    def documents_of(self, name: Name) -> int:
        if not self.may_have_documents(name):
            return 0
        return sum(self.last(submitted) == name for submitted in self.documents)

    # ------------------------------------------------------------------ what happens

    def name_all(self, names: Iterable[Name]) -> None:
        self.order += [name for name in dict.fromkeys(names) if name not in self.order]

    def announce(self, names: list[Name], said: str, source: str, time: int) -> list[Statement]:
        self.name_all(names)
        for name in names:
            newest = self.newest.get((name, source), 0)
            if time >= newest:
                self.newest[name, source] = time
                self.announced[name] = said
            else:
                self.announced.setdefault(name, said)
        first, *others = sorted(names, key=self.order.index)
        made = []
        for other in others:
            said_before = any(s.kind == TOGETHER and (s.one, s.other) == (first, other) for s in self.statements)
            if other not in self.person(first) and not said_before:
                made.append(Statement(TOGETHER, first, other))
        self.statements += made
        return made

    def tell_visit(self, names: list[Name], number: str, ward: str, source: str, time: int) -> None:
        self.tellings += 1
        for name in names:
            visit = self.visits.setdefault((name, number), NaiveVisit())
            before = visit.moments.get(source, 0)
            if time > before or (time == before and ward != visit.ward):
                visit.ward, visit.heard = ward, self.tellings
                visit.moments[source] = time

    def end(self, kind: str, prior: Name, survivor: Name) -> list[Statement] | str:
        """The statement, none for a repeat or where nothing is to be done, or why it is refused."""
        if prior == survivor:
            return "self-merge"
        if self.survivor(prior) == survivor:
            return []
        if kind == CHANGE:
            if not self.known(prior) and self.survivor(prior) is None:
                return []
            if self.known(survivor) or self.survivor(survivor) is not None:
                return "identifier taken"
        if self.survivor(survivor) is not None:
            return "cycle" if self._leads(survivor, prior) else "already subsumed"
        if self.survivor(prior) is not None:
            return "already subsumed"
        self.name_all([prior, survivor])
        self.statements.append(Statement(kind, prior, survivor))
        return self.statements[-1:]

    def _leads(self, start: Name, end: Name) -> bool:
        survivor = self.survivor(start)
        return survivor is not None and (survivor == end or self._leads(survivor, end))

    def link(self, one: Name, other: Name) -> list[Statement] | str:
        if self.survivor(one) or self.survivor(other):
            return "already subsumed"
        self.name_all([one, other])
        said = [s.kind for s in self.held(LINK, UNLINK) if {s.one, s.other} == {one, other}]
        if one == other or (other in self.person(one) and said[-1:] == [LINK]):
            return []
        self.statements.append(Statement(LINK, one, other))
        return self.statements[-1:]

    def unlink(self, one: Name, other: Name) -> list[Statement]:
        if one == other or one not in self.order or other not in self.person(one):
            return []
        if self.survivor(one) or self.survivor(other):
            return []
        self.statements.append(Statement(UNLINK, one, other))
        return self.statements[-1:]

    def undo(self, s: Statement) -> Statement | None:
        """None when it cannot be undone."""
        if not self.holds(s):
            return None
        undone = Statement(UNDO, s.one, s.other, undoes=s)
        again = s
        while again.kind == UNDO:
            assert again.undoes is not None
            again = again.undoes
        redone = s.kind == UNDO and again.kind in (MERGE, CHANGE)
        if redone and (self.survivor(again.one) is not None or self._leads(again.other, again.one)):
            return None
        self.statements.append(undone)
        return undone
