"""The Document Registry actor (ITI TF-1, 10.1.1.3): ITI-42, ITI-18, ITI-64, and the registry's side of ITI-8."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, Literal

from xds.datatypes.time import utc_now
from xds.datatypes.tolerances import Tolerances
from xds.metadata.codes import CodeTable
from xds.metadata.registry_object import Submission
from xds.metadata.requests import AdhocQuery, ReturnType
from xds.metadata.rules import Profile
from xds.patients.feed import IdentityFeed
from xds.ports import Clock, Reader, RegistryResponse, StoredObject, Transaction, UnitOfWork
from xds.registry import queries
from xds.registry.link_change import DROPPED, NO_OID, LinkChanges, plan_link_change
from xds.registry.parameters import Arguments, read_arguments, stored_query
from xds.registry.patients import FEED_EVENTS, AppliedFeed, plan_feed
from xds.registry.submit import Plan, examine, make_plan
from xds.vocab.hl7 import FeedEvent

#: Authority of the patient identifiers when nothing else is configured.
DEFAULT_ASSIGNING_AUTHORITY: Final = "1.3.6.1.4.1.21367.13.20.1000"


@dataclass(frozen=True, slots=True, kw_only=True)
class AffinityDomain:
    """The policies of an XDS Affinity Domain (ITI TF-1, 10.2 and Appendix L).

    ``assigning_authority`` is the OID of its patient identifier domain; None accepts identifiers of any authority.
    ``patients``: "known" refuses submissions for a patient the feed did not announce, "any" makes the patient known.
    ``unknown_patient``: a query for a patient who is unknown, or was merged into another, finds nothing ("empty") or
    is refused with XDSUnknownPatientId ("error").
    ``merges``: the registry obeys the merges of its feed by itself ("feed"), or a Patient Identifier Cross-reference
    Manager on the same store does it in the same transaction ("manager").
    ``translate``: a submission or query under another domain's identifier means what a manager on the same store calls
    that person in the affinity domain; otherwise it is refused (XDSUnknownPatientId), or finds nothing.
    ``link_changes``: who may move the documents of a local identifier to another patient (ITI-64), and the code of
    what then is submitted; None refuses it, where the domain's identifiers are assigned here.
    ``home_community_id`` (urn:oid:…) is put on every object of a query's answer when given.
    ``max_results`` objects at most are in one answer; a query that finds more is refused with XDSTooManyResults.
    """

    assigning_authority: str | None = DEFAULT_ASSIGNING_AUTHORITY
    patients: Literal["known", "any"] = "known"
    unknown_patient: Literal["empty", "error"] = "empty"
    merges: Literal["feed", "manager"] = "feed"
    translate: bool = False
    home_community_id: str | None = None
    max_results: int = 10_000
    link_changes: LinkChanges | None = LinkChanges()  # noqa: RUF009 (a frozen value)


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer to a stored query: stored objects; only their ids are meant when ``references`` is true."""

    objects: Sequence[StoredObject]
    references: bool
    home: str | None = None


