from __future__ import annotations

import logging
from concurrent.futures import Future
from threading import Thread

import pytest

from tests.xds_mllp.feed import adt, known
from xds.errors import (
    MalformedMessage,
    MessageTooLarge,
    PeerUnreachable,
    RequestRejected,
    StoreUnavailable,
    UnsupportedMessage,
    XdsError,
)
from xds.hl7v2.ack import Acknowledgement, read_acknowledgement
from xds.hl7v2.batch import read_batch
from xds.hl7v2.er7 import parse
from xds.hl7v2.errors import Location, reject
from xds.hl7v2.feeds import Feed, Feeds
from xds.patients.feed import FeedRejected, IdentityFeed, Refusal
from xds.registry.actor import DocumentRegistry
from xds.vocab.errors import ErrorCode
from xds.vocab.hl7 import Hl7ErrorCode
from xds_mllp.endpoint import Endpoint, Pending
from xds_mllp.framing import Broken


def ask(endpoint: Endpoint, data: bytes) -> Acknowledgement:
    (answer,) = endpoint.respond(data)
    return read_acknowledgement(answer)


def told(endpoint: Endpoint, data: bytes) -> tuple[str, str, list[str]]:
    answer = ask(endpoint, data)
    return answer.code, answer.control_id, [str(error) for error in answer.errors]


@pytest.mark.parametrize("trigger", ["A01", "A04", "A05", "A28"])
def test_an_announced_patient_is_on_disk_before_the_answer(registry: DocumentRegistry, trigger: str) -> None:
    endpoint = Endpoint([registry])
    assert not known(registry, "P7")
    assert told(endpoint, adt("P7", trigger=trigger)) == ("AA", "C1", [])
    assert known(registry, "P7")
    assert told(endpoint, adt("P7", trigger=trigger)) == ("AA", "C1", [])  # a repeat is fine


def test_a_local_identifier_is_acknowledged_and_none_of_the_registrys_affair(endpoint: Endpoint) -> None:
    data = adt().replace(b"1.3.6.1.4.1.21367.13.20.1000", b"1.2.3.4")
    assert told(endpoint, data) == ("AA", "C1", [])


def test_the_answer_comes_from_where_the_message_went(endpoint: Endpoint) -> None:
    answer = ask(endpoint, adt()).message
    assert [answer.value(f"MSH-{n}") for n in (3, 4, 5, 6, 11, 12)] == ["REG", "XDS", "HIS", "H01", "P", "2.3.1"]
    assert answer.value("MSH-9") == "ACK^A01"
    assert len(answer.value("MSH-7")) == 19


def test_answers_have_control_ids_of_their_own(endpoint: Endpoint) -> None:
    ids = {ask(endpoint, adt()).message.control_id for _ in range(5)}
    assert len(ids) == 5
    assert all(len(each) <= 20 for each in ids)


MSH = b"MSH|^~\\&|HIS|H01|REG|XDS|2026||ADT^A01|C1|P|2.5"


