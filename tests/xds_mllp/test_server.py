from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import Future
from threading import Event, Thread, current_thread

import pytest
import trustme

from tests.xds_mllp.feed import adt, known
from xds.datatypes.hl7 import CX
from xds.hl7v2.ack import read_acknowledgement
from xds.patients.feed import IdentityFeed
from xds.patients.queries import CrossReferenceQuery
from xds.registry.actor import DocumentRegistry
from xds_mllp.client import MllpClient
from xds_mllp.endpoint import Endpoint
from xds_mllp.framing import Framer, frame
from xds_mllp.server import Limits, MllpServer

WAIT = 20.0  # a test that waits so long has failed


class Peer:
    """A sender that does as it is told, byte by byte."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext | None = None) -> None:
        plain = socket.create_connection(address, WAIT)
        self.socket = context.wrap_socket(plain, server_hostname="localhost") if context else plain
        self.framer = Framer()
        self.waiting: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answers(self, count: int) -> list[tuple[str, str]]:
        while len(self.waiting) < count:
            data = self.socket.recv(65536)
            if not data:
                break
            self.waiting += [m for m in self.framer.receive(data) if isinstance(m, bytes)]
        out, self.waiting = self.waiting[:count], self.waiting[count:]
        return [(a.code, a.control_id) for a in map(read_acknowledgement, out)]

    def closed(self) -> bool:
        """Waits until the server closes; whatever it still sent is read."""
        try:
            while self.socket.recv(65536):
                pass
        except (ConnectionError, ssl.SSLError):
            return True
        return True

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.socket.close()


@pytest.fixture(params=["pool", "inline"])
def server(request: pytest.FixtureRequest, endpoint: Endpoint) -> MllpServer:
    return MllpServer(endpoint, port=0, inline=request.param == "inline")


@pytest.fixture
def address(server: MllpServer) -> Iterator[tuple[str, int]]:
    with server.background() as where:
        yield where


def test_messages_of_one_connection_are_answered_in_order(registry: DocumentRegistry, address: tuple[str, int]) -> None:
    with Peer(address) as peer:
        for n in range(3):
            peer.send(frame(adt(f"P{n}", control_id=f"C{n}")))
            assert peer.answers(1) == [("AA", f"C{n}")]
            assert known(registry, f"P{n}")


def test_a_sender_that_does_not_wait_gets_its_answers_in_order(address: tuple[str, int]) -> None:
    data = b"".join(frame(adt(f"P{n}" if n % 3 else "", control_id=f"C{n}")) for n in range(100))
    with Peer(address) as peer:
        sending = Thread(target=peer.send, args=(data,))
        sending.start()
        assert peer.answers(100) == [("AA" if n % 3 else "AE", f"C{n}") for n in range(100)]
        sending.join()


def test_bytes_may_come_one_by_one(address: tuple[str, int]) -> None:
    with Peer(address) as peer:
        peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in frame(adt()):
            peer.send(bytes([byte]))
        assert peer.answers(1) == [("AA", "C1")]


def test_a_one_shot_sender_may_close_its_side_before_the_answer(address: tuple[str, int]) -> None:
    with Peer(address) as peer:
        peer.send(frame(adt(control_id="C1")) + frame(adt(control_id="C2")))
        peer.socket.shutdown(socket.SHUT_WR)
        assert peer.answers(3) == [("AA", "C1"), ("AA", "C2")]
        assert peer.closed()


@pytest.mark.parametrize(
    ("bad", "answer"),
    [
        (frame(b""), [("AR", "")]),
        (frame(bytes(b for b in range(256) if b not in b"\x0b\x1c")), [("AR", "")]),
        (frame(adt("")), [("AE", "C1")]),
        (frame(adt(version="2.5||||||UNICODE UTF-8").replace(b"Wohlfahrt", b"\xd5\xc5")), [("AE", "C1")]),
        (frame(adt(more="NTE|1||" + "x" * 200_000)), [("AR", "C1")]),
        (adt() + b"\x1c\r", []),  # no start
        (b"\x0b" + adt(), []),  # no end
        (b"\r\n\r\n", []),
        (b"\x0b" + adt() + b"\x1c", [("AA", "C1")]),
    ],
    ids=["empty", "binary", "no patient", "wrong character set", "too large", "no start", "no end", "blank", "no CR"],
)
def test_after_a_bad_message_the_next_one_is_served(
    endpoint: Endpoint, bad: bytes, answer: list[tuple[str, str]]
) -> None:
    with MllpServer(endpoint, port=0, limits=Limits(message_size=100_000)).background() as where, Peer(where) as peer:
        peer.send(bad)
        assert peer.answers(len(answer)) == answer
        peer.send(frame(adt(control_id="C2")))
        assert peer.answers(1) == [("AA", "C2")]


def test_a_health_check_that_sends_nothing_is_silent(
    server: MllpServer, address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "xds_mllp"):
        for _ in range(3):
            Peer(address).socket.close()
        with Peer(address) as peer:  # the loop has seen the others by then
            peer.send(frame(adt()))
            assert peer.answers(1) == [("AA", "C1")]
    assert caplog.records == []


def test_a_peer_that_does_not_speak_mllp_is_sent_away(endpoint: Endpoint) -> None:
    with MllpServer(endpoint, port=0, limits=Limits(garbage=1000)).background() as where, Peer(where) as peer:
        peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"x" * 2000)
        assert peer.closed()


def test_one_connection_too_many_is_refused_and_the_others_live(endpoint: Endpoint) -> None:
    server = MllpServer(endpoint, port=0, limits=Limits(connections=2))
    with server.background() as where, Peer(where) as one, Peer(where) as two:
        for peer in (one, two):
            peer.send(frame(adt()))
            assert peer.answers(1) == [("AA", "C1")]
        with Peer(where) as three:
            assert three.closed()
        assert server.refused_connections == 1
        one.send(frame(adt()))
        assert one.answers(1) == [("AA", "C1")]


@pytest.mark.parametrize(
    "start", [b"", frame(adt()), b"\x0bMSH|^~\\&"], ids=["nothing", "after a message", "inside one"]
)
def test_a_silent_peer_is_closed(endpoint: Endpoint, start: bytes) -> None:
    limits = Limits(idle_time=0.05, read_time=0.05)
    with MllpServer(endpoint, port=0, limits=limits).background() as where, Peer(where) as peer:
        peer.send(start)
        assert peer.closed()


class Gate:
    """An actor of somebody else's whose work is done when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Future[None]] = []
        self.seen: list[str] = []
        self.arrived = Event()
        self.free = False

    def apply_feed(self, feed: IdentityFeed) -> Future[None]:
        future: Future[None] = Future()
        if self.free:
            future.set_result(None)
            return future
        self.seen.append(feed.control_id)
        self.waiting.append(future)
        self.arrived.set()
        return future

    def open(self) -> None:
        assert self.arrived.wait(WAIT)
        self.arrived.clear()
        self.waiting.pop().set_result(None)