class DocumentRegistry:
    """Keeps the metadata of one affinity domain in a store, and answers for it. Thread-safe.

    ``codes`` limits codes and MIME types to the domain's; without it any are accepted.
    """

    def __init__(
        self,
        store: UnitOfWork,
        *,
        domain: AffinityDomain | None = None,
        codes: CodeTable | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.store = store
        self.domain = domain or AffinityDomain()
        self.codes = codes
        self.clock = clock
        #: How often a departure from the Framework was tolerated, by its name: of the query grammar, of a rule.
        self.tolerated = Tolerances(logging.getLogger("xds.registry"))

    # ITI-42

    def submit(self, submission: Submission) -> Future[RegistryResponse]:
        """Register Document Set-b, ITI-42 (ITI TF-2, 3.42): the Future resolves when the metadata is on disk.

        RequestRejected carries everything that was found wrong, raised here or by the Future; nothing is stored then.
        The objects of ``submission`` are changed: UUIDs, status, lid, version.
        """
        plan = self.plan(submission)
        return self.store.submit(plan, plan.prepared)

    def register(self, submission: Submission) -> RegistryResponse:
        """``submit`` and wait."""
        return self.submit(submission).result()

    def plan(self, submission: Submission) -> Plan:
        """The part of ITI-42 that needs no store, and the picklable work that does the rest in its writer.

        A repository on the same store runs it in the transaction that makes the documents retrievable.
        """
        domain = self.domain
        notes: list[str] = []
        authority = domain.assigning_authority
        examined = None if domain.translate else authority
        warnings = examine(submission, profile=Profile.XDS, codes=self.codes, authority=examined, notes=notes)
        if notes:
            self.tolerated.count(notes)
        return make_plan(
            submission,
            warnings=warnings,
            prepare=self.store.prepare,
            create_patient=domain.patients == "any",
            now=_number(self.clock()),
            translate_to=authority or "" if domain.translate else "",
        )

    # ITI-18

    def query(self, query: AdhocQuery) -> QueryResult:
        """Registry Stored Query, ITI-18 (ITI TF-2, 3.18): RequestRejected when it is wrong or finds too much."""
        row = stored_query(query)
        notes: list[str] = []
        arguments = read_arguments(query, row, notes)
        if notes:
            self.tolerated.count(notes)
        references = query.return_type == ReturnType.OBJECT_REF
        objects = self.store.read(partial(self._run, arguments, references))
        return QueryResult(objects, references, self.domain.home_community_id)

    def _run(self, arguments: Arguments, references: bool, reader: Reader) -> list[StoredObject]:
        domain = self.domain
        own = domain.assigning_authority if domain.translate else None
        scope = queries.Scope(reader, references, domain.max_results, domain.unknown_patient, own or "")
        return queries.run(scope, arguments)

    # ITI-8, ITI-64

    #: What of a feed concerns a registry.
    feed_events: Final = FEED_EVENTS | {FeedEvent.CHANGE_XAD_PID}

    def apply_feed(self, feed: IdentityFeed) -> Future[AppliedFeed]:
        """Patient Identity Feed, ITI-8: the domain's identifiers become known, or one ends in another.

        Identifiers of others are not its affair (ITI TF-2, 3.8.4.1.4). Notify XAD-PID Link Change, ITI-64: the
        documents of a local identifier move to another patient. The Future resolves when the effect is on disk.
        FeedRejected, raised here or by the Future, is a change that must not be (3.8.4.2.4): nothing has changed then.
        """
        work = self.plan_feed(feed)
        if isinstance(work, partial) and not any(work.args):
            done: Future[AppliedFeed] = Future()
            done.set_result(AppliedFeed((), ()))
            return done
        future = self.store.submit(work)
        if feed.event is FeedEvent.CHANGE_XAD_PID:
            future.add_done_callback(self._note)
        return future

    def plan_feed(self, feed: IdentityFeed) -> Callable[[Transaction], AppliedFeed]:
        """The picklable work of ``apply_feed``, for the store's writer."""
        domain = self.domain
        if feed.event is not FeedEvent.CHANGE_XAD_PID:
            return plan_feed(domain.assigning_authority, feed, merges=domain.merges == "feed")
        now = _number(self.clock())
        change = plan_link_change(domain.assigning_authority, feed, domain.link_changes, now=now)
        if not change.named:
            self.tolerated.count((NO_OID,), feed.sending_facility.namespace_id[:40])
        return change

    def note(self, applied: AppliedFeed) -> None:
        """Count what a feed has cost whose work was run by somebody else."""
        if applied.dropped:
            self.tolerated.count([DROPPED] * applied.dropped)

    def _note(self, done: Future[AppliedFeed]) -> None:
        if not done.cancelled() and done.exception() is None:
            self.note(done.result())


def _number(moment: datetime) -> int:
    """A moment as YYYYMMDDhhmmss in UTC."""
    utc = moment.astimezone(UTC)
    return int(utc.strftime("%Y%m%d%H%M%S"))
