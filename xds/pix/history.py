"""Merging, linking and their undoing by people, and the history of it all (DESIGN D12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from xds.datatypes.hl7 import CX
from xds.errors import XdsError
from xds.patients.crossref import holding
from xds.patients.directory import Directory
from xds.patients.feed import FeedRejected, Refusal
from xds.patients.queries import UnknownIdentifier
from xds.patients.records import Fact, FactKind, Identity, IdentityKey, IdentityState
from xds.pix.feed import AppliedFeed, Target, join, join_people
from xds.pix.policy import Affinity, Occasion
from xds.pix.structure import Placed, Web, place, record, settle, web_of
from xds.ports import Reader, Transaction


class NotUndoable(XdsError):
    """A fact cannot be undone: it is not there, no longer holds, or stands in the way of what came later."""


class UndoNeedsReview(NotUndoable):
    """An undo would part objects that relationships join (replacements, addenda, folders). ``force`` does it anyway.

    Each object goes where its stored identifier belongs; a relationship is then one between two patients' objects.
    """


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A fact with the identifiers it is about; ``holds`` says whether it still counts."""

    fact: Fact
    subject: CX
    other: CX
    holds: bool


# --------------------------------------------------------------------------- work for the writer


def merge_people(prior: Target, survivor: Target, occasion: Occasion, transaction: Transaction) -> int:
    """The number of the fact; that of the earlier one for a repeat."""
    transaction.lock_structure()
    applied = AppliedFeed()
    seeds = join(transaction, FactKind.MERGE, prior, survivor, occasion, applied)
    if seeds:
        settle(transaction, seeds, occasion)
        return applied.facts[0]
    ended = _existing(transaction, prior)
    return _ending(transaction, ended).number


def unmerge_people(prior: Target, force: bool, occasion: Occasion, transaction: Transaction) -> int:
    transaction.lock_structure()
    ended = _existing(transaction, prior)
    return _undo(transaction, _ending(transaction, ended), force, occasion)


def link_people(one: Target, other: Target, occasion: Occasion, transaction: Transaction) -> int:
    transaction.lock_structure()
    pair = [_active(transaction, target) for target in (one, other)]
    applied = AppliedFeed()
    seeds = join_people(transaction, pair[0], pair[1], occasion, applied)
    if seeds:
        settle(transaction, seeds, occasion)
        return applied.facts[0]
    return _last_word(transaction, pair[0], pair[1], FactKind.LINK)


def unlink_people(one: Target, other: Target, occasion: Occasion, transaction: Transaction) -> int:
    """Said of people who are not linked as well: it binds whatever would link them later."""
    transaction.lock_structure()
    pair = [_active(transaction, target) for target in (one, other)]
    if pair[0].key == pair[1].key:
        raise FeedRejected(Refusal.SELF_MERGE)
    number = record(transaction, FactKind.UNLINK, pair[0].key, pair[1].key, occasion)
    settle(transaction, [pair[0].key, pair[1].key], occasion)
    return number


def undo_fact(number: int, force: bool, occasion: Occasion, transaction: Transaction) -> int:
    transaction.lock_structure()
    fact = transaction.fact(number)
    if fact is None:
        raise NotUndoable("there is no fact with this number")
    return _undo(transaction, fact, force, occasion)


def _undo(transaction: Transaction, fact: Fact, force: bool, occasion: Occasion) -> int:
    if fact.kind is FactKind.REVIEW:
        raise NotUndoable("a doubt is settled by linking or unlinking")
    web = web_of(transaction, [fact.subject, fact.other])
    _check(fact, web)
    number = record(transaction, FactKind.UNDO, fact.subject, fact.other, occasion, undone=fact.number)
    if not force and occasion.affinity is not None:
        after = place(web_of(transaction, [fact.subject, fact.other]), occasion.affinity)
        _require_untangled(transaction, web, after, occasion.affinity)
    settle(transaction, {fact.subject, fact.other}, occasion)
    return number


def _check(fact: Fact, web: Web) -> None:
    """That the fact holds, and that doing without it leaves no contradiction."""
    undone = _undone(web.facts)
    if fact.number in undone:
        raise NotUndoable("it has been undone already")
    if fact.kind is not FactKind.UNDO:
        return
    # undoing an undo: the fact before it holds again
    original = next(f for f in web.facts if f.number == fact.undone)
    while original.kind is FactKind.UNDO:
        original = next(f for f in web.facts if f.number == original.undone)
    if original.kind.ends:
        survivors = {f.subject: f.other for f in holding(web.facts) if f.kind.ends}
        ended: IdentityKey | None = original.other
        while ended is not None:
            if ended == original.subject:
                raise NotUndoable("it would make a cycle with later merges")
            ended = survivors.get(ended)
        if survivors.get(original.subject) is not None:
            raise NotUndoable("the identifier has ended in another meanwhile")


