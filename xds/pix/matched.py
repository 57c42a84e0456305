"""Putting a matcher to work on an identity whose demographics are new: candidates, its verdicts, and their effect."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from xds.patients import compact
from xds.patients.crossref import holding
from xds.patients.matching import Decision, Matcher, Member
from xds.patients.records import Fact, FactKind, Identity, IdentityKey, IdentityState
from xds.pix.policy import Occasion
from xds.pix.structure import record, settle
from xds.ports import Transaction

_CANDIDATES: Final = 100  # with one term; whoever shares it with more shares nothing telling


def match(transaction: Transaction, key: IdentityKey, occasion: Occasion) -> list[int]:
    """Match one identity anew; the facts that were added.

    Links that the matcher made and would no longer make are undone. Where it would link several people who are not one
    yet, or two who both have documents in a domain of ours, people decide.
    """
    matcher = occasion.policy.matcher
    assert matcher is not None
    [identity] = transaction.identities([key], whole=True)
    member = _member(identity)
    people = _candidates(transaction, matcher, member, identity)
    facts = transaction.facts([key])
    mine = replace(occasion, origin=f"matcher {matcher.name}")
    added = _withdrawn(transaction, matcher, member, facts, mine)
    held = holding(facts)
    verdicts = [
        (verdict, other)
        for person in people
        if not _decided(held, key, person)
        and (verdict := matcher.judge(member, tuple(map(_member, person)))).decision is not Decision.NONE
        and (other := person[0])
    ]
    several = sum(verdict.decision is Decision.LINK for verdict, _ in verdicts) > 1
    for verdict, other in verdicts:
        decision, reason = verdict.decision, verdict.reason
        if decision is Decision.LINK and several:
            decision, reason = Decision.REVIEW, f"{reason} with several people"
        elif decision is Decision.LINK and _both_have_documents(transaction, identity, other, occasion):
            decision, reason = Decision.REVIEW, f"{reason}; both have documents"
        kind = FactKind.MATCH if decision is Decision.LINK else FactKind.REVIEW
        if not any(f.kind is kind and {f.subject, f.other} == {key, other.key} for f in held):
            added.append(record(transaction, kind, key, other.key, replace(mine, reason=reason)))
    if added:
        settle(transaction, [key], occasion)
    return added


def _member(identity: Identity) -> Member:
    quoted = frozenset(identity.quoted.split())
    return Member(identity.key, identity.domain, compact.decode(identity.demographics), quoted)


def _candidates(transaction: Transaction, matcher: Matcher, member: Member, identity: Identity) -> list[list[Identity]]:
    """People with an identity that shares a term: their identities that still stand, by person."""
    keys: set[IdentityKey] = set()
    for term in matcher.terms(member):
        keys.update(transaction.with_terms([term], limit=_CANDIDATES))
    keys.discard(identity.key)
    groups = {found.group for found in transaction.identities(keys)} - {identity.group} if keys else set()
    people: dict[IdentityKey, list[Identity]] = defaultdict(list)
    for found in transaction.persons(groups, whole=True) if groups else ():
        if found.state is IdentityState.ACTIVE:
            people[found.group].append(found)
    return [people[group] for group in sorted(people)]


def _decided(held: Sequence[Fact], key: IdentityKey, person: Sequence[Identity]) -> bool:
    """Whether somebody said that they are not one: that binds."""
    members = {identity.key for identity in person}
    return any(f.kind is FactKind.UNLINK and ({f.subject, f.other} - {key}) & members for f in held)


def _withdrawn(
    transaction: Transaction, matcher: Matcher, member: Member, facts: Sequence[Fact], occasion: Occasion
) -> list[int]:
    """Undo links of the matcher for which nothing speaks any more; the facts that say so."""
    added: list[int] = []
    for fact in holding(facts):
        if fact.kind is not FactKind.MATCH:
            continue
        other = fact.other if fact.subject == member.key else fact.subject
        [found] = transaction.identities([other], whole=True)
        verdict = matcher.judge(member, (_member(found),))
        if verdict.decision is not Decision.LINK:
            because = replace(occasion, reason=verdict.reason or "nothing in common any more")
            added.append(record(transaction, FactKind.UNDO, fact.subject, fact.other, because, undone=fact.number))
    return added


def _both_have_documents(transaction: Transaction, one: Identity, other: Identity, occasion: Occasion) -> bool:
    """In a domain of ours a link makes one patient of two, which the operator may not want done unseen."""
    affinity = occasion.affinity
    if affinity is None or not affinity.assigned or occasion.policy.documents_may_join:
        return False
    return all(
        any(
            i.domain == affinity.number and transaction.has_documents(affinity.wire(i.id))
            for i in transaction.persons([identity.group])
        )
        for identity in (one, other)
    )
