"""Many at once, on both databases: whatever the order, the result is one that some order gives."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.xds.pix.people import Region, a, b, feed, wire, x
from tests.xds.registry.build import entry, submission
from xds.datatypes.hl7 import HD
from xds.errors import RequestRejected
from xds.patients.feed import FeedRejected
from xds.transactions.applying import apply_feed
from xds.vocab.hl7 import FeedEvent


def outcome(future: Future[object]) -> str:
    try:
        future.result()
    except (FeedRejected, RequestRejected) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("turn", range(5))
def test_a_merge_and_a_submission_for_the_subsumed_identifier(region: Region, turn: int) -> None:
    region.admit(x("P0"))
    region.admit(x("P1"))
    merge = feed(FeedEvent.MERGE, x("P1"), prior_identifiers=(x("P0"),))
    futures: list[Future[object]] = []
    for n in range(8):
        if n == turn:
            futures.append(apply_feed([region.manager, region.registry], merge))  # type: ignore[arg-type]
        futures.append(region.registry.submit(submission(entry(patient=wire(x("P0"))))))  # type: ignore[arg-type]
    refused = [text for text in map(outcome, futures) if text]
    assert all("XDSUnknownPatientId" in text for text in refused)
    assert region.documents(x("P1")) == [wire(x("P1"))] * (8 - len(refused))
    assert region.documents(x("P0")) == []


def test_eight_feeds_at_once_lose_double_and_halve_nothing(region: Region) -> None:
    def hospital(number: int) -> None:
        for n in range(12):
            region.admit(a(str(n)), b(str(n)), sending_application=_name(number))
            if n % 3 == number % 3:
                region.merge(b(str(n + 100)), b(str(n)), sending_application=_name(number))

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(hospital, number) for number in range(8)]:
            done.result()
    for n in range(12):
        assert region.others(a(str(n))) == [str(n)]
        assert region.others(b(str(n + 100))) is None
        facts = region.manager.history(a(str(n)))
        assert len(facts) == 2  # named together once, merged once


def _name(number: int) -> HD:
    return HD(f"HIS{number}")
