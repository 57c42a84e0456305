"""Sends a document of N MB through a real server and takes it back; fails when memory grew by more than 24 MB.

Server and client share this process, so the figure covers both: the server streams the request into a temporary file
and the answer out of it, the client streams both ways.
Run by ``test_asgi``, and by hand as ``python -m tests.xds_soap.memory_of_large_documents 1000``.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.xds_soap import echo
from tests.xds_soap.hosts import running
from xds.ports import OutgoingPart, OutgoingRequest
from xds_soap import SoapApp, SoapExchange

MIB = 2**20
ALLOWED = 24 * MIB


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def chunks(size: int) -> Iterator[bytes]:
    piece = os.urandom(64 * 1024)
    for _ in range(size // len(piece)):
        yield piece


def send(exchange: SoapExchange, size: int) -> None:
    body = b'<xds:Echo text="x"><xds:Document><xop:Include href="cid:d@test"/></xds:Document></xds:Echo>'
    part = OutgoingPart("d@test", "application/octet-stream", chunks(size), size)
    answer = exchange(OutgoingRequest(echo.ECHO, body, mtom=True, parts=[part]))
    [document] = answer.parts.values()
    if document.size != size or document.path is None:
        raise SystemExit("the document did not come back whole")
    os.unlink(document.path)


def main(size: int) -> None:
    served = echo.served()
    with (
        running(SoapApp(served.endpoint)) as (host, port),
        SoapExchange(f"http://{host}:{port}/repository") as exchange,
    ):
        send(exchange, 4 * MIB)  # buffers and modules that stay
        before = peak = resident()
        done = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.005):
                peak = max(peak, resident())

        watcher = threading.Thread(target=watch)
        watcher.start()
        send(exchange, size)
        done.set()
        watcher.join()
    for stage in served.store.opened:
        stage.discard()
    grown = peak - before
    print(f"{size // MIB} MB moved memory by {grown / MIB:.1f} MB")
    if grown > ALLOWED:
        raise SystemExit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) * MIB)