@pytest.mark.parametrize(
    ("data", "code", "control_id", "errors"),
    [
        (adt(""), "AE", "C1", ["101 at PID^1^3"]),
        (adt("", version="2.5"), "AE", "C1", ["101 at PID^1^3"]),
        (MSH, "AE", "C1", ["100 at PID^1"]),
        (adt(trigger="A40"), "AE", "C1", ["100 at MRG^1"]),
        (adt(trigger="A40", more="MRG|1\r", version="2.5"), "AE", "C1", ["204 at PID^1^3^1^1"]),
        (adt(trigger="A47", more="MRG|1\r", version="2.5"), "AR", "C1", ["201 at MSH^1^9^1^2"]),
        (MSH.replace(b"ADT^A01", b"ORU^R01"), "AR", "C1", ["200 at MSH^1^9^1^1"]),
        (MSH.replace(b"ADT^A01", b""), "AE", "C1", ["101 at MSH^1^9"]),
        (adt(version="3.0"), "AR", "C1", ["203 at MSH^1^12"]),
        (adt(version="x"), "AR", "C1", ["203 at MSH^1^12"]),
        (adt(version="2.5").replace(b"|P|", b"|X|"), "AR", "C1", ["202 at MSH^1^11"]),
        (MSH + b"||||||KLINGON\r", "AE", "C1", ["103 at MSH^1^18"]),
        (MSH + b"||||||UNICODE UTF-8\rPID|||1||\xd5\xc5\r", "AE", "C1", ["102 at MSH^1^18"]),
        (MSH.replace(b"^~\\&", b"^^^^"), "AR", "", ["102 at MSH^1^2"]),
        (b"", "AR", "", ["100"]),
        (b"hello", "AR", "", ["100"]),
        (bytes(range(256)), "AR", "", ["100"]),
        (b"PID|||1\r" + adt(), "AE", "C1", ["100"]),
        (MSH + b"\r" * 20_000, "AR", "C1", ["207"]),
        (MSH + b"\rPID" + b"|" * 5000, "AR", "C1", ["207"]),
        (b"BHS|^~\\&\r" + adt() + b"BTS|7\r", "AR", "", ["100 at BTS^1^1"]),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    endpoint: Endpoint, data: bytes, code: str, control_id: str, errors: list[str]
) -> None:
    assert told(endpoint, data) == (code, control_id, errors)
    assert told(endpoint, adt()) == ("AA", "C1", [])


@pytest.mark.parametrize("version", ["2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8.2", ""])
def test_every_version_2_is_taken(endpoint: Endpoint, version: str) -> None:
    assert told(endpoint, adt(version=version)) == ("AA", "C1", [])


@pytest.mark.parametrize("processing", [b"P", b"T", b"D", b"P^T", b""])
def test_processing_ids(endpoint: Endpoint, processing: bytes) -> None:
    assert told(endpoint, adt().replace(b"|P|", b"|" + processing + b"|"))[0] == "AA"


def test_unknown_triggers_are_accepted_and_counted_unless_the_feed_says_otherwise(registry: DocumentRegistry) -> None:
    endpoint = Endpoint([registry])
    assert told(endpoint, adt(trigger="A02")) == ("AA", "C1", [])
    assert told(endpoint, adt(trigger="../etc")) == ("AA", "C1", [])
    assert not known(registry, "P1")
    assert endpoint.counts == {"unknown trigger ADT^A02": 1, "unknown trigger ADT^?": 1, "AA": 2}
    strict = Endpoint([registry], feeds=Feeds([Feed(application="HIS", unknown_triggers="reject")]))
    assert told(strict, adt(trigger="A02", version="2.5")) == ("AR", "C1", ["201 at MSH^1^9^1^2"])


def test_an_acknowledgement_is_never_answered(endpoint: Endpoint) -> None:
    assert endpoint.respond(MSH.replace(b"ADT^A01", b"ACK^A01") + b"\rMSA|AA|1\r") == ()
    assert endpoint.counts == {"unexpected acknowledgement": 1}


def test_a_sender_that_wants_no_answer_gets_none(registry: DocumentRegistry) -> None:
    data = adt("P5").replace(b"|2.3.1\r", b"|2.3.1|||NE|NE\r")
    assert Endpoint([registry]).respond(data) == ()
    assert known(registry, "P5")


def test_enhanced_mode_as_agreed_with_the_feed(registry: DocumentRegistry) -> None:
    data = adt().replace(b"|2.3.1\r", b"|2.3.1|||AL|AL\r")
    enhanced = Endpoint([registry], feeds=Feeds(default=Feed(acknowledgement="enhanced")))
    assert [read_acknowledgement(a).code for a in enhanced.respond(data)] == ["CA", "AA"]
    assert [read_acknowledgement(a).code for a in Endpoint([registry]).respond(data)] == ["AA"]


def test_a_strict_feed_is_validated(registry: DocumentRegistry) -> None:
    endpoint = Endpoint([registry], feeds=Feeds([Feed(application="HIS", strict=True)]))
    assert told(endpoint, adt(version="2.5"))[0] == "AA"
    assert told(endpoint, adt("P6", version="2.5").replace(b"19700101", b"19700231")) == (
        "AE",
        "C1",
        ["102 at PID^1^7"],
    )
    assert not known(registry, "P6")


def test_a_lenient_feed_reads_what_it_can(registry: DocumentRegistry) -> None:
    data = adt("P8", version="2.5||||||UNICODE UTF-8").replace(b"Wohlfahrt", "张".encode("gb18030"))
    assert told(Endpoint([registry]), data)[0] == "AE"
    lenient = Endpoint([registry], feeds=Feeds(default=Feed(undecodable="replace")))
    assert told(lenient, data) == ("AA", "C1", [])
    assert known(registry, "P8")


def test_a_batch_is_answered_by_a_batch(registry: DocumentRegistry) -> None:
    batch = (
        b"FHS|^~\\&\rBHS|^~\\&\r" + b"".join(adt(f"P{n}", control_id=f"C{n}") for n in range(3)) + adt("") + b"BTS|4\r"
    )
    (answer,) = Endpoint([registry]).respond(batch)
    answers = [read_acknowledgement(each) for each in read_batch(answer).messages]
    assert [(a.code, a.control_id) for a in answers] == [("AA", "C0"), ("AA", "C1"), ("AA", "C2"), ("AE", "C1")]
    assert all(known(registry, f"P{n}") for n in range(3))


class Failing:
    """An actor of somebody else's that fails as it is told."""

    def __init__(self, error: BaseException, *, later: bool) -> None:
        self.error = error
        self.later = later

    def apply_feed(self, feed: IdentityFeed) -> Future[None]:
        if not self.later:
            raise self.error
        future: Future[None] = Future()
        future.set_exception(self.error)
        return future


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(
    ("error", "code", "errors"),
    [
        (reject(Hl7ErrorCode.DUPLICATE_KEY_IDENTIFIER, Location("PID", 1, 3)), "AE", ["205 at PID^1^3"]),
        (RequestRejected(ErrorCode.UNKNOWN_PATIENT_ID), "AE", ["204"]),
        (RequestRejected(ErrorCode.REGISTRY_ERROR), "AE", ["207"]),
        (RequestRejected(ErrorCode.REGISTRY_BUSY), "AR", ["207"]),
        (StoreUnavailable("full"), "AR", ["207"]),
        (PeerUnreachable("down"), "AR", ["207"]),
        (UnsupportedMessage("no merges"), "AR", ["201 at MSH^1^9^1^2"]),
        (FeedRejected(Refusal.SOURCE_NOT_ALLOWED), "AE", ["204 at PID^1^3^1^4"]),
        (FeedRejected(Refusal.NOT_SUPPORTED), "AR", ["201 at MSH^1^9^1^2"]),
        (MalformedMessage("odd"), "AE", ["102"]),
        (MessageTooLarge("big"), "AR", ["207"]),
        (XdsError("other"), "AE", ["207"]),
        (ZeroDivisionError("secret of Mr Doe"), "AE", ["207"]),
    ],
)
def test_every_failure_of_an_actor_has_its_answer(
    error: Exception, code: str, errors: list[str], later: bool, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = Endpoint([Failing(error, later=later)])
    with caplog.at_level(logging.DEBUG):
        (answer,) = endpoint.respond(adt(version="2.5"))
    read = read_acknowledgement(answer)
    assert (read.code, read.control_id, [str(e) for e in read.errors]) == (code, "C1", errors)
    assert b"secret" not in answer
    assert "secret" not in caplog.text
    assert "P1" not in caplog.text
    if isinstance(error, ZeroDivisionError):
        assert "C1" in caplog.text
        assert "ZeroDivisionError" in caplog.text


class Slow:
    """An actor that is done when it is told."""

    def __init__(self) -> None:
        self.future: Future[None] = Future()

    def apply_feed(self, feed: IdentityFeed) -> Future[None]:
        return self.future


def test_the_answer_waits_for_the_disk() -> None:
    slow = Slow()
    endpoint = Endpoint([slow])
    pending = endpoint.start(adt())
    assert isinstance(pending, Pending)
    with pytest.raises(TimeoutError):
        pending.wait(0)
    slow.future.set_result(None)
    assert read_acknowledgement(pending.wait()[0]).code == "AA"


def test_work_that_was_cancelled_is_answered_too() -> None:
    slow = Slow()
    pending = Endpoint([slow]).start(adt())
    assert isinstance(pending, Pending)
    slow.future.cancel()
    assert read_acknowledgement(pending.wait()[0]).code == "AE"


@pytest.mark.parametrize(
    ("broken", "code", "control_id"),
    [
        (Broken(MSH + b"|" * 100, "the message is larger than 10 bytes", True), "AR", "C1"),
        (Broken(b"x" * 4096, "the message is larger than 10 bytes", True), "AR", ""),
        (Broken(MSH, "the block was not ended", False), None, None),
    ],
)
def test_a_broken_block_is_refused(
    endpoint: Endpoint, broken: Broken, code: str | None, control_id: str | None
) -> None:
    answers = [read_acknowledgement(a) for a in endpoint.refuse(broken)]
    assert [(a.code, a.control_id) for a in answers] == ([] if code is None else [(code, control_id)])


def test_an_endpoint_is_used_by_many_threads(registry: DocumentRegistry) -> None:
    endpoint = Endpoint([registry])
    codes: list[str] = []

    def feed(start: int) -> None:
        codes.extend(ask(endpoint, adt(f"T{start + n}")).code for n in range(20))

    threads = [Thread(target=feed, args=(start,)) for start in range(0, 80, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == ["AA"] * 80
    assert endpoint.counts == {"AA": 80}
    assert all(known(registry, f"T{n}") for n in range(80))


def test_chinese_names_of_sender_and_receiver_come_back_in_their_set(endpoint: Endpoint) -> None:
    data = adt(version="2.5||||||GB 18030-2000").decode().replace("|H01|", "|區院|").encode("gb18030")
    (answer,) = endpoint.respond(data)
    assert "區院".encode("gb18030") in answer
    assert parse(answer).value("MSH-6") == "區院"
