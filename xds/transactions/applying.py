"""One identity feed, every actor that takes it: on one store in one transaction (DESIGN: who owns the transaction)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from functools import partial
from threading import Lock
from typing import Any

from xds.hl7v2.errors import Location, reject
from xds.patients.feed import IdentityFeed
from xds.ports import Transaction, UnitOfWork
from xds.vocab.hl7 import Hl7ErrorCode


def apply_feed(actors: Sequence[object], feed: IdentityFeed) -> list[Any] | Future[list[Any]]:
    """What each actor that takes this event did with it, in their order. Hl7Rejected when nobody takes it.

    Actors with ``plan_feed`` say what is to be done in the store; what they plan on one store is done in one
    transaction, all of it or nothing. Others have ``apply_feed``; they may return a Future that is done when the effect
    is on disk; then so do we, done when all are. The first failure is the failure of the whole.
    """
    taking = [
        actor
        for actor in actors
        if hasattr(actor, "apply_feed") and feed.event in getattr(actor, "feed_events", (feed.event,))
    ]
    if not taking and any(hasattr(actor, "apply_feed") for actor in actors):
        where = Location("MSH", 1, 9, 1, 2)
        raise reject(Hl7ErrorCode.UNSUPPORTED_EVENT_CODE, where, "nobody here takes this event")
    results: list[Any] = [None] * len(taking)
    planned: dict[int, tuple[UnitOfWork, list[tuple[int, Any]]]] = {}
    for place, actor in enumerate(taking):
        plan, store = getattr(actor, "plan_feed", None), getattr(actor, "store", None)
        if plan is not None and store is not None:
            planned.setdefault(id(store), (store, []))[1].append((place, plan(feed)))
    for place, actor in enumerate(taking):
        if not any(place == at for _, plans in planned.values() for at, _ in plans):
            results[place] = actor.apply_feed(feed)
    pending: list[tuple[int | tuple[int, ...], Future[Any]]] = [
        (place, result) for place, result in enumerate(results) if isinstance(result, Future)
    ]
    for store, plans in planned.values():
        places = tuple(place for place, _ in plans)
        future = store.submit(partial(_run, tuple(work for _, work in plans)))
        notes = [getattr(taking[place], "note", None) for place in places]
        if any(notes):
            future.add_done_callback(partial(_note, notes))
        pending.append((places, future))
    if not pending:
        return results
    if len(planned) == len(pending) == 1 and len(places) == len(results):
        return future
    together = _Together(results, len(pending))
    for at, one in pending:
        one.add_done_callback(partial(together.settle, at))
    return together.whole


def _run(works: Sequence[Callable[[Transaction], Any]], transaction: Transaction) -> list[Any]:
    return [work(transaction) for work in works]


def _note(notes: Sequence[Callable[[Any], None] | None], done: Future[list[Any]]) -> None:
    """Tell each actor what became of its part."""
    if not done.cancelled() and done.exception() is None:
        for note, result in zip(notes, done.result(), strict=True):
            if note is not None:
                note(result)


class _Together:
    """One Future for several results, some of which are Futures. It refers to none of these, as they refer to it."""

    def __init__(self, results: Sequence[Any], pending: int) -> None:
        self.whole: Future[list[Any]] = Future()
        self.whole.set_running_or_notify_cancel()
        self._results = [None if isinstance(result, Future) else result for result in results]
        self._failed = False
        self._pending = pending
        self._lock = Lock()

    def settle(self, places: int | tuple[int, ...], done: Future[Any]) -> None:
        """``done`` has the result of one place, or a list of those of several."""
        error = CancelledError() if done.cancelled() else done.exception()
        with self._lock:
            if self._failed:
                return
            if error is None:
                if isinstance(places, int):
                    self._results[places] = done.result()
                else:
                    for place, value in zip(places, done.result(), strict=True):
                        self._results[place] = value
            self._failed = error is not None
            self._pending -= 1
            waiting = self._pending > 0
        if error is not None:
            self.whole.set_exception(error)
        elif not waiting:
            self.whole.set_result(self._results)
