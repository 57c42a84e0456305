from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest

from tests.xds.transactions.managers import EAST, NOW, RECORDS, WEST, Manager, Supplier
from tests.xds_mllp.test_client import scripted
from xds.clients.patients import Parties, PatientIdentitySource, PdqConsumer, PixConsumer
from xds.datatypes.hl7 import CX, HD, XPN
from xds.errors import PeerRejected, PeerUnreachable
from xds.hl7v2.ack import Acknowledgement
from xds.patients.demographics import Demographics
from xds.patients.feed import FeedRejected, IdentityFeed, Refusal
from xds.patients.notification import UpdateNotification
from xds.patients.queries import PatientCriteria, UnknownContinuation, UnknownDomain, UnknownIdentifier
from xds.patients.visit import Visit
from xds.transactions.iti8 import ITI_8
from xds.transactions.iti10 import ITI_10, encode_request
from xds.transactions.iti30 import ITI_30
from xds.vocab.hl7 import FeedEvent
from xds_mllp.client import MllpClient
from xds_mllp.endpoint import Endpoint
from xds_mllp.framing import frame
from xds_mllp.server import MllpServer

PARTIES = Parties(
    application="EHR", facility=HD("CLINIC", "1.9", "ISO"), receiving_application="PIX", clock=lambda: NOW
)
VERMEULEN = PatientCriteria(family_name="Vermeulen")


class Feeds(Manager, Supplier):
    """Everything at once: takes feeds, and refuses when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.feeds: list[IdentityFeed] = []
        self.refusal: FeedRejected | None = None

    def apply_feed(self, feed: IdentityFeed) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.feeds.append(feed)


@pytest.fixture
def actor() -> Feeds:
    return Feeds()


def taking(actors: list[object], feed: IdentityFeed) -> None:
    """A feed to every actor: the effect of it is the actor's affair."""
    for actor in actors:
        actor.apply_feed(feed)  # type: ignore[attr-defined]  # the actors of these tests


@pytest.fixture
def client(actor: Feeds) -> Iterator[MllpClient]:
    from xds.transactions.hl7v2 import HL7V2_TRANSACTIONS

    rows = [replace(row, perform=taking) if row.binding.message_type == "ADT" else row for row in HL7V2_TRANSACTIONS]
    endpoint = Endpoint([actor], transactions=rows)
    with MllpServer(endpoint, port=0).background() as where, MllpClient(*where) as client:
        yield client


# --------------------------------------------------------------------------- Patient Identity Source

ONE, OTHER = CX("E1", EAST), CX("E2", EAST)
PERSON = Demographics(names=(XPN("东", "明"),), birth_time="19800203")

Call = Callable[[PatientIdentitySource], Acknowledgement]
CALLS: list[tuple[Call, FeedEvent, FeedEvent]] = [
    (lambda s: s.announce(ONE, PERSON), FeedEvent.REGISTER, FeedEvent.CREATE),
    (
        lambda s: s.announce([ONE, CX("W1", WEST)], PERSON, event=FeedEvent.PREADMIT),
        FeedEvent.PREADMIT,
        FeedEvent.PREADMIT,
    ),
    (lambda s: s.update(ONE, PERSON), FeedEvent.UPDATE, FeedEvent.UPDATE_PERSON),
    (lambda s: s.merge(ONE, OTHER), FeedEvent.MERGE, FeedEvent.MERGE),
    (lambda s: s.change_identifier(ONE, OTHER), FeedEvent.CHANGE_IDENTIFIER, FeedEvent.CHANGE_IDENTIFIER),
    (lambda s: s.link(ONE, OTHER), FeedEvent.LINK, FeedEvent.LINK),
    (lambda s: s.unlink(ONE, OTHER), FeedEvent.UNLINK, FeedEvent.UNLINK),
]