def test_a_silent_sender_whose_message_is_being_worked_on_is_not_closed() -> None:
    gate = Gate()
    limits = Limits(idle_time=0.02, read_time=0.02)
    with MllpServer(Endpoint([gate]), port=0, limits=limits).background() as where, Peer(where) as peer:
        peer.send(frame(adt()))
        peer.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            peer.socket.recv(1)
        peer.socket.settimeout(WAIT)
        gate.open()
        assert peer.answers(1) == [("AA", "C1")]


def test_a_message_begins_when_the_one_before_is_done() -> None:
    gate = Gate()
    with MllpServer(Endpoint([gate]), port=0).background() as where, Peer(where) as peer:
        peer.send(b"".join(frame(adt(control_id=f"C{n}")) for n in range(3)))
        for n in range(3):
            assert gate.arrived.wait(WAIT)
            assert gate.seen == [f"C{m}" for m in range(n + 1)]
            gate.open()
            assert peer.answers(1) == [("AA", f"C{n}")]


def test_a_full_queue_stops_the_reading_until_answers_are_out() -> None:
    gate = Gate()
    limits = Limits(queued_messages=4)
    big = adt(more="NTE|1||" + "x" * 60_000)
    with MllpServer(Endpoint([gate]), port=0, limits=limits).background() as where, Peer(where) as peer:
        peer.socket.setblocking(False)
        sent, data = 0, frame(big) * 2000
        blocked = 0
        while blocked < 20:  # the sender is held back: the socket takes no more
            try:
                sent += peer.socket.send(data[sent:])
                blocked = 0
            except BlockingIOError:
                blocked += 1
                assert gate.arrived.wait(WAIT)
        assert sent < len(data)
        peer.socket.settimeout(WAIT)
        gate.free = True
        gate.open()
        whole = sent // len(frame(big))
        assert peer.answers(whole) == [("AA", "C1")] * whole


def test_messages_that_arrived_whole_are_performed_even_if_nobody_waits(registry: DocumentRegistry) -> None:
    gate = Gate()
    with MllpServer(Endpoint([gate, registry]), port=0).background() as where:
        with Peer(where) as peer:
            peer.send(frame(adt("P1")) + frame(adt("P2")))
            assert gate.arrived.wait(WAIT)
            # an abortive close
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        gate.open()
        gate.open()
    assert known(registry, "P1")
    assert known(registry, "P2")


