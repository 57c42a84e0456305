from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta

import hl7apy.parser
import pytest

from xds.datatypes.hl7 import CX, HD, XCN
from xds.hl7v2.adt import read_feed, refusal
from xds.hl7v2.er7 import parse
from xds.hl7v2.errors import Hl7Rejected
from xds.hl7v2.feeds import Feed
from xds.patients.feed import FeedRejected, IdentityFeed, Refusal
from xds.patients.visit import Visit
from xds.vocab.hl7 import AckCode, FeedEvent

MERGES = sorted(event for event in FeedEvent if event.merges)
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def read(
    trigger: str,
    *segments: str,
    feed: Feed | None = None,
    tolerated: list[str] | None = None,
    sent: str = "20260101120000",
    recorded: str = "20260101115900",
) -> IdentityFeed:
    head = f"MSH|^~\\&|HIS|H01|REG|XDS|{sent}||ADT^{trigger}|C1|P|2.3.1", f"EVN|{trigger}|{recorded}"
    message = parse("\r".join((*head, *segments)).encode())
    tolerate = (tolerated if tolerated is not None else []).append
    return read_feed(message, FeedEvent(trigger), feed or Feed(), received=NOW, tolerate=tolerate)


def refused(trigger: str, *segments: str) -> str:
    with pytest.raises(Hl7Rejected) as error:
        read(trigger, *segments)
    return str(error.value)


# --------------------------------------------------------------------------- merges


@pytest.mark.parametrize("trigger", MERGES)
def test_every_merge_ends_mrg_1_and_keeps_pid_3(trigger: str) -> None:
    feed = read(trigger, "PID|||1^^^A", "MRG|2^^^A~3^^^A||||||Lindqvist^Tove", "PV1|1|N")
    assert feed.event.merges
    assert feed.identifiers == (CX("1", HD("A")),)
    assert feed.prior_identifiers == (CX("2", HD("A")), CX("3", HD("A")))
    assert feed.prior_names[0].family_name == "Lindqvist"


@pytest.mark.parametrize(
    ("segments", "tolerated"),
    [
        (("PID|||1^^^A", "MRG|2^^^A", "MRG|3^^^A"), ["MRG repeated in a merge"]),
        (
            ("PID|||1^^^A", "MRG|2^^^A", "PID|||1^^^A", "MRG|3^^^A"),
            ["PID repeated in a merge", "MRG repeated in a merge"],
        ),
    ],
)
def test_several_may_end_in_one_survivor(segments: tuple[str, ...], tolerated: list[str]) -> None:
    noted: list[str] = []
    feed = read("A40", *segments, tolerated=noted)
    assert [cx.id for cx in feed.prior_identifiers] == ["2", "3"]
    assert noted == tolerated


def test_a_merge_into_two_patients_is_refused_whole() -> None:
    assert refused("A40", "PID|||1^^^A", "MRG|2^^^A", "PID|||3^^^A", "MRG|4^^^A").startswith("100 ")
    assert refused("A40", "PID|||1^^^A", "MRG|2^^^A", "PID|||3^^^A", "MRG|4^^^A").endswith("at PID^2")
    assert refused("A40", "PID|||1^^^A", "MRG|2^^^A", "MRG|").endswith("101 Required field missing at MRG^2^1")


def test_identifiers_without_authority_get_that_of_the_sender_in_every_segment() -> None:
    authority = HD("H", "1.2.3", "ISO")
    agreed = Feed(assigning_authority=authority)
    assert read("A34", "PID|||1", "MRG|2", feed=agreed).prior_identifiers == (CX("2", authority),)
    assert read("A24", "PID|||1", "PID|||2", feed=agreed).linked_identifiers == (CX("2", authority),)


# --------------------------------------------------------------------------- links, changes


@pytest.mark.parametrize("trigger", ["A24", "A37"])
def test_a_link_is_between_two_lists(trigger: str) -> None:
    feed = read(trigger, "PID|||1^^^A~2^^^B", "PV1|1|N", "PID|||3^^^A")
    assert feed.event.links
    assert [cx.id for cx in feed.identifiers] == ["1", "2"]
    assert feed.linked_identifiers == (CX("3", HD("A")),)
    assert feed.visit is None


@pytest.mark.parametrize(
    ("segments", "error"),
    [
        (("PID|||1^^^A",), "100 Segment sequence error at PID^2"),
        (("PID|||1^^^A", "PID|||2^^^A", "PID|||3^^^A"), "100 Segment sequence error at PID^3"),
        (("PID|||1^^^A", "PID|||"), "101 Required field missing at PID^2^3"),
        (("PID|||1^^^A", "PID|||^^^A"), "101 Required field missing at PID^2^3^1^1"),
    ],
)
def test_a_link_of_other_than_two_is_refused(segments: tuple[str, ...], error: str) -> None:
    assert refused("A24", *segments) == error


