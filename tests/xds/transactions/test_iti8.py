from __future__ import annotations

import csv
from collections import Counter
from concurrent.futures import CancelledError, Future
from datetime import UTC, datetime
from pathlib import Path

import hl7apy.parser
import pytest

from xds.datatypes.hl7 import CX, HD, XPN
from xds.hl7v2.batch import read_batch
from xds.hl7v2.er7 import parse
from xds.hl7v2.errors import Hl7Rejected
from xds.hl7v2.feeds import Feed
from xds.hl7v2.segments import read_header
from xds.hl7v2.strict import validate
from xds.patients.demographics import Demographics
from xds.patients.feed import IdentityFeed
from xds.patients.visit import Visit
from xds.transactions.base import Hl7v2Request
from xds.transactions.hl7v2 import HL7V2_TRANSACTIONS
from xds.transactions.iti8 import ITI_8, decode_request, encode_request, perform
from xds.vocab.hl7 import STRUCTURES, FeedEvent

OID = "1.3.6.1.4.1.21367.13.20.1000"
PID = f"PID|||P1^^^&{OID}&ISO~L9^^^HIS||APPLESEED^JOHN^A^^^^L||19710101|M|||1 CATALYZE STREET^^MADISON^WI^53005-1020"


def decode(segments: str, *, trigger: str = "A01", feed: Feed | None = None) -> IdentityFeed:
    msh = f"MSH|^~\\&|HIS^1.9^ISO|H01|REG|XDS|20260101120000||ADT^{trigger}|C1|P|2.3.1"
    message = parse(f"{msh}\rEVN|{trigger}|20260101115900||||20260101115800\r{segments}\r".encode())
    return decode_request(Hl7v2Request(message, read_header(message), feed or Feed()))


@pytest.mark.parametrize("event", [e for e in FeedEvent if e.creates or e.updates])
def test_a_feed_says_who_what_when_and_from_whom(event: FeedEvent) -> None:
    feed = decode(PID, trigger=event)
    assert feed.event is event
    assert feed.identifiers == (CX.of("P1", OID), CX("L9", HD("HIS")))
    assert feed.of_domain(OID) == (f"P1^^^&{OID}&ISO",)
    assert feed.demographics.names == (XPN("APPLESEED", "JOHN", "A", name_type_code="L"),)
    assert feed.demographics.addresses[0].zip_code == "53005-1020"
    assert (feed.sending_application, feed.sending_facility) == (HD("HIS", "1.9", "ISO"), HD("H01"))
    assert (feed.control_id, feed.message_time) == ("C1", "20260101120000")
    assert (feed.recorded_time, feed.occurred_time) == ("20260101115900", "20260101115800")


def test_a_merge_ends_mrg_1_and_keeps_pid_3() -> None:
    feed = decode(f"{PID}\rMRG|P0^^^&{OID}&ISO||||||OLDHAM^NELLY", trigger="A40")
    assert feed.of_domain(OID) == (f"P1^^^&{OID}&ISO",)
    assert feed.prior_of_domain(OID) == (f"P0^^^&{OID}&ISO",)
    assert feed.prior_names == (XPN("OLDHAM", "NELLY"),)


@pytest.mark.parametrize(
    ("segments", "trigger", "error"),
    [
        ("PV1|1|N", "A01", "100 Segment sequence error at PID^1"),
        ("PID|1", "A01", "101 Required field missing at PID^1^3"),
        ("PID|||", "A08", "101 Required field missing at PID^1^3"),
        ('PID|||""', "A01", "101 Required field missing at PID^1^3"),
        (f"PID|||^^^&{OID}&ISO", "A01", "101 Required field missing at PID^1^3^1^1"),
        (PID, "A40", "100 Segment sequence error at MRG^1"),
        (PID + "\rMRG|", "A40", "101 Required field missing at MRG^1^1"),
        (PID + "\rMRG|^^^A", "A40", "101 Required field missing at MRG^1^1^1^1"),
    ],
)
def test_a_feed_without_a_patient_is_refused_with_the_place(segments: str, trigger: str, error: str) -> None:
    with pytest.raises(Hl7Rejected) as refused:
        decode(segments, trigger=trigger)
    assert str(refused.value) == error


def test_a_missing_authority_is_filled_from_what_was_agreed_with_the_sender() -> None:
    feed = Feed(assigning_authority=HD("H01", "1.2.3", "ISO"))
    read = decode("PID|||1~2^^^X\rMRG|3", trigger="A40", feed=feed)
    assert read.identifiers == (CX("1", HD("H01", "1.2.3", "ISO")), CX("2", HD("X")))
    assert read.prior_identifiers == (CX("3", HD("H01", "1.2.3", "ISO")),)


# --------------------------------------------------------------------------- writing

VISITS = {FeedEvent.ADMIT, FeedEvent.REGISTER, FeedEvent.PREADMIT, FeedEvent.UPDATE}


