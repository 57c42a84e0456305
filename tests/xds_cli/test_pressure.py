"""Clients that are slow, silent, gone or many: given up after the times that were set, with nothing stored and no
thread lost, and the next client is served.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.evidence import messages
from tests.xds_cli.running import Running, announcement, running

LIMITS = """
[soap]
header_time = 1
body_time = 1
send_time = 1
idle_time = 2
connections = 150
"""
PATIENT = "P1^^^&amp;1.3.6.1.4.1.21367.13.20.1000&amp;ISO"
MIB = 2**20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("pressure")
    (folder / "xds.toml").write_text(LIMITS)
    with running(folder / "data", "--config", str(folder / "xds.toml")) as server:
        assert "MSA|AA" in server.feed(announcement(1))
        submit(server, "1.2.826.99.1", os.urandom(30 * MIB))
        yield server


@pytest.fixture
def patient_server(tmp_path: Path) -> Iterator[Running]:
    """With the times a server has by itself: nobody is given up here."""
    with running(tmp_path / "data") as server:
        assert "MSA|AA" in server.feed(announcement(1))
        yield server


@pytest.fixture(autouse=True)
def as_before(server: Running) -> Iterator[None]:
    """After each test: no staged file, no more threads, and a request is answered."""
    threads = len(tasks(server))
    yield
    eventually(lambda: not staged(server), "staged files are left")
    eventually(lambda: len(tasks(server)) <= max(threads, 40), "threads are left")
    submit(server, f"1.2.826.99.2.{time.monotonic_ns()}", b"a good document")


def tasks(server: Running) -> list[str]:
    return os.listdir(f"/proc/{server.process.pid}/task")


def staged(server: Running) -> list[Path]:
    return list((server.log.parent / "data/documents/staging").iterdir())


def eventually(holds: Callable[[], bool], problem: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, problem
        time.sleep(0.02)


def connect(server: Running) -> socket.socket:
    host, _, port = server.http.removeprefix("http://").rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    return connection


def head(path: str, length: int | None, kind: str = messages.SOAP_TYPE, *more: str) -> bytes:
    size = [] if length is None else [f"Content-Length: {length}"]
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: x", f"Content-Type: {kind}", *size, *more, "", "")).encode()


def rest(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def dripped(connection: socket.socket, byte: bytes, pause: float) -> bytes:
    """Send a byte now and then until there is an answer, for at most 20 seconds."""
    connection.settimeout(pause)
    answer, started = b"", time.monotonic()
    while not answer and time.monotonic() < started + 20:
        try:
            connection.send(byte)
            answer = connection.recv(1000)
        except TimeoutError:
            continue
    return answer


def submit(server: Running, unique_id: str, document: bytes) -> None:
    """As a client does that comes again when it is told to."""
    body = messages.iti41(unique_id, PATIENT, document)
    answer = b"HTTP/1.1 503 "

    def answered() -> bool:
        nonlocal answer
        with connect(server) as connection, contextlib.suppress(BrokenPipeError):
            connection.sendall(head("/repository", len(body), messages.MTOM_TYPE, "Connection: close") + body)
            answer = rest(connection)
        return not answer.startswith(b"HTTP/1.1 503 ")

    eventually(answered, "the server stays busy")
    assert b"ResponseStatusType:Success" in answer, answer[:500]


# --------------------------------------------------------------------------- slow and silent


def test_a_connection_without_a_request_is_closed(server: Running) -> None:
    with connect(server) as connection:
        assert rest(connection) == b""


def test_headers_that_do_not_end_are_given_up(server: Running) -> None:
    with connect(server) as connection:
        connection.sendall(b"POST /registry HTTP/1.1\r\nHost:")
        assert rest(connection).startswith(b"HTTP/1.1 408 ")


def test_headers_that_come_byte_by_byte_have_no_longer(server: Running) -> None:
    with connect(server) as connection:
        answer = dripped(connection, b"x", 0.05)
        assert answer.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 "))


def test_headers_of_a_megabyte_are_refused(server: Running) -> None:
    with connect(server) as connection:
        connection.sendall(b"POST /registry HTTP/1.1\r\nHost: x\r\n")
        try:
            for _ in range(64):
                connection.sendall(b"X: " + b"y" * 16384 + b"\r\n")
        except OSError:
            pass
        answer = rest(connection)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))


@pytest.mark.parametrize("path", ["/registry", "/repository"])
def test_a_body_that_stops_is_given_up(server: Running, path: str) -> None:
    with connect(server) as connection:
        connection.sendall(head(path, 5000) + b"<s:Envelope")
        assert rest(connection).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_drips_is_given_up_too(server: Running) -> None:
    with connect(server) as connection:
        connection.sendall(head("/registry", 5000))
        answer = dripped(connection, b" ", 0.1)
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_is_closed(server: Running) -> None:
    with connect(server) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 200 ")


def test_a_reader_that_stops_is_cut_off(server: Running) -> None:
    body = messages.iti43("1.2.826.99.1")
    with connect(server) as connection:
        connection.sendall(head("/repository", len(body), messages.MTOM_TYPE) + body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        eventually(lambda: "takes nothing of it" in server.log.read_text(), "the reader is waited for")
        assert len(rest(connection)) < 30 * MIB


# --------------------------------------------------------------------------- gone


@pytest.mark.parametrize("reset", [True, False])
def test_a_sender_that_vanishes_leaves_nothing(server: Running, reset: bool) -> None:
    body = messages.iti41("1.2.826.99.3", PATIENT, os.urandom(8 * MIB))
    connection = connect(server)
    connection.sendall(head("/repository", len(body), messages.MTOM_TYPE) + body[: 5 * MIB])
    eventually(lambda: bool(staged(server)), "nothing was staged")
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    eventually(lambda: not staged(server), "staged files are left")


def test_a_content_length_that_is_too_long_is_waited_for_and_then_given_up(server: Running) -> None:
    body = messages.iti41("1.2.826.99.4", PATIENT, b"document")
    with connect(server) as connection:
        connection.sendall(head("/repository", len(body) + 100, messages.MTOM_TYPE) + body)
        assert rest(connection).startswith(b"HTTP/1.1 408 ")


def test_a_content_length_that_is_too_short_cuts_the_package(server: Running) -> None:
    body = messages.iti41("1.2.826.99.5", PATIENT, b"document")
    with connect(server) as connection:
        connection.sendall(head("/repository", len(body) - 60, messages.MTOM_TYPE, "Connection: close") + body[:-60])
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"cut off" in answer


# --------------------------------------------------------------------------- many


def test_one_connection_too_many_is_told_to_come_again(server: Running) -> None:
    connections = []
    try:
        for _ in range(160):
            connection = connect(server)
            connections.append(connection)
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: ")  # headers that do not end
        answers = [connection.recv(1000) for connection in connections[-5:]]
    finally:
        for connection in connections:
            connection.close()
    assert any(b"503 Service Unavailable" in answer and b"Retry-After: 1" in answer for answer in answers), answers


@pytest.mark.parametrize("at_once", [True, False])
def test_documents_before_the_envelope_are_refused_at_the_quota(patient_server: Running, at_once: bool) -> None:
    """At once they are mostly refused for the memory that their first pieces take, one after the other for the disk."""
    server = patient_server
    early = b"--b\r\nContent-ID: <d>\r\n\r\n" + os.urandom(2 * MIB) + b"\r\n"
    late = b"--b\r\nContent-Type: application/xop+xml\r\nContent-ID: <r>\r\n\r\n<x/>\r\n--b--\r\n"
    kind = 'multipart/related; boundary="b"; type="application/xop+xml"; start="<r>"'
    answers: list[bytes] = []
    most = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.002):
            most = max(most, sum(_size(path) for path in staged(server)))

    def send() -> None:
        with connect(server) as connection:
            connection.sendall(head("/repository", len(early + late), kind, "Connection: close"))
            with contextlib.suppress(OSError):
                connection.sendall(early)
            arrived.release()
            go.wait(20)
            with contextlib.suppress(OSError):
                connection.sendall(late)
            answers.append(rest(connection))

    arrived, go = threading.Semaphore(0), threading.Event()
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    senders = [threading.Thread(target=send, daemon=True) for _ in range(100)]
    for sender in senders:
        sender.start()
        if not at_once:
            arrived.acquire(timeout=20)
    for _ in senders if at_once else ():
        arrived.acquire(timeout=20)
    # the sockets' own buffers have taken it: the rest is sent when the server takes no more
    sizes = [0]

    def full() -> bool:
        time.sleep(0.1)
        sizes.append(sum(_size(path) for path in staged(server)))
        return sizes[-1] > 0 and len(sizes) > 10 and len(set(sizes[-10:])) == 1

    eventually(full, "nothing is staged")
    go.set()
    for sender in senders:
        sender.join()
    done.set()
    watcher.join()
    assert most <= 33 * MIB
    assert at_once or most > 20 * MIB
    assert not any(b"Success" in answer for answer in answers)
    refused = [answer for answer in answers if b"HTTP/1.1 500 " in answer or b"HTTP/1.1 503 " in answer]
    assert any(b"too much is waiting" in answer or b"cannot take work" in answer for answer in refused), answers[:3]
    eventually(lambda: not staged(server), "staged files are left")
    submit(server, "1.2.826.99.9", b"a good document")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
