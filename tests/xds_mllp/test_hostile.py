"""Blocks that are no messages: answered where that is possible, at little cost, and the next one is served."""

from __future__ import annotations

import random
import resource
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.xds_mllp.feed import adt, known
from xds.registry.actor import DocumentRegistry
from xds_mllp.endpoint import Endpoint
from xds_mllp.framing import frame
from xds_mllp.server import Limits, MllpServer

MIB = 2**20
MOST_SECONDS, MOST_MB = 0.05, 32  # DESIGN D10
HEAD = b"MSH|^~\\&|HIS|H01|REG|XDS|20260101120000||ADT^A01|X1|P|2.3.1"
BIG = Limits(message_size=4 * MIB)


@pytest.fixture
def address(registry: DocumentRegistry) -> Iterator[tuple[str, int]]:
    with MllpServer(Endpoint([registry]), port=0, limits=BIG).background() as address:
        yield address


def receive(connection: socket.socket) -> bytes:
    answer = b""
    while not answer.endswith(b"\x1c\r"):
        piece = connection.recv(65536)
        if not piece:
            return answer
        answer += piece
    return answer


# name → (what is sent, codes one of which must be in the answer; none: no answer, the next message is served)
BLOCKS: dict[str, tuple[bytes, tuple[bytes, ...]]] = {
    "empty": (frame(b""), (b"MSA|AR", b"MSA|AE")),
    "white space": (frame(b" \r\n "), (b"MSA|AR", b"MSA|AE")),
    "no MSH": (frame(b"PID|1||P1"), (b"MSA|AR", b"MSA|AE")),
    "MSH alone": (frame(b"MSH"), (b"MSA|AR", b"MSA|AE")),
    "a separator that is a letter": (frame(b"MSHA^~\\&AHISA"), (b"MSA|AR", b"MSA|AE")),
    "a separator that is CR": (frame(b"MSH\r^~\\&\rHIS"), (b"MSA|AR", b"MSA|AE")),
    "all delimiters alike": (frame(b"MSH|||||HIS|H01|R|X|2026||ADT^A01|1|P|2.5\rPID|||1"), (b"MSA|A",)),
    "no PID": (frame(HEAD + b"\rEVN|A01|20260101\r"), (b"MSA|AE|X1", b"MSA|AR|X1")),
    "no PID-3": (frame(HEAD + b"\rEVN|A01|20260101\rPID|1||||Wohlfahrt\rPV1|1|N\r"), (b"MSA|AE|X1",)),
    "every byte": (frame(bytes(n for n in range(256) if n not in (0x0B, 0x1C))), (b"MSA|A",)),
    "NUL bytes": (frame(HEAD + b"\rPID|||" + b"\0" * 100_000), (b"MSA|A",)),
    "binary": (frame(random.Random(1).randbytes(200_000).replace(b"\x1c", b"").replace(b"\x0b", b"")), (b"MSA|A",)),
    "UTF-16": (frame(HEAD.decode().encode("utf-16").replace(b"\x1c", b"")), (b"MSA|A",)),
    "another character set": (frame(HEAD + b"||||||UNICODE UTF-8\rPID|||\xd5\xc5\r"), (b"MSA|AE|X1", b"MSA|AR|X1")),
    "an unknown character set": (frame(HEAD + b"||||||KLINGON\rPID|||1\r"), (b"MSA|AE|X1", b"MSA|AR|X1")),
    "a field of 3 MB": (frame(HEAD + b"\rPID|||" + b"x" * (3 * MIB) + b"\r"), (b"MSA|A",)),
    "100,000 segments": (frame(HEAD + b"\rZZZ|1" * 100_000), (b"MSA|AR|X1", b"MSA|AE|X1")),
    "a million separators": (frame(HEAD + b"\rPID" + b"|" * 1_000_000), (b"MSA|A",)),
    "a million repetitions": (frame(HEAD + b"\rPID|||" + b"~1" * 500_000 + b"\r"), (b"MSA|A",)),
    "a million components": (frame(HEAD + b"\rPID|||" + b"^&" * 500_000 + b"\r"), (b"MSA|A",)),
    "escapes without end": (frame(HEAD + b"\rPID|||" + b"\\X41" * 500_000 + b"\r"), (b"MSA|A",)),
    "a million escapes": (frame(HEAD + b"\rPID|||" + b"\\T\\" * 500_000 + b"\r"), (b"MSA|A",)),
    "5 MB": (frame(HEAD + b"\rPID|||1" + b"x" * (5 * MIB)), (b"MSA|AR|X1",)),
    "no start": (HEAD + b"\r\x1c\r", ()),
    "no end": (b"\x0b" + HEAD + b"\rPID|||", ()),
    "twice MSH": (frame(HEAD + b"\r" + HEAD + b"\rPID|||\r"), (b"MSA|A",)),
    "a commit block of release 2": (b"\x0b\x06\x1c\r", (b"", b"MSA|A")),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_it_is_answered_and_the_next_message_is_served(
    name: str, address: tuple[str, int], registry: DocumentRegistry
) -> None:
    sent, codes = BLOCKS[name]
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(sent)
        if codes:
            answer = receive(connection)
            assert any(code in answer for code in codes), answer[:300]
        connection.sendall(frame(adt("P77", control_id="NEXT")))
        answers = receive(connection)
        while b"MSA|AA|NEXT" not in answers:
            piece = receive(connection)
            assert piece, answers[:500]
            answers += piece
    assert known(registry, "P77")


@pytest.mark.parametrize("name", [name for name, (_, codes) in BLOCKS.items() if codes])
def test_it_costs_little(name: str, registry: DocumentRegistry) -> None:
    """The answer without the wire: processor time of this thread, and growth of the process at its peak."""
    endpoint = Endpoint([registry])
    data = BLOCKS[name][0][1:-2]
    if len(data) > BIG.message_size:
        data = data[: BIG.message_size]  # what the framing lets through
    before, best = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 1e9
    for _ in range(4):
        started = time.thread_time()
        endpoint.respond(data)
        best = min(best, time.thread_time() - started)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert best <= MOST_SECONDS
    assert grown <= MOST_MB


def test_a_sender_that_reads_no_answers_is_waited_for_and_nobody_else(registry: DocumentRegistry) -> None:
    limits = Limits(read_time=1.0, queued_messages=4)
    with MllpServer(Endpoint([registry]), port=0, limits=limits).background() as address:
        threads = threading.active_count()
        with socket.create_connection(address, timeout=20) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.settimeout(0.5)
            message = frame(adt("P1", more="ZZZ|" + "x" * 2000 + "\r"))
            try:
                for _ in range(20_000):
                    deaf.sendall(message)
            except (TimeoutError, OSError):
                pass
            with socket.create_connection(address, timeout=20) as other:
                other.sendall(frame(adt("P2", control_id="OTHER")))
                assert b"MSA|AA|OTHER" in receive(other)
        assert threading.active_count() <= threads + 8
