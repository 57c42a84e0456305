"""Bringing identities, the registry's patients and the outbox in line with the facts, in the same transaction.

Facts are the truth; ``settle`` is called after every change of them, and recomputes whatever they may have touched: all
identities that joining facts connect, held or not, because a fact that gave way comes back when the stronger one is
undone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from xds.datatypes.ids import new_uuid
from xds.patients.crossref import last_survivor, resolve
from xds.patients.records import (
    Fact,
    FactKind,
    Identity,
    IdentityKey,
    IdentityReader,
    IdentityState,
    IdentityWriter,
)
from xds.pix.policy import Affinity, Occasion

ASSIGNED = "assigned"  # origin of the fact that gives a person our identifier


@dataclass(slots=True)
class Web:
    """Identities that facts connect, as they are stored, and all those facts."""

    identities: dict[IdentityKey, Identity]
    facts: list[Fact]


def web_of(reader: IdentityReader, seeds: Collection[IdentityKey]) -> Web:
    """Everything that joining facts connect with ``seeds``."""
    members: set[IdentityKey] = set()
    facts: dict[int, Fact] = {}
    frontier = set(seeds)
    while frontier:
        members |= frontier
        found = reader.facts(frontier)
        facts.update((fact.number, fact) for fact in found)
        frontier = {key for f in found if f.kind.joins for key in (f.subject, f.other)} - members
    identities = {identity.key: identity for identity in reader.identities(members)}
    return Web(identities, [facts[number] for number in sorted(facts)])


@dataclass(slots=True)
class Placed:
    """What follows for each identity of a web."""

    states: dict[IdentityKey, IdentityState]
    persons: dict[IdentityKey, IdentityKey | None]
    survivors: dict[IdentityKey, IdentityKey]

    def group(self, key: IdentityKey) -> IdentityKey:
        person = self.persons[key]
        return key if person is None else person


def place(web: Web, affinity: Affinity | None) -> Placed:
    """States, persons and survivors as the facts have them."""
    resolution = resolve(web.identities, web.facts)
    survivors = resolution.survivors
    placed = Placed({}, resolution.persons, survivors)
    named = set(survivors.values())
    for key, identity in web.identities.items():
        if key in survivors:
            placed.states[key] = IdentityState.SUBSUMED
        else:
            known = identity.announced or key in named
            placed.states[key] = IdentityState.ACTIVE if known else IdentityState.ABSENT
    if affinity is not None and affinity.assigned:
        _one_of_ours(web, placed, affinity)
    return placed


def _one_of_ours(web: Web, placed: Placed, affinity: Affinity) -> None:
    """A person has one identifier of ours: the oldest; others of theirs end in it as long as they are one person."""
    ours: dict[IdentityKey, list[IdentityKey]] = defaultdict(list)
    for key in sorted(web.identities):
        if web.identities[key].domain == affinity.number and placed.states[key] is IdentityState.ACTIVE:
            ours[placed.group(key)].append(key)
    for oldest, *others in ours.values():
        for key in others:
            placed.survivors[key] = oldest
            placed.states[key] = IdentityState.SUBSUMED


def settle(transaction: IdentityWriter, seeds: Collection[IdentityKey], occasion: Occasion) -> Placed:
    """Store what follows from the facts about ``seeds`` and whatever is connected with them."""
    web = web_of(transaction, seeds)
    placed = place(web, occasion.affinity)
    if occasion.affinity is not None and occasion.affinity.assigned and _assign(transaction, web, placed, occasion):
        web = web_of(transaction, seeds)
        placed = place(web, occasion.affinity)
    before = {key: replace(identity) for key, identity in web.identities.items()}
    for key, identity in sorted(web.identities.items()):
        after = (placed.states[key], placed.survivors.get(key), placed.persons[key])
        if after != (identity.state, identity.survivor, identity.person):
            transaction.place_identity(key, *after)
    if occasion.affinity is not None:
        _place_patients(transaction, before, placed, occasion.affinity)
    if occasion.policy.consumers:
        _notify(transaction, before, placed, occasion)
    return placed


def _assign(transaction: IdentityWriter, web: Web, placed: Placed, occasion: Occasion) -> bool:
    """Give our identifier to every person who has none; whether there was one."""
    assert occasion.affinity is not None
    people: dict[IdentityKey, list[Identity]] = defaultdict(list)
    for key, identity in sorted(web.identities.items()):
        if placed.states[key] is IdentityState.ACTIVE:
            people[placed.group(key)].append(identity)
    assigned = False
    for members in people.values():
        if all(member.domain != occasion.affinity.number for member in members):
            assign(transaction, members[0].key, occasion)
            assigned = True
    return assigned


def assign(transaction: IdentityWriter, key: IdentityKey, occasion: Occasion) -> IdentityKey:
    """Mint an identifier of the affinity domain for the person of this identity; facts are to be settled."""
    assert occasion.affinity is not None
    id = new_uuid().removeprefix("urn:uuid:").replace("-", "").upper()
    minted = transaction.insert_identity(Identity(0, occasion.affinity.number, id, IdentityState.ACTIVE, True))
    assert minted is not None  # random
    transaction.place_patient(occasion.affinity.wire(id), None, known=True)
    record(transaction, FactKind.TOGETHER, key, minted, replace(occasion, origin=ASSIGNED))
    return minted


def record(
    transaction: IdentityWriter,
    kind: FactKind,
    subject: IdentityKey,
    other: IdentityKey,
    occasion: Occasion,
    *,
    undone: int | None = None,
) -> int:
    """Add a fact to the history; its number."""
    return transaction.record(
        Fact(
            kind=kind,
            subject=subject,
            other=other,
            time=occasion.time,
            origin=occasion.origin,
            cause=occasion.cause,
            reason=occasion.reason,
            undone=undone,
        )
    )


# --------------------------------------------------------------------------- the registry follows


def _place_patients(
    transaction: IdentityWriter, before: dict[IdentityKey, Identity], placed: Placed, affinity: Affinity
) -> None:
    """The registry's patients follow the affinity domain's identifiers (ITI TF-2 3.8.4.2.4), in a fixed order."""
    survivors = {key: i.survivor for key, i in before.items() if i.survivor is not None}
    changes: list[tuple[str, str | None, bool]] = []
    for key, identity in before.items():
        if identity.domain != affinity.number:
            continue
        last = last_survivor(key, placed.survivors)
        state = placed.states[key]
        if state is not identity.state or last != last_survivor(key, survivors):
            survivor = affinity.wire(before[last].id) if last != key else None
            changes.append((affinity.wire(identity.id), survivor, state is not IdentityState.ABSENT))
    for identifier, survivor, known in sorted(changes):
        transaction.place_patient(identifier, survivor, known=known)


# --------------------------------------------------------------------------- consumers are told


def _notify(
    transaction: IdentityWriter, before: dict[IdentityKey, Identity], placed: Placed, occasion: Occasion
) -> None:
    """One notification for each set of linked identifiers that is new (ITI TF-2 3.10.4.1.2)."""
    old = _sets(((i.group, key, i.state) for key, i in before.items()))
    new = _sets((placed.group(key), key, placed.states[key]) for key in before)
    known = set(old.values())
    for group, members in new.items():
        visible = [key for key, state in members if state is IdentityState.ACTIVE]
        if members not in known and visible:
            concerned = frozenset(before[key].domain for key, _ in members)
            tell(transaction, group, concerned, occasion)


def _sets(
    members: Iterable[tuple[IdentityKey, IdentityKey, IdentityState]],
) -> dict[IdentityKey, frozenset[tuple[IdentityKey, IdentityState]]]:
    sets: dict[IdentityKey, set[tuple[IdentityKey, IdentityState]]] = defaultdict(set)
    for group, key, state in members:
        if state is not IdentityState.ABSENT:
            sets[group].add((key, state))
    return {group: frozenset(found) for group, found in sets.items()}


def tell(transaction: IdentityWriter, identity: IdentityKey, domains: frozenset[int], occasion: Occasion) -> None:
    """Put a notification about a person into the outbox of every consumer whom one of these domains concerns."""
    for consumer in occasion.policy.consumers:
        if consumer.cares_for(domains):
            transaction.notify(consumer.name, identity, occasion.now)