def test_an_identifier_is_changed() -> None:
    feed = read("A47", "PID|||new^^^A", "MRG|old^^^A")
    assert not feed.event.merges
    assert (feed.identifiers[0].id, feed.prior_identifiers[0].id) == ("new", "old")


def test_a_message_about_two_patients_is_refused() -> None:
    assert refused("A01", "PID|||1^^^A", "PID|||2^^^A") == "100 Segment sequence error at PID^2"


# --------------------------------------------------------------------------- ITI-64


def test_the_places_of_xad_pid_and_local_id_are_their_meaning() -> None:
    feed = read("A43", "PID|||X2^^^&1.2&ISO~L1^^^&1.3&ISO||| ", "MRG|X1^^^&1.2&ISO~L0^^^&1.3&ISO")
    assert feed.identifiers == (CX.of("X2", "1.2"), CX.of("L1", "1.3"))
    assert feed.prior_identifiers == (CX.of("X1", "1.2"), CX.of("L0", "1.3"))
    assert read("A43", "PID|||X2^^^&1.2&ISO~L1^^^&1.3&ISO", "MRG|X1^^^&1.2&ISO~").prior_identifiers == (
        CX.of("X1", "1.2"),
    )


@pytest.mark.parametrize(
    ("pid", "mrg", "where"),
    [
        ("X2^^^&1.2&ISO", "X1^^^&1.2&ISO", "PID^1^3^2"),
        ("~L1^^^&1.3&ISO", "X1^^^&1.2&ISO", "PID^1^3^1^1"),
        ("X2^^^NS~L1^^^&1.3&ISO", "X1^^^&1.2&ISO", "PID^1^3^1^4"),
        ("X2^^^&1.2&ISO~L1^^^&1.3", "X1^^^&1.2&ISO", "PID^1^3^2^4"),
        ("X2^^^&1.2&ISO~L1^^^&1.3&ISO", "", "MRG^1^1^1"),
        ("X2^^^&1.2&ISO~L1^^^&1.3&ISO", "X1^^^&1.2&ISO~L0", "MRG^1^1^2^4"),
    ],
)
def test_an_incomplete_link_change_is_refused_at_its_place(pid: str, mrg: str, where: str) -> None:
    assert refused("A43", f"PID|||{pid}", f"MRG|{mrg}") == f"101 Required field missing at {where}"


# --------------------------------------------------------------------------- visits


def test_a_visit_is_read_where_the_message_is_about_one() -> None:
    pv1 = "PV1|1|I|W1^R2^B3^HOSP&1.2&ISO||||7^Ferro^Aldo~8^Ito|||CAR|||||||||V9^^^A|" + "|" * 24 + "202601010800"
    visit = Visit(
        patient_class="I",
        location=("W1", "R2", "B3", "HOSP&1.2&ISO"),
        attending_doctors=(XCN("7", "Ferro", "Aldo"), XCN("8", "Ito")),
        hospital_service="CAR",
        visit_number=CX("V9", HD("A")),
        admit_time="202601010800",
    )
    assert read("A01", "PID|||1^^^A", pv1).visit == visit
    assert read("A28", "PID|||1^^^A", pv1).visit is None


@pytest.mark.parametrize("pv1", ["PV1|1|N", "PV1", "PV1||", "PV1|1|N|||||||||", "PV2|"])
def test_no_visit_is_none(pv1: str) -> None:
    assert read("A08", "PID|||1^^^A", pv1).visit is None


