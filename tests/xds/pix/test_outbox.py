from __future__ import annotations

import pytest

from tests.xds.pix.conftest import StillClock, make_region
from tests.xds.pix.people import Region, a, b, person
from xds.patients.domains import number_of
from xds.pix import Consumer
from xds.pix.outbox import DueNotification, Outbox
from xds.stores import SqlStore
from xds.vocab.hl7 import FeedEvent

ALL = Consumer("ALL")
ONLY_B = Consumer("ONLY-B", frozenset({number_of(b("").assigning_authority)}))


@pytest.fixture
def told(store: SqlStore, clock: StillClock) -> Region:
    return make_region(store, clock, consumers=(ALL, ONLY_B))


@pytest.fixture
def outbox(told: Region, clock: StillClock) -> Outbox:
    return Outbox(told.manager.store, domains=told.manager.domains, clock=clock)


def ids(notifications: list[DueNotification]) -> list[list[str]]:
    return [[cx.id for cx in one.identifiers] for one in notifications]


def deliver(outbox: Outbox, consumer: Consumer) -> list[list[str]]:
    due = outbox.claim(consumer)
    for one in due:
        outbox.delivered(one)
    return ids(due)


def test_each_consumer_hears_of_each_new_set_in_its_domains(told: Region, outbox: Outbox) -> None:
    told.admit(a("1"))
    assert deliver(outbox, ALL) == [["1"]]
    assert deliver(outbox, ONLY_B) == []
    told.admit(a("1"), b("2"))
    assert deliver(outbox, ALL) == [["1", "2"]]
    assert deliver(outbox, ONLY_B) == [["2"]]
    told.send(FeedEvent.UPDATE, a("1"), b("2"), demographics=person("Changed"))
    assert deliver(outbox, ALL) == []
    told.send(FeedEvent.UNLINK, a("1"), linked_identifiers=(b("2"),))
    assert sorted(deliver(outbox, ALL)) == [["1"], ["2"]]
    assert deliver(outbox, ONLY_B) == [["2"]]


def test_several_changes_are_told_as_one_and_as_they_are_now(told: Region, outbox: Outbox) -> None:
    told.admit(a("1"))
    told.admit(a("1"), b("2"))
    told.admit(a("1"), b("3"))
    assert deliver(outbox, ALL) == [["1", "2", "3"]]


def test_what_does_not_get_through_is_due_again_later(told: Region, outbox: Outbox, clock: StillClock) -> None:
    told.admit(a("1"))
    [due] = outbox.claim(ALL)
    outbox.postpone(due, seconds=30)
    assert outbox.claim(ALL) == []
    clock.forward(seconds=31)
    [again] = outbox.claim(ALL)
    assert again.attempts == 1
    outbox.give_up(again)
    told.admit(a("1"), b("2"))
    told.admit(b("9"))
    assert deliver(outbox, ALL) == [["9"]]  # only its own person waits
    [dead] = outbox.given_up()
    outbox.drop(dead.number)
    assert deliver(outbox, ALL) == [["1", "2"]]


def test_what_was_given_up_can_be_tried_again(told: Region, outbox: Outbox) -> None:
    told.admit(a("1"))
    [due] = outbox.claim(ALL)
    outbox.give_up(due)
    outbox.revive(due.number)
    assert deliver(outbox, ALL) == [["1"]]


def test_a_sender_that_died_loses_nothing(told: Region, outbox: Outbox) -> None:
    told.admit(a("1"))
    assert len(outbox.claim(ALL)) == 1
    assert outbox.claim(ALL) == []
    outbox.recover()
    assert deliver(outbox, ALL) == [["1"]]


def test_who_is_unknown_again_is_not_told_about(told: Region, outbox: Outbox) -> None:
    told.admit(a("1"))
    deliver(outbox, ALL)
    told.merge(a("1"), a("2"))
    assert deliver(outbox, ALL) == [["2"]]
    told.manager.unmerge(a("1"), by="a clerk")
    assert deliver(outbox, ALL) == [["1"]]
