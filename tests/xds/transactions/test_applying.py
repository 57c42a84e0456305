"""One feed, several actors: in one transaction where they share a store."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from xds.datatypes.hl7 import CX
from xds.hl7v2.errors import Hl7Rejected
from xds.patients.feed import FeedRejected, IdentityFeed, Refusal
from xds.ports import Transaction, UnitOfWork
from xds.stores import open_store
from xds.transactions.applying import apply_feed
from xds.vocab.hl7 import FeedEvent

ADMIT = IdentityFeed(event=FeedEvent.ADMIT, identifiers=(CX.of("1", "1.2.3"),))


def note(kind: str, transaction: Transaction) -> str:
    transaction.write_journal(kind, "key", b"")
    return kind


def refuse(transaction: Transaction) -> None:
    raise FeedRejected(Refusal.CYCLE)


class Planner:
    """An actor with work for a store."""

    def __init__(self, store: UnitOfWork, work: Any) -> None:
        self.store = store
        self.work = work
        self.noted: list[str] = []

    def plan_feed(self, feed: IdentityFeed) -> Any:
        return self.work

    def apply_feed(self, feed: IdentityFeed) -> Future[Any]:
        raise AssertionError("its plan is taken")

    def note(self, result: str) -> None:
        self.noted.append(result)


class Receiver:
    """An actor that does it by itself."""

    feed_events = frozenset({FeedEvent.ADMIT})

    def apply_feed(self, feed: IdentityFeed) -> str:
        return "received"


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with open_store(tmp_path / "xds.sqlite", documents=tmp_path / "documents", sweep=False) as opened:
        yield opened


def noted(store: UnitOfWork, kind: str) -> bool:
    return bool(store.read(lambda reader: reader.journal(kind)))


def test_plans_on_one_store_are_all_done_and_everybody_hears_of_it(store: UnitOfWork) -> None:
    one, two = Planner(store, partial(note, "one")), Planner(store, partial(note, "two"))
    whole = apply_feed([one, object(), two], ADMIT)
    assert isinstance(whole, Future)
    assert whole.result() == ["one", "two"]
    assert (one.noted, two.noted) == (["one"], ["two"])


def test_one_that_refuses_undoes_what_the_others_did(store: UnitOfWork) -> None:
    whole = apply_feed([Planner(store, partial(note, "one")), Planner(store, refuse)], ADMIT)
    assert isinstance(whole, Future)
    with pytest.raises(FeedRejected):
        whole.result()
    assert not noted(store, "one")


def test_results_stand_in_the_order_of_the_actors(store: UnitOfWork) -> None:
    whole = apply_feed([Receiver(), Planner(store, partial(note, "one")), Receiver()], ADMIT)
    assert isinstance(whole, Future)
    assert whole.result() == ["received", "one", "received"]


def test_an_event_that_nobody_takes_is_refused() -> None:
    merge = IdentityFeed(event=FeedEvent.MERGE, identifiers=(CX("1"),), prior_identifiers=(CX("2"),))
    with pytest.raises(Hl7Rejected, match="201"):
        apply_feed([Receiver()], merge)
    assert apply_feed([object()], merge) == []
