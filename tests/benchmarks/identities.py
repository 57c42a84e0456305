"""Feeds and queries about patients against a real ``xds serve`` that knows very many.

    python -m tests.benchmarks.identities [--identities 1000000] [--messages 20000] [--queries 5000] [--report FILE]

Invented people are announced through the manager, each message by itself, until there are as many as asked for. Then
a server is started on that store: CPU for an ADT message that is durable and acknowledged, of somebody new and of
somebody known, from sixteen senders at once; and the latencies of ITI-9, and of ITI-21 by identifier and by name and
birth date, on one connection that waits for each answer.
"""

from __future__ import annotations

import argparse
import random
import socket
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.region_words import GIVEN, SURNAMES
from tests.evidence.server import Server, commit, cpu_seconds, machine, memory_mb, tell
from xds import open_store
from xds.datatypes.hl7 import CX, HD, XPN
from xds.patients.demographics import Demographics
from xds.patients.domains import Domains
from xds.patients.feed import IdentityFeed
from xds.pix import PatientIdentifierCrossReferenceManager
from xds.vocab.hl7 import FeedEvent

AFFINITY: Final = "1.3.6.1.4.1.21367.13.20.1000"
EAST, WEST = "1.2.826.66.1", "1.2.826.66.2"
_IN_FLIGHT: Final = 256
_CONNECTIONS: Final = 16  # hospitals that send at the same time: the messages of one go one after the other
_WINDOW: Final = 4


def person(number: int) -> tuple[str, str, str, str]:
    """Family name, given name, birth date and sex of an invented person: the same for the same number."""
    r = random.Random(number)
    family = r.choice(SURNAMES)
    given = "".join(r.choices(GIVEN, k=r.choice((1, 2, 2))))
    born = f"{r.randrange(1930, 2026)}{r.randrange(1, 13):02}{r.randrange(1, 29):02}"
    return family, given, born, r.choice("FM")