@pytest.mark.parametrize("management", [False, True], ids=["ITI-8", "ITI-30"])
@pytest.mark.parametrize(("call", "event", "event_of_iti_30"), CALLS)
def test_what_a_source_says_arrives(
    actor: Feeds, client: MllpClient, call: Call, event: FeedEvent, event_of_iti_30: FeedEvent, management: bool
) -> None:
    source = PatientIdentitySource(client.exchange, PARTIES, management=management)
    assert call(source).accepted
    (feed,) = actor.feeds
    assert feed.event is (event_of_iti_30 if management else event)
    assert feed.identifiers[0] == ONE
    assert (feed.prior_identifiers or feed.linked_identifiers or (OTHER,)) == (OTHER,)
    assert feed.sending_facility == HD("CLINIC", "1.9", "ISO")
    assert feed.recorded_at == NOW
    if event.creates or event.updates:
        assert feed.demographics == PERSON


def test_a_visit_makes_it_an_admission(actor: Feeds, client: MllpClient) -> None:
    source = PatientIdentitySource(client.exchange, PARTIES)
    visit = Visit(patient_class="I", location=("W1",))
    source.announce(ONE, PERSON, visit=visit)
    assert (actor.feeds[0].event, actor.feeds[0].visit) == (FeedEvent.ADMIT, visit)
    with pytest.raises(ValueError, match="does not announce"):
        source.announce(ONE, PERSON, event=FeedEvent.UPDATE)


@pytest.mark.parametrize("reason", Refusal)
def test_a_refusal_reaches_the_source_with_its_place(actor: Feeds, client: MllpClient, reason: Refusal) -> None:
    actor.refusal = FeedRejected(reason, prior=True)
    with pytest.raises(PeerRejected) as refused:
        PatientIdentitySource(client.exchange, PARTIES).merge(ONE, OTHER)
    (error,) = refused.value.errors
    expected = "MSH^1^9" if reason is Refusal.NOT_SUPPORTED else "MRG^1^1"  # more has no place in ERR of v2.3.1
    assert error.location == expected


def test_each_call_is_a_message_of_its_own(actor: Feeds, client: MllpClient) -> None:
    source = PatientIdentitySource(client.exchange, replace(PARTIES, charset="gb18030"))
    source.announce(ONE, PERSON)
    source.announce(ONE, PERSON)
    assert len({feed.control_id for feed in actor.feeds}) == 2
    assert actor.feeds[0].demographics == PERSON
    assert ITI_8.number != ITI_30.number
    with pytest.raises(LookupError):
        Parties(application="EHR", charset="no such codec")


# --------------------------------------------------------------------------- PIX Consumer


def test_a_consumer_asks_for_identifiers(client: MllpClient) -> None:
    consumer = PixConsumer(client.exchange, PARTIES)
    assert consumer.identifiers(CX("W1", WEST)) == (CX("E1", EAST), CX("E1b", EAST))
    assert consumer.identifiers(CX("W1", WEST), [HD("NORTH")]) == ()
    with pytest.raises(UnknownIdentifier):
        consumer.identifiers(CX("nobody", WEST))
    with pytest.raises(UnknownDomain):
        consumer.identifiers(CX("W1", HD("X")))


def test_a_consumer_is_told_of_changes(client: MllpClient) -> None:
    seen: list[UpdateNotification] = []
    consumer = PixConsumer(client.exchange, PARTIES, on_update=seen.append)
    change = UpdateNotification(identifiers=(ONE,), control_id="N1", message_time="20260101", recorded_time="20260101")
    listener = MllpServer(Endpoint([consumer], transactions=[ITI_10]), port=0)
    with listener.background() as where, MllpClient(*where) as manager:
        assert manager.send(encode_request(change)).accepted
    assert seen == [change]
    silent = Endpoint([PixConsumer(client.exchange, PARTIES)], transactions=[ITI_10])
    assert b"MSA|AR|" in silent.respond(bytes(encode_request(change)))[0]


# --------------------------------------------------------------------------- PDQ Consumer


def test_a_consumer_finds_people_and_reads_page_by_page(actor: Feeds, client: MllpClient) -> None:
    consumer = PdqConsumer(client.exchange, PARTIES)
    assert consumer.find(VERMEULEN, with_visits=True) == RECORDS
    pages = list(consumer.search(VERMEULEN, page=2))
    assert [len(page.records) for page in pages] == [2, 1]
    assert {query.tag for query in actor.queries[-2:]} == {actor.queries[-1].tag}
    assert consumer.find(PatientCriteria(family_name="Nobody")) == ()


