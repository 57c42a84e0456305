"""What one identity feed message does to the store: picklable work for its writer (ITI TF-2 3.8.4, 3.30.6).

``docs/reference/feeds.md`` has the table of odd cases; each has a test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from xds.datatypes.hl7 import HD
from xds.patients import compact
from xds.patients.crossref import holding
from xds.patients.domains import number_of
from xds.patients.feed import FeedRejected, Refusal
from xds.patients.identity import same_authority
from xds.patients.matching import Matcher
from xds.patients.records import FactKind, Identity, IdentityKey, IdentityState
from xds.patients.stamps import stamped
from xds.patients.terms import quoted_term
from xds.pix.matched import match, reconsider, search_terms
from xds.pix.policy import Occasion
from xds.pix.structure import assign, record, settle, tell
from xds.pix.visits import Teller, VisitNews, keep_visit
from xds.ports import Transaction
from xds.vocab.hl7 import FeedEvent

_FORGET_EVERY: Final = 1024  # one message in so many removes what is older than the window
_FORGET: Final = 4096


class Target(NamedTuple):
    """An identifier of a feed: the number of its domain, and that domain's authority when nobody configured it."""

    domain: int
    id: str
    ordinal: int  # its place in the list it came in, from 1
    learned: HD | None = None

    @property
    def name(self) -> tuple[int, str]:
        return self.domain, self.id


@dataclass(slots=True)
class AppliedFeed:
    """What the manager did with a feed."""

    repeated: bool = False  # it had been applied before: nothing was done
    reused: bool = False  # another message had the same control id
    created: int = 0  # identities that were not known
    updated: int = 0
    older: int = 0  # identities that know newer demographics from the same source
    retired: int = 0  # … that ended in another: what came is kept, and nobody sees it
    visits: int = 0  # of identities, that are new or have changed
    capped: int = 0  # search terms of the matcher that too many people share
    facts: list[int] = field(default_factory=list)  # numbers of facts that were added


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedWork:
    """The work of one message for ``UnitOfWork.submit``. Raises FeedRejected: nothing of it is applied then."""

    event: FeedEvent
    targets: tuple[Target, ...]  # PID-3
    others: tuple[Target, ...]  # MRG-1, or PID-3 of the second PID
    occasion: Occasion
    source: int  # what stands for the sender
    message: int | None  # … for sender and MSH-10; None when there is none
    content: int  # … for what the message says
    moment: int | None = None  # of EVN-2 or MSH-7, in milliseconds since 1970; None orders nothing
    demographics: bytes = b""
    deleted: frozenset[str] = frozenset()
    quoted: tuple[str, ...] = ()
    terms: frozenset[str] = frozenset()
    visit: VisitNews | None = None

    def __call__(self, transaction: Transaction) -> AppliedFeed:
        applied = AppliedFeed()
        if self.message is not None and not self._is_new(transaction, applied):
            return applied
        if self.event.merges or self.event is FeedEvent.CHANGE_IDENTIFIER:
            _merge(self, transaction, applied)
        elif self.event.links:
            (_link if self.event is FeedEvent.LINK else _unlink)(self, transaction, applied)
        else:
            _announce(self, transaction, applied)
        return applied

    @property
    def teller(self) -> Teller:
        return Teller(self.source, self.moment)

    def _is_new(self, transaction: Transaction, applied: AppliedFeed) -> bool:
        assert self.message is not None
        now, window = self.occasion.now, self.occasion.policy.window
        fresh, applied.reused = transaction.receive(self.message, self.content, now, now - window)
        applied.repeated = not fresh
        if self.message % _FORGET_EVERY == 0:
            transaction.forget_messages(now - window, _FORGET)
        return fresh


# --------------------------------------------------------------------------- demographics


