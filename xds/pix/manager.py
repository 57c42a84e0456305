"""The Patient Identifier Cross-reference Manager actor: ITI-8 and ITI-30 in, ITI-9 out (ITI TF-1, 5)."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from functools import lru_cache, partial
from typing import Final, TypeVar

from xds.datatypes.hl7 import CX, HD
from xds.datatypes.time import utc_now
from xds.datatypes.tolerances import Tolerances
from xds.patients import compact
from xds.patients.directory import Directory
from xds.patients.domains import Domain, Domains, Mode, number_of
from xds.patients.feed import FeedRejected, IdentityFeed, Refusal
from xds.patients.matching import Member, trusted_entries
from xds.patients.queries import CrossReferenceQuery, UnknownDomain, UnknownIdentifier
from xds.patients.records import DeadLetter, IdentityKey
from xds.patients.terms import terms_of
from xds.pix import crossref, history
from xds.pix.feed import AppliedFeed, FeedWork, Target
from xds.pix.history import HistoryEntry
from xds.pix.matched import member_of
from xds.pix.policy import Affinity, Occasion, Policy
from xds.pix.visits import news_of
from xds.ports import Clock, Reader, Transaction, UnitOfWork
from xds.vocab.hl7 import FeedEvent

T = TypeVar("T")

_REPEATED: Final = "message repeated"
_REUSED: Final = "control id used again"
_OLDER: Final = "older demographics"
_RETIRED: Final = "identifier that has ended"
_CAPPED: Final = "too many candidates"
_AHEAD: Final = "time in the future"
#: What is counted in ``tolerated``.
UNUSUAL: Final = {
    _REPEATED: "the same message came before: nothing is done",
    _REUSED: "another message had the same control id: both are applied",
    _OLDER: "the source said something newer before: its demographics stay",
    _RETIRED: "the identifier has ended in another: what is said of it is kept unseen",
    _AHEAD: "a time that lies far in the future orders nothing",
}


class PatientIdentifierCrossReferenceManager:
    """Knows which identifiers are one person's, in a store that it may share with the Document Registry. Thread-safe.

    ``domains`` is the table of identifier domains. A registry on the same store is told about the affinity domain's
    identifiers in the same transaction; it is made with ``AffinityDomain(merges="manager")`` and leaves merges to this.
    """

    def __init__(
        self, store: UnitOfWork, *, domains: Domains, policy: Policy | None = None, clock: Clock = utc_now
    ) -> None:
        self.store = store
        self.domains = domains
        self.policy = policy or Policy()
        self.clock = clock
        #: How often something out of the ordinary was taken: repeats, older demographics, …
        self.tolerated = Tolerances(logging.getLogger("xds.pix"))
        domain = domains.affinity
        self._affinity = (
            None
            if domain is None
            else Affinity(domain.number, domain.authority.universal_id, domains.mode is not Mode.EXTERNAL)
        )

    # ----------------------------------------------------------------- ITI-8, ITI-30

    #: ITI-8 and ITI-30; ITI-64 is for registries (ITI TF-2 3.64.2).
    feed_events: Final = frozenset(FeedEvent) - {FeedEvent.CHANGE_XAD_PID}

    def apply_feed(self, feed: IdentityFeed) -> Future[AppliedFeed]:
        """Patient Identity Feed, ITI-8, and Patient Identity Management, ITI-30 (ITI TF-2, 3.8 and 3.30).

        The Future resolves when the effect is on disk; FeedRejected, raised here or by it, means that there is none.
        """
        future = self.store.submit(self.plan_feed(feed))
        future.add_done_callback(self._note)
        return future

    def plan_feed(self, feed: IdentityFeed) -> FeedWork:
        """The part of ``apply_feed`` that needs no store, and the picklable work for the store's writer."""
        if feed.event not in self.feed_events:
            raise FeedRejected(Refusal.NOT_SUPPORTED)
        found = self._domains_of(feed, feed.identifiers, prior=False)
        others = feed.prior_identifiers if feed.event.has_prior else feed.linked_identifiers
        second = self._domains_of(feed, others, prior=True) if others else []
        demographics = feed.demographics
        encoded, terms = b"", frozenset[str]()
        quoted: tuple[str, ...] = ()
        deleted = demographics.deleted
        if not (feed.event.has_prior or feed.event.links):
            encoded = compact.encode(replace(demographics, deleted=frozenset()) if deleted else demographics)
            matcher = self.policy.matcher
            more = matcher is not None and not matcher.only_quoted
            named = ((domain, cx.id) for domain, cx, _ in found)
            quoted = tuple(trusted_entries(self.domains, named, demographics, slips=more))
            terms = frozenset(terms_of(demographics, quoted))
            if matcher is not None and more:
                terms |= frozenset(matcher.terms(Member(0, found[0][0].number, demographics, frozenset(quoted))))
        targets, priors = _targets(found), _targets(second)
        if not targets or (others and not priors):
            raise FeedRejected(Refusal.FOREIGN_DOMAIN, prior=bool(targets))
        sender = _sender(feed.sending_application, feed.sending_facility)
        source = _hash(sender, 6)
        moment = feed.recorded_at
        if feed.recorded_ahead:
            self.tolerated.count((_AHEAD,), sender[:40])
            moment = None
        said = [feed.event, feed.recorded_time, *(f"{d.number}^{cx.id}" for d, cx, _ in found), "~"]
        said += [f"{d.number}^{cx.id}" for d, cx, _ in second]
        content = encoded + repr(sorted(deleted)).encode() if deleted else encoded
        visit = None if feed.visit is None else news_of(feed, self.domains, source, self.clock())
        if visit is not None:
            content += visit.content
        return FeedWork(
            event=feed.event,
            targets=targets,
            others=priors,
            occasion=self._occasion(f"feed {sender}", f"{feed.event} {feed.control_id}"),
            source=source,
            message=_hash(f"{sender}|{feed.control_id}", 8) >> 1 if feed.control_id else None,
            content=_hash("|".join(said), 8, content) >> 1,
            moment=int(moment.timestamp() * 1000) if moment is not None else None,
            demographics=encoded,
            deleted=deleted,
            quoted=quoted,
            terms=terms,
            visit=visit,
        )

    def note(self, applied: AppliedFeed) -> None:
        """Count what was out of the ordinary in a feed whose work was run by somebody else."""
        if applied.repeated or applied.reused or applied.older or applied.retired or applied.capped:
            seen = (
                (applied.capped, _CAPPED),
                (applied.repeated, _REPEATED),
                (applied.reused, _REUSED),
                (applied.older, _OLDER),
                (applied.retired, _RETIRED),
            )
            self.tolerated.count([what for happened, what in seen if happened])

    def _note(self, done: Future[AppliedFeed]) -> None:
        if not done.cancelled() and done.exception() is None:
            self.note(done.result())

    def _domains_of(
        self, feed: IdentityFeed, identifiers: Sequence[CX], *, prior: bool
    ) -> list[tuple[Domain, CX, int]]:
        """The domain of each identifier, with its position; those of domains that are not known are left out.

        Refused is a sender who does not speak for a domain (ITI TF-2 3.8.4.1.1).
        """
        application, facility = feed.sending_application, feed.sending_facility
        found: list[tuple[Domain, CX, int]] = []
        bare = [cx for cx in identifiers if not cx.assigning_authority]
        for position, cx in enumerate(identifiers, 1):
            domain = self.domains.find(cx.assigning_authority)
            if domain is None and not cx.assigning_authority:
                domain = self.domains.of_source(application, facility)
                if domain is None and len(bare) == 1 and self._no_other_is_ours(identifiers):
                    domain = self.domains.affinity  # ITI TF-2 3.8.4.1.4, as the registry reads it
            if domain is None:
                continue
            if not domain.trusted:
                ours = self._affinity is not None and self._affinity.assigned and domain is self.domains.affinity
                if ours or not domain.may_be_fed_by(application, facility):
                    raise FeedRejected(Refusal.SOURCE_NOT_ALLOWED, prior=prior, ordinal=position)
            found.append((domain, cx, position))
        return found

    def _no_other_is_ours(self, identifiers: Sequence[CX]) -> bool:
        return all(self.domains.find(cx.assigning_authority) is not self.domains.affinity for cx in identifiers)

    # ----------------------------------------------------------------- ITI-9

    def find_identifiers(self, query: CrossReferenceQuery) -> tuple[CX, ...]:
        """What this person is called elsewhere, PIX Query, ITI-9 (ITI TF-2, 3.9).

        Identifiers of one domain stand together, the one asked about is not among them, authorities are complete.
        Raises UnknownDomain and UnknownIdentifier; empty is what is known of nobody else.
        """
        return self.store.read(partial(crossref.find_identifiers, self.domains, query))

    # ----------------------------------------------------------------- people decide

    def merge(self, subsumed: CX, survivor: CX, *, by: str, reason: str = "") -> int:
        """One identifier ends in another of its domain, as by A40; the number of the fact."""
        prior, kept = self._target(subsumed), self._target(survivor, 2)
        if prior.domain != kept.domain:
            raise FeedRejected(Refusal.FOREIGN_DOMAIN, prior=True)
        return self._decide(partial(history.merge_people, prior, kept), by, reason)

    def unmerge(self, subsumed: CX, *, by: str, reason: str = "", force: bool = False) -> int:
        """Undo the merge (or change) by which an identifier ended. See ``undo``."""
        return self._decide(partial(history.unmerge_people, self._target(subsumed), force), by, reason)

    def link(self, one: CX, other: CX, *, by: str, reason: str = "") -> int:
        """Two identities are one person's; they stay apart as identities. The number of the fact."""
        return self._decide(partial(history.link_people, self._target(one), self._target(other, 2)), by, reason)

    def unlink(self, one: CX, other: CX, *, by: str, reason: str = "") -> int:
        """Two identities are not one person's: older statements and matchers no longer join them."""
        return self._decide(partial(history.unlink_people, self._target(one), self._target(other, 2)), by, reason)

    def undo(self, number: int, *, by: str, reason: str = "", force: bool = False) -> int:
        """A fact of the history no longer holds: everything is as it would be without it. The number of the undo.

        Documents submitted since stay with the identifier under which they were submitted. Raises NotUndoable, and its
        kind UndoNeedsReview where relationships join documents of both sides; ``force`` parts them all the same. An
        undo can be undone.
        """
        return self._decide(partial(history.undo_fact, number, force), by, reason)

    def history(self, identifier: CX) -> tuple[HistoryEntry, ...]:
        """Who was joined with whom and parted, when, by whom and why, oldest first: nothing is ever removed."""
        return self.store.read(partial(self._history, self._target(identifier)))

    def _history(self, target: Target, reader: Reader) -> tuple[HistoryEntry, ...]:
        return history.history(target, Directory(self.domains, reader), reader)

    def reviews(self, limit: int = 100) -> tuple[HistoryEntry, ...]:
        """Pairs a matcher is in doubt about, the oldest first; those that people linked or unlinked are left out."""
        return self.store.read(partial(self._reviews, limit))

    def _reviews(self, limit: int, reader: Reader) -> tuple[HistoryEntry, ...]:
        facts = reader.reviews(limit)
        found = history.entries(facts, {}, Directory(self.domains, reader), reader)
        return tuple(entry for entry in found if entry.holds and not history.is_settled(entry.fact, reader))

    def members(self) -> Iterator[Member]:
        """Every active identity as a matcher sees it, by key; to try or learn a profile on what is stored."""
        after = 0
        while found := self.store.read(partial(_members, after)):
            yield from found
            after = found[-1].key

    def people(self, keys: Iterable[IdentityKey]) -> dict[IdentityKey, IdentityKey]:
        """Which person each of these identities belongs to; a person is named by one of their identities."""
        return self.store.read(partial(_people, list(keys)))

    def member(self, identifier: CX) -> Member:
        """One identity as a matcher sees it. Raises UnknownDomain and UnknownIdentifier."""
        return self.store.read(partial(_member, self._target(identifier)))

    def _decide(self, work: Callable[[Occasion, Transaction], T], by: str, reason: str) -> T:
        if not by:
            raise ValueError("a decision has an author")
        return self.store.transaction(partial(work, self._occasion(f"operator {by}", reason=reason)))

    def _target(self, identifier: CX, ordinal: int = 1) -> Target:
        domain = self.domains.find(identifier.assigning_authority)
        if domain is None:
            raise UnknownDomain
        if domain.trusted:
            raise FeedRejected(Refusal.FOREIGN_DOMAIN, ordinal=ordinal)
        learned = None if domain.configured else domain.authority
        if learned is not None and not learned.universal_id:
            seen = self.store.read(partial(_seen, self.domains, learned))
            return Target(number_of(seen), identifier.id, ordinal, seen)
        return Target(domain.number, identifier.id, ordinal, learned)

    def _occasion(self, origin: str, cause: str = "", reason: str = "") -> Occasion:
        now = self.clock()
        return Occasion(self.policy, self._affinity, _number(now), int(now.timestamp()), origin, cause, reason)

    # ----------------------------------------------------------------- what could not be applied

    def bury(self, message: bytes, *, sender: str, control_id: str, reason: str) -> Future[int]:
        """Keep a message that was refused, as it came, for people to look at; the Future has its number."""
        letter = DeadLetter(
            time=_number(self.clock()), sender=sender, control_id=control_id, reason=reason, message=message
        )
        return self.store.submit(partial(_bury, letter))

    def dead_letters(self, *, settled: bool = False, limit: int = 100) -> list[DeadLetter]:
        """Messages that were refused, the oldest first, without their content."""
        return self.store.read(partial(_dead_letters, settled, limit))

    def dead_letter(self, number: int) -> DeadLetter | None:
        """One of them, with its content."""
        return self.store.read(partial(_dead_letter, number))

    def settle_dead_letter(self, number: int, *, how: str) -> None:
        """Somebody has dealt with it: replayed, corrected, dropped."""
        self.store.transaction(partial(_settle, number, how))


