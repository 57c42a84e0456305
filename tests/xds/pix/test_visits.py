"""Visits that come with a feed: what is kept of them, on SQLite and PostgreSQL."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.xds.pix.conftest import StillClock
from tests.xds.pix.people import HOSPITAL_A, HOSPITAL_B, Region, a, feed, person, x
from xds.datatypes.hl7 import CX, HD, XCN
from xds.patients import compact_visit
from xds.patients.domains import Domain, Domains, Source, number_of
from xds.patients.records import MOST_VISITS, KeptVisit
from xds.patients.terms import VISIT
from xds.patients.visit import Visit
from xds.ports import Reader
from xds.vocab.hl7 import FeedEvent

EARLY, LATE = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)
WARD = Visit(patient_class="I", location=("W1", "R2"), visit_number=CX("V-1", HOSPITAL_A), admit_time="202602011200")


def rows(region: Region, identifier: CX) -> list[KeptVisit]:
    number = number_of(identifier.assigning_authority)

    def read(reader: Reader) -> list[KeptVisit]:
        found = reader.identity(number, identifier.id)
        return [] if found is None else reader.visits([found.key])

    return sorted(region.manager.store.read(read), key=lambda kept: kept.age)


def visits(region: Region, identifier: CX) -> list[Visit]:
    """Those of one identity, the oldest first."""
    return [compact_visit.decode(kept.visit) for kept in rows(region, identifier)]


def found_by_number(region: Region, number: str) -> int:
    return len(region.manager.store.read(lambda reader: reader.with_terms([VISIT + number], limit=9)))


@pytest.mark.parametrize("event", [FeedEvent.ADMIT, FeedEvent.REGISTER, FeedEvent.PREADMIT, FeedEvent.UPDATE])
def test_a_visit_is_kept_with_each_identity_of_the_message(region: Region, event: FeedEvent) -> None:
    assert region.send(event, a("1"), x("P1"), visit=WARD).visits == 2
    assert visits(region, a("1")) == visits(region, x("P1")) == [WARD]
    assert found_by_number(region, "v1") == 2


@pytest.mark.parametrize("event", [FeedEvent.CREATE, FeedEvent.UPDATE_PERSON])
def test_iti_30_is_about_no_visit(region: Region, event: FeedEvent) -> None:
    assert region.send(event, a("1"), visit=WARD).visits == 0
    assert visits(region, a("1")) == []


def test_a_visit_of_somebody_who_is_known(region: Region) -> None:
    region.admit(a("1"))
    assert region.send(FeedEvent.UPDATE, a("1"), visit=WARD).visits == 1
    assert visits(region, a("1")) == [WARD]
    assert found_by_number(region, "v1") == 1


def test_a_visit_that_came_before_is_written_once(region: Region) -> None:
    message = feed(FeedEvent.ADMIT, a("1"), visit=WARD, control_id="", recorded_at=LATE)
    assert region.take(message).visits == 1
    before = rows(region, a("1"))
    again = region.take(message)
    assert (again.visits, again.updated) == (0, 0)
    assert rows(region, a("1")) == before


def test_only_the_whole_content_makes_a_repeat(region: Region) -> None:
    message = feed(FeedEvent.ADMIT, a("1"), visit=WARD)
    region.take(message)
    assert region.take(message).repeated
    moved = replace(message, visit=replace(WARD, location=("W9",)))
    assert region.take(moved).visits == 1
    taken_back = replace(moved, visit=replace(WARD, location=(), deleted=frozenset({"admit_time"})))
    assert region.take(taken_back).visits == 1


def test_fields_of_a_visit_that_are_empty_stay_and_nulls_go(region: Region) -> None:
    discharged = Visit(patient_class="I", visit_number=WARD.visit_number, discharge_time="20260203")
    region.admit(a("1"), visit=WARD)
    region.send(FeedEvent.UPDATE, a("1"), visit=discharged)
    assert visits(region, a("1")) == [replace(WARD, discharge_time="20260203")]
    back = Visit(patient_class="I", visit_number=WARD.visit_number, deleted=frozenset({"discharge_time"}))
    region.send(FeedEvent.UPDATE, a("1"), visit=back)
    assert visits(region, a("1")) == [WARD]


def test_what_a_source_said_of_a_visit_before_does_not_overwrite_what_it_said_later(region: Region) -> None:
    moved = replace(WARD, location=("W2",))
    other = replace(WARD, visit_number=CX("V-2", HOSPITAL_A), admit_time="202601011200")
    region.admit(a("1"), visit=moved, recorded_at=LATE)
    assert region.admit(a("1"), visit=WARD, recorded_at=EARLY).visits == 0
    assert visits(region, a("1")) == [moved]
    assert region.admit(a("1"), visit=other, recorded_at=EARLY).visits == 1  # of this one nothing newer is known
    assert visits(region, a("1")) == [other, moved]
    assert region.admit(a("1"), visit=WARD, recorded_at=EARLY, sending_application=HD("RIS")).visits == 1
    assert visits(region, a("1")) == [other, WARD]  # clocks of two sources are not compared


def test_a_visit_without_number_replaces_the_last_one_without(region: Region) -> None:
    bare = Visit(patient_class="O", hospital_service="CAR", admit_time="20260102")
    region.admit(a("1"), visit=WARD)
    region.send(FeedEvent.UPDATE, a("1"), visit=bare)
    next_one = Visit(patient_class="E")
    region.send(FeedEvent.UPDATE, a("1"), visit=next_one, recorded_at=LATE)
    assert visits(region, a("1")) == [WARD, next_one]
    assert region.send(FeedEvent.UPDATE, a("1"), visit=bare, recorded_at=EARLY).visits == 0


@pytest.mark.parametrize(
    ("one", "other", "kept"),
    [
        (CX("7", HOSPITAL_A), CX("7", HOSPITAL_B), 2),
        (CX("7", HOSPITAL_A), CX("7", HD("", "1.2.3.1", "ISO")), 1),
        (CX("7", HD("HA")), CX(" 7", HOSPITAL_A), 1),  # configured: its namespace means it
        (CX("7"), CX("7", HOSPITAL_A), 1),  # the sender speaks for one domain
        (CX("7", HD("ELSE")), CX("7", HD("ELSE", "9.9", "ISO")), 2),  # nobody configured it
        (CX("7"), CX("8"), 2),
    ],
)
def test_a_visit_is_known_by_its_number_and_authority(
    new_region: Callable[..., Region], one: CX, other: CX, kept: int
) -> None:
    domain = Domain(authority=HOSPITAL_A, sources=(Source(application="HIS"),))
    region = new_region(Domains([domain, Domain(authority=HOSPITAL_B)]))
    for number in (one, other):
        region.admit(a("1"), visit=Visit(patient_class="I", visit_number=number))
    assert len(visits(region, a("1"))) == kept


def test_numbers_without_authority_of_two_senders_are_two_visits(region: Region) -> None:
    for sender in ("HIS", "HIS", "OTHER"):
        visit = Visit(patient_class="I", visit_number=CX("7"))
        region.admit(x("P1"), visit=visit, sending_application=HD(sender))
    assert len(visits(region, x("P1"))) == 2


def numbered(n: int, **more: Any) -> Visit:
    return Visit(patient_class="O", visit_number=CX(f"N{n}", HOSPITAL_A), **more)


def test_the_newest_visits_are_kept(region: Region) -> None:
    day = datetime(2020, 1, 1, tzinfo=UTC)
    for n in range(MOST_VISITS + 2):
        region.admit(a("1"), visit=numbered(n, admit_time=f"{day + timedelta(days=n):%Y%m%d}"))
    assert [v.visit_number.id for v in visits(region, a("1"))] == [f"N{n}" for n in range(2, MOST_VISITS + 2)]
    assert found_by_number(region, "n1") == 0
    assert found_by_number(region, "n2") == 1
    assert region.admit(a("1"), visit=numbered(0, admit_time="2019")).visits == 0
    assert len(visits(region, a("1"))) == MOST_VISITS
    assert found_by_number(region, "n0") == 0
    # another visit of the same number stays found when one of them goes
    region.admit(a("1"), visit=Visit(visit_number=CX("N2", HOSPITAL_B), admit_time="2026"))
    assert found_by_number(region, "n2") == 1


def test_a_visit_without_admission_began_when_it_was_told_of(region: Region, clock: StillClock) -> None:
    region.admit(a("1"), visit=numbered(1), recorded_at=LATE)
    region.admit(a("1"), visit=numbered(2), recorded_at=EARLY)
    clock.forward(days=1)
    region.admit(a("1"), visit=numbered(2, location=("W1",)))
    assert [kept.began for kept in rows(region, a("1"))] == [20260201000000, 20260202000000]
    region.admit(a("1"), visit=numbered(2, admit_time="20260203+0100"))
    region.admit(a("1"), visit=numbered(3, admit_time="yesterday"))
    assert [kept.began for kept in rows(region, a("1"))] == [20260202000000, 20260203000000, 20260302120000]


def test_a_visit_of_a_retired_identifier_is_kept(region: Region) -> None:
    region.admit(a("1"))
    region.admit(a("2"))
    region.merge(a("2"), a("1"))
    region.send(FeedEvent.UPDATE, a("2"), visit=WARD)
    assert visits(region, a("2")) == [WARD]


def test_a_feed_with_a_visit_can_be_sent_to_the_writers_process(region: Region) -> None:
    work = region.manager.plan_feed(feed(FeedEvent.ADMIT, a("1"), visit=WARD))
    assert pickle.loads(pickle.dumps(work)) == work
    assert region.manager.plan_feed(feed(FeedEvent.ADMIT, a("1"), visit=Visit())).visit is None
    with pytest.raises(ValueError, match="attributes of Visit"):
        Visit(deleted=frozenset({"no_such"}))


def test_visits_told_of_by_many_at_once_are_all_kept(region: Region) -> None:
    def ward(number: int) -> None:
        for n in range(6):
            visit = numbered(n % 3, attending_doctors=(XCN(str(number)),))
            region.admit(a("1"), visit=visit, sending_application=HD(f"HIS{number}"))
            region.admit(a("1"), visit=numbered(10 * number + 10), sending_application=HD(f"HIS{number}"))

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(ward, number) for number in range(4)]:
            done.result()
    assert {v.visit_number.id for v in visits(region, a("1"))} == {"N0", "N1", "N2", "N10", "N20", "N30", "N40"}


def test_demographics_that_change_do_not_take_the_visit_from_the_index(region: Region) -> None:
    region.admit(a("1"), visit=WARD)
    region.send(FeedEvent.UPDATE, a("1"), demographics=person("Renamed"))
    assert found_by_number(region, "v1") == 1
