"""ITI-8 Patient Identity Feed (ITI TF-2 3.8): ADT^A01, A04, A05, A08, A40 in HL7 v2.3.1.

A18, A34 and A36, by which older systems merge, are taken as well. Every actor of the server that has an
``apply_feed`` gets every event: the Document Registry, and the Patient Identifier Cross-reference Manager.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from functools import partial
from threading import Lock
from typing import Any, Final

from xds.hl7v2.adt import read_feed, refusal, write_feed
from xds.hl7v2.er7 import Message
from xds.hl7v2.errors import Hl7Rejected, Location, reject
from xds.patients.feed import FeedRejected, IdentityFeed
from xds.transactions.base import Hl7v2, Hl7v2Request, Hl7v2Transaction
from xds.vocab.actors import Actor
from xds.vocab.hl7 import FeedEvent, Hl7ErrorCode

_VERSION: Final = "2.3.1"
# read into the value, but no actor here performs them yet: refused rather than acknowledged without effect
_NOT_PERFORMED: Final = frozenset(event for event in FeedEvent if event.has_prior or event.links)


# --------------------------------------------------------------------------- message ↔ value


def decode_request(request: Hl7v2Request) -> IdentityFeed:
    """The event of an ADT message. Raises Hl7Rejected: 100 without PID or MRG, 101 without an identifier in them."""
    return read_feed(
        request.message,
        FeedEvent(request.header.trigger),
        request.feed,
        received=request.received,
        tolerate=request.tolerated,
    )


def encode_request(feed: IdentityFeed, *, charset: str = "utf-8") -> Message:
    """The ADT message that says this in HL7 v2.3.1, for a Patient Identity Source.

    ``charset`` is the Python codec to write; MSH-18 announces it. ``control_id`` and ``message_time`` must be set.
    """
    return write_feed(feed, version=_VERSION, charset=charset)


def explain(request: Hl7v2Request, error: BaseException) -> Hl7Rejected | None:
    """The refusal of an actor as the answer: AE or AR, code and location."""
    return refusal(FeedEvent(request.header.trigger), error) if isinstance(error, FeedRejected) else None


# --------------------------------------------------------------------------- actors


def perform(actors: Sequence[object], feed: IdentityFeed) -> list[Any] | Future[list[Any]]:
    """Hand the event to ``apply_feed`` of every actor that has one, in order; what each did.

    An actor may return a Future that is done when the effect is on disk; then so do we: done when all are. The first
    failure is the failure of the whole.
    """
    if feed.event in _NOT_PERFORMED:
        raise reject(Hl7ErrorCode.UNSUPPORTED_EVENT_CODE, Location("MSH", 1, 9, 1, 2), "merging is not supported")
    receivers = [getattr(actor, "apply_feed", None) for actor in actors]
    results = [apply_feed(feed) for apply_feed in receivers if apply_feed is not None]
    pending = [(n, result) for n, result in enumerate(results) if isinstance(result, Future)]
    if not pending:
        return results
    together = _Together(results, len(pending))
    for n, result in pending:
        result.add_done_callback(partial(together.settle, n))
    return together.whole


class _Together:
    """One Future for several results, some of which are Futures. It refers to none of these, as they refer to it."""

    def __init__(self, results: Sequence[Any], pending: int) -> None:
        self.whole: Future[list[Any]] = Future()
        self.whole.set_running_or_notify_cancel()
        self._results = [None if isinstance(result, Future) else result for result in results]
        self._failed = False
        self._pending = pending
        self._lock = Lock()

    def settle(self, n: int, done: Future[Any]) -> None:
        error = CancelledError() if done.cancelled() else done.exception()
        with self._lock:
            if self._failed:
                return
            if error is None:
                self._results[n] = done.result()
            self._failed = error is not None
            self._pending -= 1
            waiting = self._pending > 0
        if error is not None:
            self.whole.set_exception(error)
        elif not waiting:
            self.whole.set_result(self._results)


ITI_8 = Hl7v2Transaction(
    number="ITI-8",
    name="Patient Identity Feed",
    initiators=(Actor.PATIENT_IDENTITY_SOURCE,),
    responders=(Actor.PATIENT_IDENTIFIER_CROSS_REFERENCE_MANAGER, Actor.DOCUMENT_REGISTRY),
    binding=Hl7v2(
        "ADT",
        frozenset(
            {
                FeedEvent.ADMIT,
                FeedEvent.REGISTER,
                FeedEvent.PREADMIT,
                FeedEvent.UPDATE,
                FeedEvent.MERGE,
                FeedEvent.MERGE_INFORMATION,
                FeedEvent.MERGE_IDENTIFIER,
                FeedEvent.MERGE_IDENTIFIER_AND_ACCOUNT,
            }
        ),
        _VERSION,
    ),
    decode_request=decode_request,
    perform=perform,
    explain=explain,
)