# --------------------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("sent", "recorded", "expected", "tolerated"),
    [
        ("20260101120000", "20260101110000", NOW - timedelta(hours=9), []),
        ("20260101120000", "", NOW - timedelta(hours=8), []),
        ("20260101120000", "yesterday", NOW - timedelta(hours=8), ["time not readable"]),
        ("20260101120000+0100", "20260101110000", NOW - timedelta(hours=2), []),
        ("20260101120000+0100", "20260101110000+0200", NOW - timedelta(hours=3), []),
        ("never", "", None, ["time not readable"]),
        ("", "", None, []),
        ("20260101120000", "20260102190000", NOW + timedelta(hours=23), []),
        ("20260101120000", "20260102210000", NOW + timedelta(hours=25), ["time far in the future"]),
    ],
)
def test_when_it_was_recorded_is_a_moment(
    sent: str, recorded: str, expected: datetime | None, tolerated: list[str]
) -> None:
    noted: list[str] = []
    agreed = Feed(time_zone="+08:00")
    feed = read("A08", "PID|||1^^^A", sent=sent, recorded=recorded, feed=agreed, tolerated=noted)
    assert feed.recorded_at == expected
    assert noted == tolerated
    assert feed.recorded_ahead == ("time far in the future" in tolerated)
    assert (feed.message_time, feed.recorded_time) == (sent, recorded)


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("event", "error", "answer"),
    [
        ("A40", FeedRejected(Refusal.SELF_MERGE, prior=True), "205 Duplicate key identifier at MRG^1^1^1^1"),
        ("A40", FeedRejected(Refusal.CYCLE, prior=True), "205 Duplicate key identifier at MRG^1^1^1^1"),
        ("A40", FeedRejected(Refusal.UNKNOWN_SURVIVOR), "204 Unknown Key Identifier at PID^1^3^1^1"),
        (
            "A40",
            FeedRejected(Refusal.UNKNOWN_IDENTIFIER, prior=True, ordinal=2),
            "204 Unknown Key Identifier at MRG^1^1^2^1",
        ),
        ("A40", FeedRejected(Refusal.ALREADY_SUBSUMED, prior=True), "204 Unknown Key Identifier at MRG^1^1^1^1"),
        ("A01", FeedRejected(Refusal.FOREIGN_DOMAIN, ordinal=3), "204 Unknown Key Identifier at PID^1^3^3^4"),
        ("A01", FeedRejected(Refusal.SOURCE_NOT_ALLOWED), "204 Unknown Key Identifier at PID^1^3^1^4"),
        ("A24", FeedRejected(Refusal.FOREIGN_DOMAIN, prior=True), "204 Unknown Key Identifier at PID^2^3^1^4"),
        ("A47", FeedRejected(Refusal.IDENTIFIER_TAKEN), "205 Duplicate key identifier at PID^1^3^1^1"),
        ("A40", FeedRejected(Refusal.NOT_SUPPORTED), "201 Unsupported event code at MSH^1^9^1^2"),
    ],
)
def test_a_refusal_of_an_actor_is_an_answer_with_the_place(event: str, error: FeedRejected, answer: str) -> None:
    rejected = refusal(FeedEvent(event), error)
    assert str(rejected) == answer
    assert rejected.ack_code == (AckCode.AR if error.reason is Refusal.NOT_SUPPORTED else AckCode.AE)


@pytest.mark.parametrize("reason", Refusal)
def test_every_refusal_has_an_answer_and_survives_pickling(reason: Refusal) -> None:
    error = FeedRejected(reason, prior=True, ordinal=2)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.reason, copy.prior, copy.ordinal) == (reason, True, 2)
    assert refusal(FeedEvent.MERGE, copy).errors[0].text == str(reason)


@pytest.mark.parametrize(
    ("trigger", "segments", "error", "where"),
    [
        ("A01", ("PID|||~1^^^A~^^^B~2^^^B",), FeedRejected(Refusal.FOREIGN_DOMAIN, ordinal=2), "PID^1^3^4^4"),
        (
            "A40",
            ("PID|||1^^^A", "MRG|2^^^A", "MRG|~3^^^A"),
            FeedRejected(Refusal.CYCLE, prior=True, ordinal=2),
            "MRG^2^1^2^1",
        ),
        ("A24", ("PID|||1^^^A", 'PID|||""~3^^^A'), FeedRejected(Refusal.SELF_MERGE, prior=True), "PID^2^3^2^1"),
        ("A01", ("PID|||1^^^A",), FeedRejected(Refusal.FOREIGN_DOMAIN, ordinal=7), "PID^1^3^7^4"),
    ],
)
def test_the_place_is_that_in_the_message(
    trigger: str, segments: tuple[str, ...], error: FeedRejected, where: str
) -> None:
    message = parse("\r".join(("MSH|^~\\&|A|B|C|D|2026||ADT^" + trigger + "|1|P|2.5", *segments)).encode())
    assert str(refusal(FeedEvent(trigger), error, message).errors[0].location) == where


# --------------------------------------------------------------------------- second opinion


def test_hl7apy_reads_the_same_visit() -> None:
    head = "MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5\rEVN||2026"
    text = f"{head}\rPID|||1^^^A||Ito^Rin\rPV1||I|W1^R2|||||||CAR|||||||||V9^^^A"
    theirs = hl7apy.parser.parse_message(text, find_groups=False)
    visit = read("A01", *text.split("\r")[2:]).visit
    assert visit is not None
    assert (theirs.pv1.pv1_3.pl_1.to_er7(), theirs.pv1.pv1_3.pl_2.to_er7()) == visit.location
    assert theirs.pv1.pv1_10.to_er7() == visit.hospital_service
    assert theirs.pv1.pv1_19.cx_1.to_er7() == visit.visit_number.id
