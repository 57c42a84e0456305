"""Putting a matcher to work on an identity whose demographics are new: candidates, its verdicts, and their effect."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from xds.patients import compact
from xds.patients.crossref import holding, resolve
from xds.patients.matching import Decision, Matcher, Member, Verdict
from xds.patients.records import Fact, FactKind, Identity, IdentityKey, IdentityState
from xds.patients.terms import terms_of
from xds.pix.policy import Occasion
from xds.pix.structure import record, settle, web_of
from xds.ports import Transaction

_CANDIDATES: Final = 100  # with one term; whoever shares it with more shares nothing telling
_ROWS: Final = 4 * _CANDIDATES  # from which on terms are looked at one by one
_MATCHER: Final = "matcher "  # how the origin of a matcher's facts begins


def search_terms(matcher: Matcher | None, domain: int, demographics: bytes, quoted: str) -> set[str]:
    """Under what an identity is found: by people, and by the matcher."""
    told, entries = compact.decode(demographics), quoted.split()
    terms = terms_of(told, entries)
    if matcher is not None and not matcher.only_quoted:
        terms.update(matcher.terms(Member(0, domain, told, frozenset(entries))))
    return terms


class Matched(NamedTuple):
    """What came of matching an identity: the facts that were added, and how many of its terms were too common."""

    facts: list[int]
    capped: int = 0


def match(transaction: Transaction, key: IdentityKey, occasion: Occasion) -> Matched:
    """Match one identity anew.

    Links that the matcher made and would no longer make are undone. What becomes of verdicts on several people is the
    matcher's to say; where two people both have documents in a domain of ours, people decide.
    """
    matcher = occasion.policy.matcher
    assert matcher is not None
    added = reconsider(transaction, [key], occasion)
    [identity] = transaction.identities([key], whole=True)
    member = member_of(identity)
    people, capped = _candidates(transaction, matcher, member, identity)
    if not people:
        return Matched(added, capped)
    facts = transaction.facts([key])
    held = holding(facts)
    judged: list[tuple[Verdict, tuple[Member, ...]]] = []
    for person in people:
        if not _decided(facts, held, key, person):
            members = tuple([member_of(other) for other in person])
            verdict = matcher.judge(member, members)
            if verdict.decision is not Decision.NONE:
                judged.append((verdict, members))
    if not judged:
        return Matched(added, capped)
    linked = False
    for verdict in matcher.among(judged, _others(transaction, identity)):
        decision, reason = verdict.decision, verdict.reason
        assert verdict.witness is not None
        if decision is Decision.LINK and _both_have_documents(transaction, identity, verdict.witness, occasion):
            decision, reason = Decision.REVIEW, f"{reason}; both have documents"
        kind = FactKind.MATCH if decision is Decision.LINK else FactKind.REVIEW
        if not any(f.kind is kind and {f.subject, f.other} == {key, verdict.witness} for f in held):
            mine = replace(occasion, origin=f"{_MATCHER}{matcher.name}", reason=reason)
            added.append(record(transaction, kind, key, verdict.witness, mine))
            linked = linked or kind is FactKind.MATCH
    if linked:
        settle(transaction, [key], occasion)
    return Matched(added, capped)


def reconsider(transaction: Transaction, keys: Collection[IdentityKey], occasion: Occasion) -> list[int]:
    """Undo matches of these identities that the matcher would not make any more; the facts that say so.

    An identity that ended is as its survivor is now. Each match is judged against everybody on its other side, as it
    would be without it: a number that came later may speak against one of them.
    """
    matcher = occasion.policy.matcher
    if matcher is None or not any(f.kind is FactKind.MATCH for f in holding(transaction.facts(keys))):
        return []
    web = web_of(transaction, keys)
    survivors = resolve(web.identities, web.facts).survivors
    added: list[int] = []
    facts = list(web.facts)
    for fact in holding(web.facts):
        if fact.kind is not FactKind.MATCH or not {fact.subject, fact.other} & set(keys):
            continue
        key, other = (fact.subject, fact.other) if fact.subject in keys else (fact.other, fact.subject)
        without = [*facts, replace(fact, kind=FactKind.UNDO, undone=fact.number, number=facts[-1].number + 1)]
        persons = resolve(web.identities, without).persons
        if persons[key] is not None and persons[key] == persons[other]:
            continue  # something else joins them
        while key in survivors:
            key = survivors[key]
        beyond = [k for k, person in persons.items() if k == other or (person is not None and person == persons[other])]
        members = _active(transaction.identities([key, *beyond], whole=True))
        member = members.pop(key, None)
        verdict = matcher.judge(member, tuple(members.values())) if member and members else None
        if verdict is not None and verdict.decision is not Decision.LINK:
            because = verdict.reason or "nothing in common any more"
            mine = replace(occasion, origin=f"{_MATCHER}{matcher.name}", reason=because)
            added.append(record(transaction, FactKind.UNDO, fact.subject, fact.other, mine, undone=fact.number))
            facts = without
    if added:
        settle(transaction, keys, occasion)
    return added


def member_of(identity: Identity) -> Member:
    """As a matcher sees it; the identity is whole."""
    quoted = frozenset(identity.quoted.split())
    return Member(identity.key, identity.domain, compact.decode(identity.demographics), quoted)


def _active(identities: Iterable[Identity]) -> dict[IdentityKey, Member]:
    """Those that still stand and of whom anything is known."""
    return {i.key: member_of(i) for i in identities if i.state is IdentityState.ACTIVE and (i.demographics or i.quoted)}


def _others(transaction: Transaction, identity: Identity) -> tuple[Member, ...]:
    """The other identities of the person."""
    if identity.person is None:
        return ()
    members = _active(transaction.persons([identity.group], whole=True))
    members.pop(identity.key, None)
    return tuple(members.values())


def _candidates(
    transaction: Transaction, matcher: Matcher, member: Member, identity: Identity
) -> tuple[list[list[Identity]], int]:
    """People with an identity that shares a term: their identities that still stand, by person.

    Terms that more than so many share find nobody; how many of them there were comes second.
    """
    terms = set(matcher.terms(member))
    shared: dict[str, list[IdentityKey]] = defaultdict(list)
    rows = transaction.with_any_term(terms, limit=_ROWS) if terms else []
    if len(rows) < _ROWS:
        for term, key in rows:
            shared[term].append(key)
    else:
        shared.update((term, transaction.with_terms([term], limit=_CANDIDATES + 2)) for term in terms)
    telling = [found for found in shared.values() if len(found) <= _CANDIDATES + 1]  # one of them is who looks
    keys = {key for found in telling for key in found}
    keys.discard(identity.key)
    groups = {found.group for found in transaction.identities(keys)} - {identity.group} if keys else set()
    people: dict[IdentityKey, list[Identity]] = defaultdict(list)
    for found in transaction.persons(groups, whole=True) if groups else ():
        if found.state is IdentityState.ACTIVE and (found.demographics or found.quoted):
            people[found.group].append(found)
    return [people[group] for group in sorted(people)], len(shared) - len(telling)


def _decided(facts: Sequence[Fact], held: Sequence[Fact], key: IdentityKey, person: Sequence[Identity]) -> bool:
    """Whether somebody said that they are not one, or took back that they are: that binds."""
    members = {identity.key for identity in person}
    by_hand = {f.undone for f in _undos(facts) if not f.origin.startswith(_MATCHER)}
    return any(
        (f.kind is FactKind.UNLINK and f in held) or (f.kind is FactKind.MATCH and f.number in by_hand)
        for f in facts
        if ({f.subject, f.other} - {key}) & members
    )


def _undos(facts: Sequence[Fact]) -> list[Fact]:
    """The undoing facts that are not undone themselves."""
    undone = {f.undone for f in facts if f.kind is FactKind.UNDO}
    return [f for f in facts if f.kind is FactKind.UNDO and f.number not in undone]


def _both_have_documents(transaction: Transaction, one: Identity, witness: IdentityKey, occasion: Occasion) -> bool:
    """In a domain of ours a link makes one patient of two, which the operator may not want done unseen."""
    affinity = occasion.affinity
    if affinity is None or not affinity.assigned or occasion.policy.documents_may_join:
        return False
    [other] = transaction.identities([witness])
    return all(
        any(
            i.domain == affinity.number and transaction.has_documents(affinity.wire(i.id))
            for i in transaction.persons([identity.group])
        )
        for identity in (one, other)
    )
