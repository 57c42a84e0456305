from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from time import monotonic, sleep

import pytest
import trustme

from tests.xds_mllp.feed import adt
from xds.errors import PeerRejected, PeerUnreachable
from xds.hl7v2.er7 import parse
from xds_mllp.client import MllpClient
from xds_mllp.endpoint import Endpoint
from xds_mllp.framing import Framer, frame
from xds_mllp.server import MllpServer

ACK = b"MSH|^~\\&|R|X|H|1|2026||ACK^A01|R1|P|2.3.1\rMSA|%s|%s\r"


@contextmanager
def scripted(*connections: Callable[[socket.socket, bytes], None]) -> Iterator[tuple[str, int]]:
    """A peer that misbehaves: each function deals with one connection, after its first message has come."""

    def run(listener: socket.socket) -> None:
        for behave in connections:
            connection, _ = listener.accept()
            with connection:
                framer = Framer()
                messages: list[object] = []
                while not messages and (data := connection.recv(65536)):
                    messages += framer.receive(data)
                if messages:
                    assert isinstance(messages[0], bytes)
                    behave(connection, messages[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)  # a test that fails before its last connection shall not wait for it
        thread = Thread(target=run, args=(listener,))
        thread.start()
        yield listener.getsockname()[:2]
        thread.join()


def acknowledge(connection: socket.socket, message: bytes) -> None:
    connection.sendall(frame(ACK % (b"AA", parse(message).control_id.encode())))


def test_a_message_is_sent_and_its_acknowledgement_returned(endpoint: Endpoint) -> None:
    with MllpServer(endpoint, port=0).background() as where, MllpClient(*where) as client:
        for message in (adt(), adt().decode(), parse(adt())):
            answer = client.send(message)
            assert (answer.accepted, answer.code, answer.control_id) == (True, "AA", "C1")


@pytest.mark.parametrize("version", ["2.3.1", "2.5"])
def test_a_refusal_is_raised_with_what_the_peer_said(endpoint: Endpoint, version: str) -> None:
    with MllpServer(endpoint, port=0).background() as where, MllpClient(*where) as client:
        with pytest.raises(PeerRejected, match="AE: 101 at PID") as refused:
            client.send(adt("", version=version))
        assert [(e.code, e.location) for e in refused.value.errors] == [("101", "PID^1^3")]
        with pytest.raises(PeerRejected, match="AR: 100"):
            client.send(b"this is no message")
        assert client.send(adt()).accepted


def test_a_connection_the_peer_closed_is_opened_again() -> None:
    with scripted(acknowledge, acknowledge) as where, MllpClient(*where) as client:
        assert client.send(adt(control_id="1")).control_id == "1"
        # the peer closes after its answer; wait until that has come through
        assert client._socket is not None
        client._socket.recv(1, socket.MSG_PEEK)
        assert client.send(adt(control_id="2")).control_id == "2"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "closed the connection"),
        (b"\x0bhalf an ans", "closed the connection"),
        (frame(b"nonsense"), "no acknowledgement"),
        (frame(b"MSH|^~\\&|R|X|H|1|2026||ACK|R1|P|2.3.1\r"), "no acknowledgement"),
        (frame(ACK % (b"AA", b"other")), "another message"),
        (frame(ACK % (b"AE", b"other")), "another message"),
        (frame(ACK % (b"AA", b"")), "another message"),
        (frame(b"x" * 2000), "cannot be read"),
    ],
)
def test_an_answer_that_is_none_leaves_the_outcome_open(answer: bytes, reason: str) -> None:
    def behave(connection: socket.socket, message: bytes) -> None:
        connection.sendall(answer)

    with (
        scripted(behave) as where,
        MllpClient(*where, max_answer_size=1000) as client,
        pytest.raises(PeerUnreachable, match=reason),
    ):
        client.send(adt())


def test_an_answer_that_does_not_come_is_a_timeout() -> None:
    def behave(connection: socket.socket, message: bytes) -> None:
        assert connection.recv(1) == b""  # until the client gives up

    with (
        scripted(behave) as where,
        MllpClient(*where, timeout=0.05) as client,
        pytest.raises(PeerUnreachable, match="timeout"),
    ):
        client.send(adt())


def slowly(connection: socket.socket, message: bytes) -> None:
    """Byte by byte, each in time."""
    with suppress(OSError):
        for byte in frame(ACK % (b"AA", parse(message).control_id.encode())):
            connection.sendall(bytes([byte]))
            sleep(0.02)


def test_the_time_is_for_the_whole_answer() -> None:
    with scripted(slowly) as where, MllpClient(*where, timeout=0.2) as client:
        begun = monotonic()
        with pytest.raises(PeerUnreachable, match="timeout"):
            client.send(adt())
        assert monotonic() - begun < 1


def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    def late(connection: socket.socket, message: bytes) -> None:
        assert connection.recv(1) == b""  # the client has given up
        with suppress(OSError):
            acknowledge(connection, message)

    with scripted(late, acknowledge) as where, MllpClient(*where, timeout=0.1) as client:
        with pytest.raises(PeerUnreachable, match="timeout"):
            client.send(adt(control_id="1"))
        assert client.send(adt(control_id="2")).control_id == "2"


def test_what_comes_after_an_answer_ends_the_connection() -> None:
    def twice(connection: socket.socket, message: bytes) -> None:
        acks = [frame(ACK % (b"AA", control_id)) for control_id in (parse(message).control_id.encode(), b"2")]
        connection.sendall(b"".join(acks))

    with scripted(twice, acknowledge) as where, MllpClient(*where) as client:
        assert client.send(adt(control_id="1")).control_id == "1"
        assert client._socket is None
        assert client.send(adt(control_id="2")).control_id == "2"


def test_after_an_interruption_the_connection_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with scripted(acknowledge, acknowledge) as where, MllpClient(*where) as client:
        with monkeypatch.context() as patch:
            patch.setattr(client, "_receive", interrupted)
            with pytest.raises(KeyboardInterrupt):
                client.send(adt(control_id="1"))
        assert client._socket is None
        assert client.send(adt(control_id="2")).control_id == "2"


def test_nobody_listening_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()[:2]
    with MllpClient(*address) as client, pytest.raises(PeerUnreachable, match="no connection"):
        client.send(adt())


def test_a_server_with_a_certificate_nobody_vouches_for_is_unreachable(endpoint: Endpoint) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with (
        MllpServer(endpoint, port=0, ssl=context).background() as where,
        MllpClient(*where, ssl=ssl.create_default_context()) as client,
        pytest.raises(PeerUnreachable, match="no connection"),
    ):
        client.send(adt())


def test_several_threads_share_a_client(endpoint: Endpoint) -> None:
    with MllpServer(endpoint, port=0).background() as where, MllpClient(*where) as client:
        ids: list[str] = []

        def feed(start: int) -> None:
            ids.extend(client.send(adt(f"P{n}", control_id=f"{n}")).control_id for n in range(start, start + 10))

        threads = [Thread(target=feed, args=(start,)) for start in (0, 10, 20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(map(int, ids)) == list(range(30))