def _announce(work: FeedWork, transaction: Transaction, applied: AppliedFeed) -> None:
    """A01, A04, A05, A08, A28, A31: create or update, link what came together, match (ITI TF-2 3.8.4.1.3)."""
    occasion = work.occasion
    several = len(work.targets) > 1 or (occasion.affinity is not None and occasion.affinity.assigned)
    matcher = occasion.policy.matcher
    if matcher is not None and not matcher.only_quoted:
        several = True  # whom it will be matched with shows only then
    elif work.quoted and matcher is not None:
        transaction.lock_terms(work.quoted)
        several = several or any(transaction.with_terms([quoted_term(q)], limit=1) for q in work.quoted)
    if several:
        transaction.lock_structure()
    told: list[Identity] = []
    fresh: list[Identity] = []
    quoting: set[IdentityKey] = set()  # before this message
    changed: list[Identity] = []
    for target in sorted(_known(transaction, work.targets), key=_name):
        identity = transaction.lock_identity(target.domain, target.id)
        if identity is None:
            identity = _create(work, target, transaction)
            if identity is not None:
                fresh.append(identity)
                applied.created += 1
            else:  # somebody else was quicker
                identity = transaction.lock_identity(target.domain, target.id)
                assert identity is not None
        if not (fresh and fresh[-1] is identity):
            if identity.quoted:
                quoting.add(identity.key)
            if _update(work, identity, transaction, applied):
                changed.append(identity)
        if work.visit is not None:
            is_new = bool(fresh) and fresh[-1] is identity
            applied.visits += keep_visit(transaction, identity.key, work.visit, work.teller, fresh=is_new)
        told.append(identity)
    seeds = _together(told, work, transaction, applied) if len(told) > 1 else set()
    seeds |= {i.key for i in changed if i.state is IdentityState.ABSENT}
    if occasion.affinity is not None and occasion.affinity.assigned:
        seeds |= _assigned(fresh, seeds, transaction, occasion)
    if seeds:
        settle(transaction, seeds, occasion)
    for identity in fresh:
        if identity.key not in seeds and occasion.policy.consumers:
            tell(transaction, identity.key, frozenset((identity.domain,)), occasion)
    if matcher is not None:
        for identity in (*fresh, *changed):
            matters = identity.quoted or identity.key in quoting or not matcher.only_quoted
            if matters and identity.state is not IdentityState.SUBSUMED:
                matched = match(transaction, identity.key, occasion)
                applied.facts += matched.facts
                applied.capped += matched.capped


def _create(work: FeedWork, target: Target, transaction: Transaction) -> Identity | None:
    stamps = b"" if work.moment is None else stamped(b"", work.source, work.moment) or b""
    identity = Identity(
        0,
        target.domain,
        target.id,
        IdentityState.ACTIVE,
        True,
        stamps=stamps,
        quoted=" ".join(work.quoted),
        demographics=work.demographics,
    )
    key = transaction.insert_identity(identity)
    if key is None:
        return None
    identity.key = key
    terms = work.terms | work.visit.terms if work.visit is not None else work.terms
    if terms:
        transaction.add_terms(key, terms)
    if target.learned is not None:
        transaction.learn_domain(target.learned, target.domain)
    return identity


def _update(work: FeedWork, identity: Identity, transaction: Transaction, applied: AppliedFeed) -> bool:
    """Take over newer demographics; whether anything changed that matters to matching or state."""
    if identity.state is IdentityState.SUBSUMED:
        applied.retired += 1
    stamps: bytes | None = identity.stamps
    if work.moment is not None:
        stamps = stamped(identity.stamps, work.source, work.moment)
    if stamps is None:
        applied.older += 1
        stamps = identity.stamps
        demographics, quoted = identity.demographics, identity.quoted
    elif work.event in (FeedEvent.CREATE, FeedEvent.UPDATE_PERSON):
        # ITI TF-2 3.30.6.3.4: the message has the complete current set
        demographics, quoted = work.demographics, " ".join(work.quoted)
    else:
        demographics = compact.overlay(identity.demographics, work.demographics, work.deleted)
        quoted = " ".join(work.quoted) or identity.quoted
    same = demographics == identity.demographics and quoted == identity.quoted
    if same and identity.announced:
        if stamps != identity.stamps:
            transaction.stamp_identity(identity.key, stamps)
        return False
    applied.updated += 1
    matcher = work.occasion.policy.matcher
    more = matcher is not None and not matcher.only_quoted
    if more or quoted != identity.quoted or compact.indexed(demographics) != compact.indexed(identity.demographics):
        had = search_terms(matcher, identity.domain, identity.demographics, identity.quoted)
        as_sent = demographics == work.demographics and quoted == " ".join(work.quoted)
        has = work.terms if as_sent else search_terms(matcher, identity.domain, demographics, quoted)
        transaction.remove_terms(identity.key, had - has)
        transaction.add_terms(identity.key, has - had)
    identity.announced = True
    identity.stamps, identity.demographics, identity.quoted = stamps, demographics, quoted
    transaction.update_identity(identity)
    if identity.state is IdentityState.ABSENT:
        transaction.lock_structure()
    return True