def _undone(facts: Sequence[Fact]) -> set[int]:
    undone: set[int] = set()
    for fact in sorted(facts, key=lambda f: -f.number):
        if fact.kind is FactKind.UNDO and fact.number not in undone and fact.undone is not None:
            undone.add(fact.undone)
    return undone


def _require_untangled(transaction: Transaction, before: Web, after: Placed, affinity: Affinity) -> None:
    """DESIGN D12: where an association joins both sides, the undo goes to review."""
    trees: dict[IdentityKey, dict[IdentityKey, list[str]]] = {}
    old = {key: i.survivor for key, i in before.identities.items() if i.survivor is not None}
    for key, identity in before.identities.items():
        if identity.domain == affinity.number:
            sides = trees.setdefault(_last(key, old), {})
            sides.setdefault(_last(key, after.survivors), []).append(affinity.wire(identity.id))
    for sides in trees.values():
        if len(sides) < 2:
            continue
        for ones in sides.values():
            others = [identifier for side in sides.values() if side is not ones for identifier in side]
            if transaction.tangled(ones, others):
                raise UndoNeedsReview("relationships join objects of both patients: look at them, then force the undo")


def _last(key: IdentityKey, survivors: dict[IdentityKey, IdentityKey]) -> IdentityKey:
    while key in survivors:
        key = survivors[key]
    return key


def _existing(transaction: Transaction, target: Target) -> Identity:
    identity = transaction.identity(target.domain, target.id)
    if identity is None or identity.state is IdentityState.ABSENT:
        raise UnknownIdentifier("the identifier is not known")
    return identity


def _active(transaction: Transaction, target: Target) -> Identity:
    identity = _existing(transaction, target)
    if not identity.active:
        raise FeedRejected(Refusal.ALREADY_SUBSUMED, ordinal=target.ordinal)
    return identity


def _ending(transaction: Transaction, identity: Identity) -> Fact:
    """The fact by which this identity ended."""
    ends = [f for f in holding(transaction.facts([identity.key])) if f.kind.ends and f.subject == identity.key]
    if not ends:
        raise NotUndoable("the identifier has not ended in another")
    return ends[-1]


def _last_word(transaction: Transaction, one: Identity, other: Identity, kind: FactKind) -> int:
    pair = {one.key, other.key}
    said = [f for f in transaction.facts([one.key]) if f.kind is kind and {f.subject, f.other} == pair]
    if not said:
        raise FeedRejected(Refusal.SELF_MERGE)
    return said[-1].number


# --------------------------------------------------------------------------- reading


def is_settled(review: Fact, reader: Reader) -> bool:
    """Whether people decided what a matcher was in doubt about."""
    pair = {review.subject, review.other}
    held = holding(reader.facts([review.subject]))
    return any(
        f.kind in (FactKind.LINK, FactKind.UNLINK, FactKind.MERGE) and {f.subject, f.other} == pair for f in held
    )


def history(target: Target, directory: Directory, reader: Reader) -> tuple[HistoryEntry, ...]:
    """Every fact about the person of this identifier and whoever they were ever joined with, oldest first."""
    identity = reader.identity(target.domain, target.id)
    if identity is None:
        raise UnknownIdentifier("the identifier is not known")
    web = web_of(reader, [identity.key])
    return entries(web.facts, web.identities, directory, reader)


def entries(
    facts: Sequence[Fact], known: dict[IdentityKey, Identity], directory: Directory, reader: Reader
) -> tuple[HistoryEntry, ...]:
    """These facts, with identifiers in place of keys."""
    keys = {key for fact in facts for key in (fact.subject, fact.other)} - known.keys()
    identities = known | {i.key: i for i in reader.identities(keys)}
    undone = _undone(facts)
    name = partial(_identifier, directory)
    return tuple(
        HistoryEntry(f, name(identities[f.subject]), name(identities[f.other]), f.number not in undone) for f in facts
    )


def _identifier(directory: Directory, identity: Identity) -> CX:
    domain = directory.by_number(identity.domain)
    return CX(identity.id) if domain is None else domain.identifier(identity.id)
