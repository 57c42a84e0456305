"""Rate, latency, CPU and memory of ITI-41, ITI-42, ITI-18 and ITI-43 against a real ``xds serve``.

    python -m tests.benchmarks.transactions [--seconds 8] [--connections 16] [--preload 10000] [--patients 1000]

The load comes from two processes of plain sockets on the same machine, so the rate is that of a shared machine; CPU
per transaction is the server's alone (user and system time of its process tree) and is the figure to compare.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tests.evidence import messages
from tests.evidence.server import Server, commit, cpu_seconds, machine, memory_mb

DOCUMENT = (
    b"<ClinicalDocument xmlns='urn:hl7-org:v3'>" + b"<p>observation within range</p>" * 420 + b"</ClinicalDocument>"
)
SUCCESS = b"ResponseStatusType:Success"


def request_bytes(path: str, body: bytes, *, mtom: bool) -> bytes:
    content_type = messages.MTOM_TYPE if mtom else messages.SOAP_TYPE
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def exchange(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    received = bytearray()
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += _more(connection)
    head = bytes(received[:end]).lower()
    if b"content-length:" in head:
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(received) < end + 4 + length:
            received += _more(connection)
    else:
        while not received.endswith(b"0\r\n\r\n"):
            received += _more(connection)
    return bytes(received)


def _more(connection: socket.socket) -> bytes:
    piece = connection.recv(262144)
    if not piece:
        raise ConnectionError("closed by the server")
    return piece


class Templates:
    """Requests with the unique id and the patient left open, filled by replacement: the load must be cheap."""

    def __init__(self, patients: int, existing: int, *, document: bytes = DOCUMENT) -> None:
        self.patients, self.existing = patients, max(1, existing)
        mark, pid = "1.2.826.5.0000000000", messages.patient(999999)
        self.parts = {
            "ITI-41": ("/repository", messages.iti41(mark, pid, document), True),
            "ITI-42": ("/registry", messages.iti42(mark, pid, document), False),
            "ITI-18": ("/registry", messages.iti18(pid), False),
            "ITI-43": ("/repository", messages.iti43(mark), True),
        }
        self.mark, self.pid = mark.encode(), pid.encode()

    def fill(self, transaction: str, number: int, *, fresh: bool) -> bytes:
        # new submissions go to patients of their own, so that what a query finds stays the same
        return self.about(transaction, number, number % self.patients + (self.patients if fresh else 0))

    def about(self, transaction: str, number: int, patient: int) -> bytes:
        """The request with this document of this patient."""
        path, body, mtom = self.parts[transaction]
        body = body.replace(self.mark, b"1.2.826.5.%d" % (10**9 + number))  # no part of an OID begins with 0
        return request_bytes(path, body.replace(self.pid, messages.patient(patient).encode()), mtom=mtom)


def load(
    address: tuple[str, int], make: Callable[[int], bytes], numbers: Callable[[], int | None], connections: int
) -> list[float]:
    """Latencies in seconds of all exchanges over ``connections`` connections, each by a thread."""
    latencies: list[float] = []

    def work() -> None:
        with socket.create_connection(address, timeout=60) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (number := numbers()) is not None:
                data = make(number)
                started = time.perf_counter()
                answer = exchange(connection, data)
                latencies.append(time.perf_counter() - started)
                if SUCCESS not in answer:
                    raise RuntimeError(f"refused: {answer[:600]!r}")

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies


def worker(
    address: tuple[str, int], transaction: str, templates: Templates, base: int, seconds: float, connections: int
) -> list[float]:
    fresh = transaction in ("ITI-41", "ITI-42")
    ends = time.monotonic() + seconds
    r, counter, lock = random.Random(base), iter(range(base, base + 10**8)), threading.Lock()

    def numbers() -> int | None:
        if time.monotonic() > ends:
            return None
        with lock:
            return next(counter) if fresh else r.randrange(templates.existing)

    return load(address, lambda n: templates.fill(transaction, n, fresh=fresh), numbers, connections)


def preload(address: tuple[str, int], templates: Templates, count: int) -> None:
    counter, lock = iter(range(count)), threading.Lock()

    def numbers() -> int | None:
        with lock:
            return next(counter, None)

    load(address, lambda n: templates.fill("ITI-41", n, fresh=False), numbers, 16)


def measure(server: Server, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    url = urlsplit(server.http)
    address = (str(url.hostname), int(url.port or 80))
    templates = Templates(options.patients, options.preload)
    server.announce(range(2 * options.patients))
    preload(address, templates, options.preload)
    results = {}
    for n, transaction in enumerate(("ITI-18", "ITI-43", "ITI-41", "ITI-42")):
        base = (n + 1) * 10**9 // 2
        jobs = [
            (address, transaction, templates, base + p * 10**8, options.seconds, options.connections // 2)
            for p in range(2)
        ]
        cpu, started = cpu_seconds(server.pid), time.monotonic()
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            latencies = sorted(x for part in pool.starmap(worker, jobs) for x in part)
        spent = cpu_seconds(server.pid) - cpu
        results[transaction] = {
            "rate": round(len(latencies) / (time.monotonic() - started), 1),
            "p50_ms": round(latencies[len(latencies) // 2] * 1000, 2),
            "p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1000, 2),
            "cpu_ms": round(spent * 1000 / len(latencies), 3),
            "peak_mb": round(memory_mb(server.pid, "VmHWM"), 1),
        }
        print(transaction, results[transaction], flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--preload", type=int, default=10_000)
    parser.add_argument("--patients", type=int, default=1_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"commit {commit()}, {machine()}")
    with tempfile.TemporaryDirectory() as folder:
        server = Server.start(Path(folder) / "data")
        try:
            results = measure(server, options)
        finally:
            server.stop()
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