def example(event: FeedEvent) -> IdentityFeed:
    return IdentityFeed(
        event=event,
        identifiers=(CX.of("P1", OID), CX("7", HD("HIS", "1.2.3", "ISO"), "MR")),
        demographics=Demographics(names=(XPN("東", "明"),), birth_time="19700101", sex="F"),
        prior_identifiers=(CX.of("P0", OID),) if event.has_prior else (),
        linked_identifiers=(CX.of("P2", OID),) if event.links else (),
        visit=Visit(patient_class="I", location=("W1", "R2")) if event in VISITS else None,
        sending_application=HD("HIS"),
        sending_facility=HD("H01", "1.9", "ISO"),
        receiving_application=HD("REG"),
        receiving_facility=HD("XDS"),
        control_id="C1",
        message_time="20260101120000",
        recorded_time="20260101120000",
        occurred_time="20260101115900",
        recorded_at=datetime(2026, 1, 1, 12, tzinfo=UTC),
    )


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
@pytest.mark.parametrize("event", sorted(ITI_8.binding.triggers))
def test_what_a_source_sends_is_read_again(event: FeedEvent, charset: str) -> None:
    message = parse(bytes(encode_request(example(event), charset=charset)))
    assert message.charset == charset
    assert decode_request(Hl7v2Request(message, read_header(message), Feed())) == example(event)
    assert message.value("MSH-9.3") == STRUCTURES[event]


@pytest.mark.parametrize("event", sorted(ITI_8.binding.triggers))
def test_what_a_source_sends_is_valid_by_its_version(event: FeedEvent) -> None:
    assert validate(encode_request(example(event))) == []


def test_a_message_needs_a_control_id_and_a_time() -> None:
    with pytest.raises(ValueError, match="MSH-10"):
        encode_request(IdentityFeed(event=FeedEvent.ADMIT, identifiers=(CX("1"),)))


# --------------------------------------------------------------------------- actors


class Receiver:
    """An actor of somebody else's that takes feeds."""

    def __init__(self, result: object = None) -> None:
        self.result = result
        self.feeds: list[IdentityFeed] = []

    def apply_feed(self, feed: IdentityFeed) -> object:
        self.feeds.append(feed)
        return self.result


def test_every_actor_that_takes_feeds_gets_it_and_the_others_do_not_matter() -> None:
    one, two = Receiver("one"), Receiver("two")
    feed = example(FeedEvent.ADMIT)
    assert perform([one, object(), two], feed) == ["one", "two"]
    assert one.feeds == two.feeds == [feed]


def test_the_feed_is_done_when_every_actor_is() -> None:
    first: Future[str] = Future()
    second: Future[str] = Future()
    whole = perform([Receiver(second), Receiver("now"), Receiver(first)], example(FeedEvent.ADMIT))
    assert isinstance(whole, Future)
    first.set_result("first")
    assert not whole.done()
    second.set_result("second")
    assert whole.result(0) == ["second", "now", "first"]


def test_the_failure_of_one_actor_is_the_failure_of_the_feed() -> None:
    failing: Future[str] = Future()
    never: Future[str] = Future()
    whole = perform([Receiver(failing), Receiver(never)], example(FeedEvent.ADMIT))
    assert isinstance(whole, Future)
    failing.set_exception(KeyError("x"))
    assert isinstance(whole.exception(0), KeyError)


def test_a_feed_whose_work_was_cancelled_fails() -> None:
    cancelled: Future[str] = Future()
    whole = perform([Receiver(cancelled)], example(FeedEvent.ADMIT))
    assert isinstance(whole, Future)
    cancelled.cancel()
    assert isinstance(whole.exception(0), CancelledError)


def test_every_event_of_a_feed_is_answered_by_one_transaction() -> None:
    feeds = [row.binding.triggers for row in HL7V2_TRANSACTIONS if row.binding.message_type == "ADT"]
    assert set().union(*feeds) == set(FeedEvent)
    assert sum(map(len, feeds)) == len(FeedEvent)


# --------------------------------------------------------------------------- a region's feed


def test_the_feed_of_a_region_is_read_message_for_message(shared: Path) -> None:
    region = shared / "matching" / "region-101"
    if not region.is_dir():
        pytest.skip("no sample region")
    messages = read_batch((region / "stream.mllp").read_bytes()).messages
    with (region / "stream.csv").open(encoding="utf-8", newline="") as file:
        index = list(csv.DictReader(file))
    assert len(messages) == len(index)
    seen: Counter[str] = Counter()
    for data, row in zip(messages, index, strict=True):
        message = parse(data)
        feed = decode_request(Hl7v2Request(message, read_header(message), Feed()))
        assert feed.event == row["event"]
        assert feed.identifiers[0].id == row["local_id"]
        assert not message.lenient
        assert feed.event.merges or feed.demographics.name()
        seen[message.charset] += 1
    assert set(seen) == {"utf-8", "gb18030"}


def test_hl7apy_reads_the_same_from_the_feed_of_a_region(shared: Path) -> None:
    region = shared / "matching" / "region-101"
    if not region.is_dir():
        pytest.skip("no sample region")
    messages = read_batch((region / "stream.mllp").read_bytes()[: 200 * 1024]).messages[:-1]
    for data in messages[::40]:
        message = parse(data)
        theirs = hl7apy.parser.parse_message(str(message).rstrip("\r"), find_groups=False)
        feed = decode_request(Hl7v2Request(message, read_header(message), Feed()))
        assert [p.cx_1.to_er7() for p in theirs.pid.pid_3] == [i.id for i in feed.identifiers]
        assert [p.xpn_1.to_er7() for p in theirs.pid.pid_5] == [n.family_name for n in feed.demographics.names]
        assert theirs.pid.pid_7.to_er7() == feed.demographics.birth_time
        assert theirs.pid.pid_11.xad_1.to_er7() == (a[0].street if (a := feed.demographics.addresses) else "")