def test_what_is_not_read_is_given_up(actor: Feeds, client: MllpClient) -> None:
    consumer = PdqConsumer(client.exchange, PARTIES)
    with consumer.search(VERMEULEN, page=1) as search:
        assert next(search).records[0].identifiers[0].id == "E1"
    assert [tag for _, tag in actor.cancelled] == [actor.queries[-1].tag]
    with consumer.search(VERMEULEN) as search:
        assert len(list(search)) == 1
    assert len(actor.cancelled) == 1
    with pytest.raises(UnknownContinuation):
        consumer.ask(replace(actor.queries[0], pointer="P1"))


def test_pages_that_lead_in_a_circle_end() -> None:
    def peer(message: bytes) -> bytes:
        fields = message.split(b"|")
        return b"\r".join(
            (
                b"MSH|^~\\&|P|R|C|F|2026||RSP^K22^RSP_K21|1|P|2.5",
                b"MSA|AA|" + fields[9],
                b"QAK||OK",
                b"PID|||E1^^^EAST||A^B",
                b"DSC|again|I",
            )
        )

    with pytest.raises(PeerRejected, match="circle"):
        PdqConsumer(peer, PARTIES).find(VERMEULEN)


# --------------------------------------------------------------------------- peers that misbehave


def answer_of(message: bytes) -> bytes:
    return Endpoint([Manager()]).respond(message)[0]


def properly(connection: socket.socket, message: bytes) -> None:
    connection.sendall(frame(answer_of(message)))


def late(connection: socket.socket, message: bytes) -> None:
    assert connection.recv(1) == b""  # the consumer has given up
    with suppress(OSError):
        connection.sendall(frame(answer_of(message)))


def to_another(connection: socket.socket, message: bytes) -> None:
    other = answer_of(message.replace(b"W1^^^WEST&1.2.3.2&ISO", b"E1^^^EAST&1.2.3.1&ISO"))
    connection.sendall(frame(other.replace(b"MSA|AA|", b"MSA|AA|other")))


def half(connection: socket.socket, message: bytes) -> None:
    connection.sendall(frame(answer_of(message))[:60])


def nothing(connection: socket.socket, message: bytes) -> None:
    return


def rubbish(connection: socket.socket, message: bytes) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def only_an_ack(connection: socket.socket, message: bytes) -> None:
    connection.sendall(frame(Endpoint([]).respond(message)[0].replace(b"MSA|AR|", b"MSA|AE|")))


@pytest.mark.parametrize("misbehaved", [late, to_another, half, nothing, rubbish])
def test_no_answer_of_a_misbehaving_peer_is_taken_for_another(
    misbehaved: Callable[[socket.socket, bytes], None],
) -> None:
    with scripted(misbehaved, properly) as where, MllpClient(*where, timeout=0.3) as client:
        consumer = PixConsumer(client.exchange, PARTIES)
        with pytest.raises(PeerUnreachable):
            consumer.identifiers(CX("W1", WEST))
        assert consumer.identifiers(CX("W1", WEST)) == (CX("E1", EAST), CX("E1b", EAST))


def test_a_peer_that_does_not_know_the_query_says_so_in_an_ack() -> None:
    with scripted(only_an_ack) as where, MllpClient(*where) as client, pytest.raises(PeerRejected, match="AE: 201"):
        PixConsumer(client.exchange, PARTIES).identifiers(CX("W1", WEST))


def test_threads_that_share_a_connection_get_their_own_answers(client: MllpClient) -> None:
    consumer = PixConsumer(client.exchange, PARTIES)
    wanted = {"W1": ("E1", "E1b"), "E1": ("W1", "E1b")}
    questions = [CX("W1", WEST), CX("E1", EAST)] * 30
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(consumer.identifiers, questions))
    for question, answer in zip(questions, answers, strict=True):
        assert tuple(cx.id for cx in answer) == wanted[question.id]