def test_stopping_finishes_and_answers_what_has_arrived() -> None:
    gate = Gate()

    async def scenario() -> list[tuple[str, str]]:
        server = MllpServer(Endpoint([gate]), port=0)
        await server.start()
        loop = asyncio.get_running_loop()
        peer = await loop.run_in_executor(None, Peer, server.address)
        idle = await loop.run_in_executor(None, Peer, server.address)
        await loop.run_in_executor(None, peer.send, frame(adt(control_id="C1")) + frame(adt(control_id="C2")))
        await loop.run_in_executor(None, gate.arrived.wait, WAIT)
        stopping = asyncio.create_task(server.stop())
        assert await loop.run_in_executor(None, idle.closed)
        for _ in range(2):
            await loop.run_in_executor(None, gate.open)
        answers = await loop.run_in_executor(None, peer.answers, 3)
        await stopping
        await server.stop()
        peer.socket.close()
        idle.socket.close()
        return answers

    assert asyncio.run(scenario()) == [("AA", "C1"), ("AA", "C2")]


def test_stopping_cuts_off_what_does_not_end() -> None:
    gate = Gate()

    async def scenario() -> bool:
        server = MllpServer(Endpoint([gate]), port=0)
        await server.start()
        loop = asyncio.get_running_loop()
        peer = await loop.run_in_executor(None, Peer, server.address)
        await loop.run_in_executor(None, peer.send, frame(adt()))
        await loop.run_in_executor(None, gate.arrived.wait, WAIT)
        await server.stop(timeout=0.05)
        gone = await loop.run_in_executor(None, peer.closed)
        peer.socket.close()
        return gone

    assert asyncio.run(scenario())


def test_several_servers_share_a_socket(endpoint: Endpoint) -> None:
    async def scenario() -> tuple[int, int]:
        with socket.create_server(("127.0.0.1", 0)) as shared:
            port = shared.getsockname()[1]
            one, two = MllpServer(endpoint), MllpServer(endpoint)
            await one.start(sock=shared.dup())
            await two.start(sock=shared.dup())
            ports = (one.address[1] - port, two.address[1] - port)
            await one.stop()
            await two.stop()
            return ports

    assert asyncio.run(scenario()) == (0, 0)


def test_an_address_in_use_is_an_error(endpoint: Endpoint) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = MllpServer(endpoint, port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"), server.background():
            pass
    with pytest.raises(RuntimeError):
        _ = server.address


# --------------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture(scope="module")
def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    authority.issue_cert("hospital-a.example").configure_cert(context)
    return context


def test_mllp_over_tls_with_certificates_on_both_sides(
    registry: DocumentRegistry, endpoint: Endpoint, server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    with MllpServer(endpoint, port=0, ssl=server_context).background() as where:
        with Peer(where, client_context) as peer:
            peer.send(b"".join(frame(adt(f"P{n}", control_id=f"C{n}")) for n in range(5)))
            assert peer.answers(5) == [("AA", f"C{n}") for n in range(5)]
        with MllpClient(*where, ssl=client_context) as client:
            for n in range(3):
                assert client.send(adt(f"Q{n}")).accepted
    assert known(registry, "Q2")


def test_a_peer_without_a_certificate_or_without_tls_gets_nothing_and_the_server_lives(
    endpoint: Endpoint, authority: trustme.CA, server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    stranger = ssl.create_default_context()
    authority.configure_trust(stranger)
    with MllpServer(endpoint, port=0, ssl=server_context).background() as where:
        with Peer(where) as plain:
            plain.send(frame(adt()))
            assert plain.closed()
        try:
            with Peer(where, stranger) as peer:
                peer.send(frame(adt()))
                assert peer.closed()
        except (ConnectionError, ssl.SSLError):
            pass  # refused already in the handshake
        with Peer(where, client_context) as peer:
            peer.send(frame(adt()))
            assert peer.answers(1) == [("AA", "C1")]
    assert endpoint.counts == {"AA": 1}


class Manager:
    """An actor that answers while the caller waits."""

    def __init__(self) -> None:
        self.threads: list[str] = []

    def find_identifiers(self, query: CrossReferenceQuery) -> tuple[CX, ...]:
        self.threads.append(current_thread().name)
        return ()


def test_a_query_is_not_performed_in_the_event_loop() -> None:
    manager = Manager()
    query = b"MSH|^~\\&|C|F|P|R|2026||QBP^Q23^QBP_Q21|Q1|P|2.5\rQPD|IHE PIX Query|T|1^^^A\rRCP|I\r"
    server = MllpServer(Endpoint([manager]), port=0, inline=True)
    with server.background() as where, MllpClient(*where) as client:
        assert b"QAK|T|NF" in client.exchange(query)
    assert manager.threads[0].startswith("mllp_")