def _together(
    told: Sequence[Identity], work: FeedWork, transaction: Transaction, applied: AppliedFeed
) -> set[IdentityKey]:
    """What one message names is one person's (ITI TF-2 3.8.4.1.2.3), said once for each pair: undone, it stays so."""
    first, *others = sorted(told, key=_key)
    apart = [other for other in others if other.group != first.group]
    if not apart:
        return set()
    said = {(f.subject, f.other) for f in transaction.facts([first.key]) if f.kind is FactKind.TOGETHER}
    seeds: set[IdentityKey] = set()
    for other in apart:
        if (first.key, other.key) not in said:
            applied.facts.append(record(transaction, FactKind.TOGETHER, first.key, other.key, work.occasion))
            seeds |= {first.key, other.key}
    return seeds


def _assigned(
    fresh: Sequence[Identity], seeds: set[IdentityKey], transaction: Transaction, occasion: Occasion
) -> set[IdentityKey]:
    """Mint an identifier for who is new and alone; ``settle`` does it for the others."""
    alone = [identity for identity in fresh if identity.key not in seeds]
    return {key for identity in alone for key in (identity.key, assign(transaction, identity.key, occasion))}


def _key(identity: Identity) -> IdentityKey:
    return identity.key


# --------------------------------------------------------------------------- merges, links


def _merge(work: FeedWork, transaction: Transaction, applied: AppliedFeed) -> None:
    """A40, A18, A34, A36 (ITI TF-2 3.8.4.2.3) and A47 (3.30.6.5.4)."""
    targets, others = _known(transaction, work.targets), _known(transaction, work.others)
    transaction.lock_structure()
    seeds: set[IdentityKey] = set()
    for prior in others:
        survivor = next((t for t in targets if t.domain == prior.domain), None)
        if survivor is None:  # ITI TF-2 3.8.4.2.2.4: of the same authority
            raise FeedRejected(Refusal.FOREIGN_DOMAIN, prior=True, ordinal=prior.ordinal)
        kind = FactKind.CHANGE if work.event is FeedEvent.CHANGE_IDENTIFIER else FactKind.MERGE
        seeds |= join(transaction, kind, prior, survivor, work.occasion, applied)
    if seeds:
        settle(transaction, seeds, work.occasion)
        applied.facts += reconsider(transaction, seeds, work.occasion)


def join(
    transaction: Transaction, kind: FactKind, prior: Target, survivor: Target, occasion: Occasion, applied: AppliedFeed
) -> set[IdentityKey]:
    """The fact that ``prior`` ended in ``survivor``; the identities it is about, none when it was known."""
    if prior.name == survivor.name:
        raise FeedRejected(Refusal.SELF_MERGE, prior=True, ordinal=prior.ordinal)
    found = {
        target.name: transaction.lock_identity(target.domain, target.id)
        for target in sorted((prior, survivor), key=_name)
    }
    ended, kept = found[prior.name], found[survivor.name]
    unknown = kept is None or kept.state is IdentityState.ABSENT
    if ended is not None and kept is not None and ended.survivor == kept.key:
        return set()  # a repeat
    if kind is FactKind.CHANGE:
        if ended is None or ended.state is IdentityState.ABSENT:
            return set()  # ITI TF-2 3.30.6.5.4: nothing to do, not an error
        if not unknown:  # the same: a merge was due
            raise FeedRejected(Refusal.IDENTIFIER_TAKEN, ordinal=survivor.ordinal)
    elif unknown and occasion.policy.unknown_survivor == "refuse":
        raise FeedRejected(Refusal.UNKNOWN_SURVIVOR, ordinal=survivor.ordinal)
    if kept is not None and kept.state is IdentityState.SUBSUMED:
        cycle = ended is not None and ended.key in _chain(transaction, kept)
        raise FeedRejected(Refusal.CYCLE if cycle else Refusal.ALREADY_SUBSUMED, ordinal=survivor.ordinal)
    if ended is not None and ended.state is IdentityState.SUBSUMED:
        raise FeedRejected(Refusal.ALREADY_SUBSUMED, prior=True, ordinal=prior.ordinal)
    ended = ended or named(transaction, prior)
    kept = kept or named(transaction, survivor)
    if not kept.announced:
        _inherit(transaction, ended, kept, occasion.policy.matcher)
    applied.facts.append(record(transaction, kind, ended.key, kept.key, occasion))
    return {ended.key, kept.key}


def named(transaction: Transaction, target: Target) -> Identity:
    """An identity that only facts name."""
    identity = Identity(0, target.domain, target.id, IdentityState.ABSENT, False)
    key = transaction.insert_identity(identity)
    if key is None:  # somebody else was quicker
        found = transaction.lock_identity(target.domain, target.id)
        assert found is not None
        return found
    if target.learned is not None:
        transaction.learn_domain(target.learned, target.domain)
    return replace(identity, key=key)