def load(folder: Path, identities: int) -> float:
    """Two identities for each person, one in each hospital; the seconds that took."""
    started = time.monotonic()
    with open_store(folder / "registry.sqlite", documents=folder / "documents") as store:
        manager = PatientIdentifierCrossReferenceManager(store, domains=Domains(affinity=AFFINITY))
        waiting: deque[Future[Any]] = deque()
        for number in range(identities // 2):
            family, given, born, sex = person(number)
            feed = IdentityFeed(
                event=FeedEvent.ADMIT,
                identifiers=(CX.of(f"E{number}", EAST), CX.of(f"W{number}", WEST)),
                demographics=Demographics(names=(XPN(family, given),), birth_time=born, sex=sex),
                sending_application=HD("HIS"),
                control_id=f"L{number}",
            )
            waiting.append(manager.apply_feed(feed))
            if len(waiting) > _IN_FLIGHT:
                waiting.popleft().result()
        for future in waiting:
            future.result()
    return time.monotonic() - started


def adt(trigger: str, number: int, control: str) -> bytes:
    family, given, born, sex = person(number)
    return (
        f"\x0bMSH|^~\\&|HIS|EAST|XDS|R|20260101000000||ADT^{trigger}^ADT_A01|{control}|P|2.5||||||UNICODE UTF-8\r"
        f"EVN||20260101000000\rPID|||E{number}^^^&{EAST}&ISO||{family}^{given}||{born}|{sex}|||{control}号^^Obertal\r"
        f"PV1||N\r\x1c\r"
    ).encode()


def query(number: int, kind: str, tag: str) -> bytes:
    family, given, born, _ = person(number)
    if kind == "ITI-9":
        msh, qpd = "QBP^Q23^QBP_Q21", f"QPD|IHE PIX Query|{tag}|E{number}^^^&{EAST}&ISO"
    elif kind == "ITI-21 by identifier":
        msh, qpd = "QBP^Q22^QBP_Q21", f"QPD|IHE PDQ Query|{tag}|@PID.3.1^E{number}~@PID.3.4.2^{EAST}~@PID.3.4.3^ISO"
    else:
        names = f"@PID.5.1.1^{family}~@PID.5.2^{given}~@PID.7^{born}"
        msh, qpd = "QBP^Q22^QBP_Q21", f"QPD|IHE PDQ Query|{tag}|{names}"
    return (
        f"\x0bMSH|^~\\&|EHR|EAST|XDS|R|20260101000000||{msh}|{tag}|P|2.5||||||UNICODE UTF-8\r{qpd}\rRCP|I\r\x1c\r"
    ).encode()


def pipelined(server: Server, messages: Iterable[bytes]) -> int:
    """Send them on one connection, some ahead of their answers; how many were accepted."""
    accepted = sent = answered = 0
    received = b""
    with server.feed(timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        source = iter(messages)
        more = True
        while more or answered < sent:
            while more and sent - answered < _WINDOW:
                message = next(source, None)
                more = message is not None
                if message is not None:
                    connection.sendall(message)
                    sent += 1
            if answered < sent:
                received += connection.recv(1 << 16)
                *whole, received = received.split(b"\x1c\r")
                answered += len(whole)
                accepted += sum(b"MSA|AA" in answer for answer in whole)
    return accepted


def measured(server: Server, numbers: Sequence[int], make: Callable[[int], bytes], what: str) -> str:
    count = len(numbers)
    cpu, started = cpu_seconds(server.pid), time.monotonic()
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        parts = (map(make, numbers[n::_CONNECTIONS]) for n in range(_CONNECTIONS))
        accepted = sum(pool.map(partial(pipelined, server), parts))
    spent, seconds = cpu_seconds(server.pid) - cpu, time.monotonic() - started
    if accepted != count:
        raise RuntimeError(f"{what}: {count - accepted} were not accepted")
    return f"| {what} | {count / seconds:,.0f}/s | {1000 * spent / count:.3f} ms | | |"


def asked(server: Server, kind: str, numbers: list[int]) -> str:
    latencies: list[float] = []
    cpu = cpu_seconds(server.pid)
    with server.feed() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for turn in range(2):  # the first finds nothing in memory
            latencies.clear()
            for n, number in enumerate(numbers):
                started = time.perf_counter()
                answer = tell(connection, query(number, kind, f"{turn}T{n}"))
                latencies.append(1000 * (time.perf_counter() - started))
                if b"|OK" not in answer:
                    raise RuntimeError(f"{kind}: {answer[:300]!r}")
    spent = 1000 * (cpu_seconds(server.pid) - cpu) / (2 * len(numbers))
    latencies.sort()
    p50, p99 = (latencies[int(len(latencies) * share)] for share in (0.5, 0.99))
    return (
        f"| {kind} | {1000 / (sum(latencies) / len(latencies)):,.0f}/s | {spent:.3f} ms | {p50:.2f} ms | {p99:.2f} ms |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--identities", type=int, default=1_000_000)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=5_000)
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="load into DIR, or measure what was loaded there before"
    )
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    lines = [
        f"# {options.identities:,} identities",
        "",
        f"{date.today()}, commit {commit()}, {machine()}",
        "",
        f"`python -m tests.benchmarks.identities --identities {options.identities}`: a real `xds serve` on SQLite.",
        "",
    ]
    with tempfile.TemporaryDirectory() as folder:
        data = options.data or Path(folder) / "data"
        if not data.exists():
            data.mkdir()
            seconds = load(data, options.identities)
            lines += [f"Announced in {seconds / 60:.1f} minutes, two in each message, each message durable.", ""]
        size = (data / "registry.sqlite").stat().st_size
        lines += [
            f"{size / options.identities:.0f} bytes of disk for each.",
            "",
            "| | rate | CPU | p50 | p99 |",
            "|---|---|---|---|---|",
        ]
        server = Server.start(data)
        try:
            first = options.identities
            run = int(time.time())  # so that nothing is a repeat of an earlier run on the same data
            new = range(first + run, first + run + options.messages)
            lines.append(measured(server, new, lambda n: adt("A04", n, f"N{n}"), "ADT^A04, somebody new"))
            known = random.Random(1).sample(range(first // 2), min(options.messages, first // 2))
            lines.append(
                measured(server, known, lambda n: adt("A08", n, f"U{n}.{run}"), "ADT^A08, somebody known moves")
            )
            numbers = random.Random(2).sample(range(first // 2), min(options.queries, first // 2))
            lines += [
                asked(server, kind, numbers)
                for kind in ("ITI-9", "ITI-21 by identifier", "ITI-21 by name and birth date")
            ]
            lines += ["", f"Memory of the server at the end: {memory_mb(server.pid):.0f} MB.", ""]
        finally:
            server.stop()
    text = "\n".join(lines)
    print(text)
    if options.report:
        options.report.write_text(text)


if __name__ == "__main__":
    main()
