"""The registry's side of the Patient Identity Feed (ITI TF-2 3.8.4.1.4 and 3.8.4.2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from xds.datatypes.hl7 import CX, HD
from xds.patients.domains import number_of
from xds.patients.feed import FeedRejected, IdentityFeed, Refusal
from xds.ports import Reader, Transaction
from xds.vocab.hl7 import FeedEvent

#: ITI-8, and what ITI-30 says in the same way; links and changed identifiers are a manager's affair.
FEED_EVENTS: Final = frozenset(event for event in FeedEvent if event.creates or event.updates or event.merges)


@dataclass(frozen=True, slots=True)
class AppliedFeed:
    """What the registry did with an identity feed: the domain's identifiers in it, and which of them were new.

    ``merged`` have ended in the first of ``identifiers``, now or before. ``moved`` is the number of entries that have a
    new version because a link has changed (ITI-64), ``dropped`` that of relationships which this has ended.
    """

    identifiers: tuple[str, ...]
    announced: tuple[str, ...]
    merged: tuple[str, ...] = ()
    moved: int = 0
    dropped: int = 0


def plan_feed(authority: str | None, feed: IdentityFeed, *, merges: bool) -> partial[AppliedFeed]:
    """The picklable work of a feed; FeedRejected for a merge of other domains' identifiers.

    Without ``merges`` somebody else in the same transaction takes care of them.
    """
    event = feed.event
    if event not in FEED_EVENTS:
        raise FeedRejected(Refusal.NOT_SUPPORTED)
    if event.merges:
        return _plan_merge(authority, feed) if merges else partial(_announce, ())
    if authority is None:
        return partial(_announce, tuple(str(identifier) for identifier in feed.identifiers))
    return partial(_announce, feed.of_domain(authority))


def _plan_merge(authority: str | None, feed: IdentityFeed) -> partial[AppliedFeed]:
    if authority is None:
        kept = tuple(str(identifier) for identifier in feed.identifiers)
        ended = tuple(str(identifier) for identifier in feed.prior_identifiers)
    else:
        kept, ended = feed.of_domain(authority), feed.prior_of_domain(authority)
    if not kept and not ended:
        # ITI TF-2 3.8.4.2.4: both must be of the affinity domain
        raise FeedRejected(Refusal.FOREIGN_DOMAIN)
    if not kept or not ended:
        raise FeedRejected(Refusal.FOREIGN_DOMAIN, prior=bool(kept))
    if kept[0] in ended:
        raise FeedRejected(Refusal.SELF_MERGE)
    return partial(_merge, kept[0], ended)


def identifier_in(reader: Reader, authority: str, patient_id: str) -> str | None:
    """What the person with this identifier is called in the affinity domain; None when nothing is known of that, or
    there are several names.
    """
    asked = CX.parse(patient_id)
    identity = reader.identity(number_of(asked.assigning_authority), asked.id)
    if identity is None or not identity.active:
        return None
    number = number_of(HD.oid(authority))
    ours = [one.id for one in reader.persons([identity.group]) if one.active and one.domain == number]
    return str(CX.of(ours[0], authority)) if len(ours) == 1 else None


def _announce(identifiers: tuple[str, ...], transaction: Transaction) -> AppliedFeed:
    return AppliedFeed(identifiers, tuple([i for i in identifiers if transaction.announce(i)]))


def _merge(survivor: str, subsumed: tuple[str, ...], transaction: Transaction) -> AppliedFeed:
    """A40 as ITI TF-2 3.8.4.2.4 has it: both identifiers are known and active, or nothing changes.

    A message that says what is so already is acknowledged: it was sent twice.
    """
    locked = {i: transaction.lock_patient(i) for i in sorted({survivor, *subsumed})}
    kept = locked[survivor]
    if kept is None:
        raise FeedRejected(Refusal.UNKNOWN_SURVIVOR)
    for ordinal, identifier in enumerate(subsumed, 1):
        ended = locked[identifier]
        if ended is None:
            raise FeedRejected(Refusal.UNKNOWN_IDENTIFIER, prior=True, ordinal=ordinal)
        if ended.active and not kept.active:
            cycle = kept.key in ended.tree
            raise FeedRejected(Refusal.CYCLE if cycle else Refusal.ALREADY_SUBSUMED)
        if ended.active:
            transaction.subsume_patient(identifier, survivor)
        elif ended.key not in kept.tree:
            raise FeedRejected(Refusal.ALREADY_SUBSUMED, prior=True, ordinal=ordinal)
    return AppliedFeed((survivor,), (), subsumed)