def _inherit(transaction: Transaction, ended: Identity, kept: Identity, matcher: Matcher | None) -> None:
    """Who goes on under an identifier that no source announced is still described as before."""
    inherited = replace(kept, demographics=ended.demographics, quoted=ended.quoted, stamps=b"", announced=False)
    had = search_terms(matcher, kept.domain, kept.demographics, kept.quoted)
    has = search_terms(matcher, kept.domain, ended.demographics, ended.quoted)
    transaction.remove_terms(kept.key, had - has)
    transaction.add_terms(kept.key, has - had)
    transaction.update_identity(inherited)


def _chain(transaction: Transaction, identity: Identity) -> set[IdentityKey]:
    """In whom this identity ended, and in whom these did."""
    keys: set[IdentityKey] = set()
    survivor = identity.survivor
    while survivor is not None and survivor not in keys:
        keys.add(survivor)
        [found] = transaction.identities([survivor])
        survivor = found.survivor
    return keys


def _link(work: FeedWork, transaction: Transaction, applied: AppliedFeed) -> None:
    """A24: both lists are one person's (ITI TF-2 3.30.6.6.4); identities stay apart, unknown ones are noted."""
    transaction.lock_structure()
    ones = _named(transaction, _known(transaction, work.targets), prior=False)
    others = _named(transaction, _known(transaction, work.others), prior=True)
    pairs = [(ones[0], other) for other in others] + [(one, others[0]) for one in ones[1:]]
    seeds = {key for one, other in pairs for key in join_people(transaction, one, other, work.occasion, applied)}
    if seeds:
        settle(transaction, seeds, work.occasion)


def join_people(
    transaction: Transaction, one: Identity, other: Identity, occasion: Occasion, applied: AppliedFeed
) -> set[IdentityKey]:
    """The fact that two identities are one person's, unless the last word on them says so already."""
    if one.key == other.key:
        return set()
    last = [f for f in holding(transaction.facts([one.key])) if {f.subject, f.other} == {one.key, other.key}]
    explicit = [f.kind for f in last if f.kind in (FactKind.LINK, FactKind.UNLINK)]
    if one.group == other.group and explicit[-1:] == [FactKind.LINK]:
        return set()  # a repeat
    applied.facts.append(record(transaction, FactKind.LINK, one.key, other.key, occasion))
    return {one.key, other.key}


def _named(transaction: Transaction, targets: Sequence[Target], *, prior: bool) -> list[Identity]:
    identities = []
    for target in targets:
        identity = transaction.identity(target.domain, target.id) or named(transaction, target)
        if identity.state is IdentityState.SUBSUMED:
            raise FeedRejected(Refusal.ALREADY_SUBSUMED, prior=prior, ordinal=target.ordinal)
        identities.append(identity)
    return identities


def _unlink(work: FeedWork, transaction: Transaction, applied: AppliedFeed) -> None:
    """A37: the lists are no longer one person's (ITI TF-2 3.30.6.7.4); where there is no link, nothing is done."""
    transaction.lock_structure()
    ones, others = (
        [i for t in _known(transaction, targets) if (i := transaction.identity(t.domain, t.id)) is not None]
        for targets in (work.targets, work.others)
    )
    seeds: set[IdentityKey] = set()
    for one in ones:
        for other in others:
            if one.group == other.group and one.key != other.key and not (one.survivor or other.survivor):
                applied.facts.append(record(transaction, FactKind.UNLINK, one.key, other.key, work.occasion))
                seeds |= {one.key, other.key}
    if seeds:
        settle(transaction, seeds, work.occasion)


# --------------------------------------------------------------------------- domains nobody configured


def _known(transaction: Transaction, targets: Sequence[Target]) -> list[Target]:
    """A domain that came by OID and namespace before is meant by its namespace alone as well."""
    if all(target.learned is None or target.learned.universal_id for target in targets):
        return list(targets)
    learned = transaction.learned_domains()
    return [_as_learned(target, learned) for target in targets]


def _as_learned(target: Target, learned: Sequence[HD]) -> Target:
    authority = target.learned
    if authority is None or authority.universal_id:
        return target
    same = next((hd for hd in learned if same_authority(hd, authority)), None)
    return target if same is None else target._replace(domain=number_of(same), learned=same)


def _name(target: Target) -> tuple[int, str]:
    return target.name