def _targets(found: Sequence[tuple[Domain, CX, int]]) -> tuple[Target, ...]:
    targets: dict[tuple[int, str], Target] = {}
    for domain, cx, position in found:
        if not domain.trusted:
            target = Target(domain.number, cx.id, position, None if domain.configured else domain.authority)
            targets.setdefault(target.name, target)
    return tuple(targets.values())


@lru_cache(1024)
def _sender(application: HD, facility: HD) -> str:
    return f"{application}|{facility}"


def _hash(text: str, size: int, more: bytes = b"") -> int:
    data = text.encode("utf-8", "surrogatepass") + more
    return int.from_bytes(hashlib.blake2b(data, digest_size=size).digest())


def _number(moment: datetime) -> int:
    """A moment in UTC as YYYYMMDDhhmmss."""
    t = moment.utctimetuple()
    return ((((t[0] * 100 + t[1]) * 100 + t[2]) * 100 + t[3]) * 100 + t[4]) * 100 + t[5]


def _seen(domains: Domains, authority: HD, reader: Reader) -> HD:
    domain = Directory(domains, reader).find(authority)
    return authority if domain is None else domain.authority


def _members(after: int, reader: Reader) -> list[Member]:
    keys = reader.all_identities(after=after, limit=_AT_ONCE)
    return [member_of(identity) for identity in reader.identities(keys, whole=True)] if keys else []


_AT_ONCE: Final = 1_000


def _people(keys: list[IdentityKey], reader: Reader) -> dict[IdentityKey, IdentityKey]:
    return {identity.key: identity.group for identity in reader.identities(keys)}


def _member(target: Target, reader: Reader) -> Member:
    identity = reader.identity(target.domain, target.id, whole=True)
    if identity is None or not identity.active:
        raise UnknownIdentifier("the identifier is not known")
    return member_of(identity)


def _bury(letter: DeadLetter, transaction: Transaction) -> int:
    return transaction.bury(letter)


def _dead_letters(settled: bool, limit: int, reader: Reader) -> list[DeadLetter]:
    return reader.dead_letters(settled=settled, limit=limit)


def _dead_letter(number: int, reader: Reader) -> DeadLetter | None:
    return reader.dead_letter(number)


def _settle(number: int, how: str, transaction: Transaction) -> None:
    transaction.settle_dead_letter(number, how)
