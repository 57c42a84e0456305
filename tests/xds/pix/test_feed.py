"""The table of odd cases of docs/reference/feeds.md, a test per row, on SQLite and PostgreSQL."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from tests.xds.pix.conftest import StillClock
from tests.xds.pix.people import AFFINITY, HOSPITAL_A, HOSPITAL_B, Region, a, b, feed, person, wire, x
from xds.datatypes.hl7 import CX, HD
from xds.patients import compact
from xds.patients.demographics import Demographics
from xds.patients.domains import Domain, Domains, Source, number_of
from xds.patients.feed import FeedRejected, Refusal
from xds.patients.records import IdentityState
from xds.vocab.hl7 import FeedEvent

MERGES = [event for event in FeedEvent if event.merges]
UNKNOWN_PATIENT = "XDSUnknownPatientId"


def known(region: Region, identifier: CX) -> IdentityState | None:
    number = number_of(identifier.assigning_authority)
    found = region.manager.store.read(lambda reader: reader.identity(number, identifier.id))
    return found.state if found else None


def described(region: Region, identifier: CX) -> Demographics:
    number = number_of(identifier.assigning_authority)
    found = region.manager.store.read(lambda reader: reader.identity(number, identifier.id, whole=True))
    assert found is not None
    return compact.decode(found.demographics)


# --------------------------------------------------------------------------- create and update


@pytest.mark.parametrize("event", [e for e in FeedEvent if e.creates or e.updates])
def test_who_is_not_known_is_created_whatever_the_event(region: Region, event: FeedEvent) -> None:
    applied = region.send(event, x("P1"))
    assert (applied.created, applied.updated) == (1, 0)
    assert region.others(x("P1")) == []
    assert region.submit(x("P1")) is None


def test_identifiers_of_one_message_are_one_persons(region: Region) -> None:
    region.admit(x("P1"), a("7"), b("8"))
    assert region.others(x("P1")) == ["7", "8"]
    assert region.others(a("7"), HOSPITAL_B) == ["8"]
    assert region.others(b("8"), HD.oid(AFFINITY)) == ["P1"]
    region.admit(a("7"), a("9"))
    assert region.others(b("8")) == ["P1", "7", "9"]


def test_a_domain_is_meant_by_each_valid_combination_of_its_names(region: Region) -> None:
    region.admit(x("P1"), a("7"))
    for authority in (HD("HA"), HD.oid("1.2.3.1"), HOSPITAL_A):
        assert region.others(CX("7", authority)) == ["P1"]
    assert region.admit(CX("7", HD("HA"))).created == 0


def test_an_empty_field_stays_as_it_was_and_a_null_goes(region: Region) -> None:
    region.admit(a("7"), demographics=person(sex="F", nationality="NZL"))
    region.send(FeedEvent.UPDATE, a("7"), demographics=person("Invented"))
    assert described(region, a("7")) == person("Invented", sex="F", nationality="NZL")
    region.send(FeedEvent.UPDATE, a("7"), demographics=person("Invented", deleted=frozenset({"nationality"})))
    assert described(region, a("7")) == person("Invented", sex="F")


def test_an_update_of_iti_30_is_the_complete_set(region: Region) -> None:
    region.send(FeedEvent.CREATE, a("7"), demographics=person(sex="F", nationality="NZL"))
    region.send(FeedEvent.UPDATE_PERSON, a("7"), demographics=person(sex="F"))
    assert described(region, a("7")) == person(sex="F")


def test_demographics_of_a_retired_identifier_are_kept_and_nobody_sees_it(region: Region) -> None:
    region.admit(x("P1"))
    region.merge(x("P0"), x("P1"))
    applied = region.send(FeedEvent.UPDATE, x("P0"), demographics=person("Later"))
    assert applied.retired == 1
    assert region.others(x("P0")) is None
    assert region.submit(x("P0")) == UNKNOWN_PATIENT
    assert described(region, x("P0")) == person("Later")


# --------------------------------------------------------------------------- once and in order


def test_a_repeat_is_applied_once(region: Region, clock: StillClock) -> None:
    message = feed(FeedEvent.ADMIT, x("P1"))
    assert region.take(message).created == 1
    region.send(FeedEvent.UPDATE, x("P1"), demographics=person("Invented"))
    clock.forward(hours=1)
    assert region.take(replace(message, message_time="20260301")).repeated
    assert described(region, x("P1")) == person("Invented")


def test_the_same_control_id_with_other_content_is_applied_and_counted(region: Region) -> None:
    region.send(FeedEvent.ADMIT, x("P1"), control_id="1")
    applied = region.send(FeedEvent.ADMIT, x("P2"), control_id="1")
    assert (applied.repeated, applied.reused, applied.created) == (False, True, 1)
    elsewhere = region.send(FeedEvent.ADMIT, x("P1"), control_id="1", sending_application=HD("OTHER"))
    assert (elsewhere.repeated, elsewhere.reused) == (False, False)


def test_outside_the_window_a_message_is_a_new_one(region: Region, clock: StillClock) -> None:
    message = feed(FeedEvent.ADMIT, x("P1"))
    region.take(message)
    clock.forward(days=8)
    assert not region.take(message).repeated


def test_older_demographics_do_not_overwrite_newer_ones_of_their_source(region: Region) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    region.admit(a("7"), demographics=person("Newer"), recorded_at=noon)
    late = region.send(FeedEvent.UPDATE, a("7"), demographics=person("Older"), recorded_at=noon - timedelta(hours=1))
    assert (late.older, late.updated) == (1, 0)
    assert described(region, a("7")) == person("Newer")
    other = {"sending_application": HD("OTHER"), "recorded_at": noon - timedelta(hours=2)}
    assert region.send(FeedEvent.UPDATE, a("7"), demographics=person("Elsewhere"), **other).updated == 1
    late = region.send(FeedEvent.UPDATE, a("7"), demographics=person("Older"), recorded_at=noon - timedelta(hours=1))
    assert late.older == 1


def test_a_time_far_in_the_future_orders_nothing_and_is_reported(region: Region) -> None:
    future = datetime(2126, 3, 1, tzinfo=UTC)
    region.admit(a("7"), demographics=person("Future"), recorded_at=future, recorded_ahead=True)
    region.send(FeedEvent.UPDATE, a("7"), demographics=person("Now"), recorded_at=datetime(2026, 3, 1, tzinfo=UTC))
    assert described(region, a("7")) == person("Now")
    assert region.manager.tolerated.counts() == {"time in the future": 1}


# --------------------------------------------------------------------------- merges


@pytest.mark.parametrize("event", MERGES)
def test_a_merge_retires_one_identifier_and_keeps_the_documents(region: Region, event: FeedEvent) -> None:
    region.admit(x("P0"), a("7"))
    region.admit(x("P1"), b("8"))
    assert region.submit(x("P0")) is None
    assert region.submit(x("P1")) is None
    region.send(event, x("P1"), prior_identifiers=(x("P0"),))
    assert region.others(x("P1")) == ["7", "8"]
    assert region.others(a("7")) == ["P1", "8"]
    assert region.others(x("P0")) is None
    assert region.documents(x("P1")) == [wire(x("P1"))] * 2
    assert region.documents(x("P0")) == []
    assert region.submit(x("P0")) == UNKNOWN_PATIENT


def test_an_unknown_subsumed_identifier_is_retired(region: Region) -> None:
    region.admit(x("P1"))
    region.merge(x("P0"), x("P1"))
    assert known(region, x("P0")) is IdentityState.SUBSUMED
    assert region.submit(x("P0")) == UNKNOWN_PATIENT
    assert region.admit(x("P0")).retired == 1
    assert region.submit(x("P0")) == UNKNOWN_PATIENT


def test_an_unknown_survivor_is_created_with_the_demographics_of_who_ended(region: Region) -> None:
    region.admit(x("P0"), demographics=person("Lasting"))
    region.submit(x("P0"))
    region.merge(x("P0"), x("P1"))
    assert region.others(x("P1")) == []
    assert described(region, x("P1")) == person("Lasting")
    assert region.documents(x("P1")) == [wire(x("P1"))]
    assert region.submit(x("P1")) is None


def test_an_unknown_survivor_is_refused_where_the_operator_wants_that(new_region: Callable[..., Region]) -> None:
    region = new_region(unknown_survivor="refuse")
    region.admit(x("P0"))
    with pytest.raises(FeedRejected) as refused:
        region.merge(x("P0"), x("P1"))
    assert refused.value.reason is Refusal.UNKNOWN_SURVIVOR
    assert region.others(x("P0")) == []


def test_a_merge_with_itself_is_refused(region: Region) -> None:
    region.admit(x("P1"))
    with pytest.raises(FeedRejected) as refused:
        region.merge(x("P1"), x("P1"))
    assert refused.value.reason is Refusal.SELF_MERGE
    assert region.submit(x("P1")) is None


def test_the_reverse_of_an_earlier_merge_and_longer_cycles_are_refused(region: Region) -> None:
    region.merge(x("P1"), x("P2"))
    region.merge(x("P2"), x("P3"))
    for survivor in ("P1", "P2"):
        with pytest.raises(FeedRejected) as refused:
            region.merge(x("P3"), x(survivor))
        assert refused.value.reason is Refusal.CYCLE
    assert region.submit(x("P3")) is None


def test_a_merge_said_again_is_acknowledged_and_changes_nothing(region: Region) -> None:
    region.merge(x("P1"), x("P2"))
    assert region.merge(x("P1"), x("P2")).facts == []
    region.merge(x("P2"), x("P3"))
    assert region.merge(x("P1"), x("P2")).facts == []
    assert len(region.manager.history(x("P1"))) == 2


def test_what_has_ended_in_another_ends_in_nobody_else(region: Region) -> None:
    region.merge(x("P1"), x("P2"))
    with pytest.raises(FeedRejected) as refused:
        region.merge(x("P1"), x("P3"))
    assert (refused.value.reason, refused.value.prior) == (Refusal.ALREADY_SUBSUMED, True)
    with pytest.raises(FeedRejected) as refused:
        region.merge(x("P3"), x("P1"))
    assert (refused.value.reason, refused.value.prior) == (Refusal.ALREADY_SUBSUMED, False)


def test_a_chain_of_merges_leads_to_the_last_survivor(region: Region) -> None:
    for name in ("P1", "P2", "P3"):
        region.admit(x(name))
        region.submit(x(name))
    region.merge(x("P1"), x("P2"))
    region.merge(x("P2"), x("P3"))
    assert region.documents(x("P3")) == [wire(x("P3"))] * 3
    assert region.documents(x("P2")) == region.documents(x("P1")) == []


def test_a_merge_of_two_domains_identifiers_is_refused(region: Region) -> None:
    region.admit(a("7"))
    with pytest.raises(FeedRejected) as refused:
        region.merge(b("7"), a("7"))
    assert (refused.value.reason, refused.value.prior) == (Refusal.FOREIGN_DOMAIN, True)


def test_a_refused_feed_leaves_no_trace(region: Region) -> None:
    message = feed(FeedEvent.MERGE, x("P1"), a("1"), prior_identifiers=(a("0"), b("0")))
    for _ in range(2):  # not taken for a repeat either
        with pytest.raises(FeedRejected):
            region.take(message)
    assert known(region, a("0")) is known(region, a("1")) is known(region, x("P1")) is None


# --------------------------------------------------------------------------- changed identifiers, links


def test_a_changed_identifier_takes_the_documents_along(region: Region) -> None:
    region.admit(x("P1"), a("7"), demographics=person("Changing"))
    region.submit(x("P1"))
    region.send(FeedEvent.CHANGE_IDENTIFIER, x("P2"), prior_identifiers=(x("P1"),))
    assert region.others(a("7")) == ["P2"]
    assert region.documents(x("P2")) == [wire(x("P2"))]
    assert described(region, x("P2")) == person("Changing")
    assert region.send(FeedEvent.CHANGE_IDENTIFIER, x("P2"), prior_identifiers=(x("P1"),)).facts == []


def test_an_identifier_that_is_taken_is_not_changed_to(region: Region) -> None:
    region.admit(x("P1"))
    region.admit(x("P2"))
    with pytest.raises(FeedRejected) as refused:
        region.send(FeedEvent.CHANGE_IDENTIFIER, x("P2"), prior_identifiers=(x("P1"),))
    assert refused.value.reason is Refusal.IDENTIFIER_TAKEN


def test_changing_an_unknown_identifier_does_nothing(region: Region) -> None:
    assert region.send(FeedEvent.CHANGE_IDENTIFIER, x("P2"), prior_identifiers=(x("P1"),)).facts == []
    assert known(region, x("P1")) is known(region, x("P2")) is None


def test_a_link_makes_one_person_of_two_and_its_end_parts_them(region: Region) -> None:
    region.admit(a("7"))
    region.admit(b("8"))
    region.send(FeedEvent.LINK, a("7"), linked_identifiers=(b("8"),))
    assert region.others(a("7")) == ["8"]
    assert region.send(FeedEvent.LINK, b("8"), linked_identifiers=(a("7"),)).facts == []
    region.send(FeedEvent.UNLINK, a("7"), linked_identifiers=(b("8"),))
    assert region.others(a("7")) == region.others(b("8")) == []
    assert region.send(FeedEvent.UNLINK, a("7"), linked_identifiers=(b("8"),)).facts == []


def test_a_link_of_unknown_identifiers_waits_for_them(region: Region) -> None:
    region.send(FeedEvent.LINK, a("7"), linked_identifiers=(b("8"),))
    assert region.others(a("7")) is None
    region.admit(a("7"))
    assert region.others(a("7")) == []
    region.admit(b("8"))
    assert region.others(a("7")) == ["8"]


def test_a_link_of_somebody_who_has_ended_is_refused(region: Region) -> None:
    region.merge(a("6"), a("7"))
    with pytest.raises(FeedRejected) as refused:
        region.send(FeedEvent.LINK, a("6"), linked_identifiers=(b("8"),))
    assert refused.value.reason is Refusal.ALREADY_SUBSUMED


# --------------------------------------------------------------------------- who may say what


def closed() -> Domains:
    rows = [
        Domain(authority=HOSPITAL_A, sources=(Source("HIS", "HA"),)),
        Domain(authority=HOSPITAL_B, sources=(Source("HIS", "HB"),)),
    ]
    return Domains(rows, affinity=AFFINITY)


def test_a_source_does_not_speak_for_anothers_domain(new_region: Callable[..., Region]) -> None:
    region = new_region(closed())
    with pytest.raises(FeedRejected) as refused:
        region.admit(x("P1"), b("8"), sending_facility=HD("HA"))
    assert (refused.value.reason, refused.value.ordinal) == (Refusal.SOURCE_NOT_ALLOWED, 2)
    assert known(region, x("P1")) is None


def test_identifiers_of_unknown_domains_are_left_out_unless_nothing_else_is_there(
    new_region: Callable[..., Region],
) -> None:
    region = new_region(closed())
    unknown = CX("5", HD.oid("9.9.9"))
    region.admit(a("7"), unknown, sending_facility=HD("HA"))
    assert region.others(a("7")) == []
    with pytest.raises(FeedRejected) as refused:
        region.admit(unknown, sending_facility=HD("HA"))
    assert refused.value.reason is Refusal.FOREIGN_DOMAIN


def test_a_missing_authority_is_that_of_the_source(new_region: Callable[..., Region]) -> None:
    region = new_region(closed())
    region.admit(CX("7"), x("P1"), sending_facility=HD("HA"))
    assert region.others(x("P1")) == ["7"]
    region.admit(CX("P2"), sending_facility=HD("HC"))
    assert region.submit(x("P2")) is None


def test_a_feed_of_iti_64_is_no_managers(region: Region) -> None:
    with pytest.raises(FeedRejected) as refused:
        region.manager.apply_feed(feed(FeedEvent.CHANGE_XAD_PID, x("P1"), a("7"), prior_identifiers=(x("P0"),)))
    assert refused.value.reason is Refusal.NOT_SUPPORTED


def test_two_feeds_at_once_make_one_identity(region: Region) -> None:
    messages = [feed(FeedEvent.ADMIT, a("7"), b(str(n % 3)), demographics=person(sex="F")) for n in range(24)]
    works = [partial(work) for work in map(region.manager.plan_feed, messages)]
    applied = [future.result() for future in [region.manager.store.submit(work) for work in works]]
    assert sum(one.created for one in applied) == 4
    assert region.others(a("7")) == ["0", "1", "2"]


def test_the_work_of_a_feed_travels_to_the_process_that_writes(region: Region) -> None:
    work = region.manager.plan_feed(feed(FeedEvent.ADMIT, x("P1"), a("7")))
    again = pickle.loads(pickle.dumps(work))  # our own
    assert again == work
    assert region.manager.store.transaction(again).created == 2
    refused = FeedRejected(Refusal.CYCLE, prior=True, ordinal=3)
    copy = pickle.loads(pickle.dumps(refused))
    assert (copy.reason, copy.prior, copy.ordinal) == (refused.reason, True, 3)
