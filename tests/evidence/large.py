"""A document of 1 GB in by ITI-41 and out by ITI-43: the bytes are the same, and the server's memory hardly moves.

python -m tests.evidence.large [--megabytes 1024]
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.evidence import messages
from tests.evidence.server import Server, commit, machine, memory_mb, post

PIECE = bytes(range(256)) * 4096  # 1 MiB
UNIQUE_ID = "1.2.826.7.1"


class Peak:
    """Samples resident memory while something runs."""

    def __init__(self, pid: int) -> None:
        self.pid, self.before, self.peak, self.running = pid, memory_mb(pid), 0.0, True
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self) -> None:
        while self.running:
            self.peak = max(self.peak, memory_mb(self.pid))
            time.sleep(0.02)

    def growth(self) -> float:
        self.running = False
        self.thread.join()
        return self.peak - self.before


def pieces(megabytes: int) -> Iterator[bytes]:
    for n in range(megabytes):
        yield n.to_bytes(8, "big") + PIECE[8:]


def digest(megabytes: int) -> str:
    sha = hashlib.sha256()
    for piece in pieces(megabytes):
        sha.update(piece)
    return sha.hexdigest()


def submit(server: Server, megabytes: int) -> None:
    connection = server.connect(timeout=600)
    body = messages.mtom(messages.iti41_envelope(UNIQUE_ID, messages.patient(1)), pieces(megabytes))
    connection.request(
        "POST",
        "/repository",
        body,
        {"Content-Type": messages.MTOM_TYPE, "Transfer-Encoding": "chunked"},
        encode_chunked=True,
    )
    answer = connection.getresponse().read()
    assert b"ResponseStatusType:Success" in answer, answer[:500]


def retrieve(server: Server, megabytes: int) -> str:
    """SHA-256 of the document part, read in constant memory."""
    connection = server.connect(timeout=600)
    connection.request("POST", "/repository", messages.iti43(UNIQUE_ID), {"Content-Type": messages.MTOM_TYPE})
    response = connection.getresponse()
    boundary = b"\r\n--" + response.headers["Content-Type"].partition('boundary="')[2].partition('"')[0].encode()
    data = response.read(256 * 1024)
    root_end = data.index(boundary, 10)
    content = data[data.index(b"\r\n\r\n", root_end) + 4 :]
    sha, left = hashlib.sha256(), megabytes * len(PIECE)
    while left:
        piece = content[:left]
        sha.update(piece)
        left -= len(piece)
        rest = content[len(piece) :]
        content = rest or response.read(256 * 1024)
        assert content or not left, "the answer ends too early"
    assert content.startswith(boundary), content[:80]
    response.read()
    return sha.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server.start(Path(folder) / "data")
        try:
            server.announce([1])
            connection = server.connect()
            for n in range(20):  # warm: the interpreter's own growth is not the document's
                post(
                    connection, "/repository", messages.iti41(f"1.2.826.7.2.{n}", messages.patient(1), PIECE), mtom=True
                )
            rows = []
            for name, action in (("in", submit), ("out", retrieve)):
                peak, started = Peak(server.pid), time.monotonic()
                result = action(server, options.megabytes)
                rows.append((name, time.monotonic() - started, peak.growth(), peak.peak))
                if name == "out":
                    assert result == digest(options.megabytes), "the bytes differ"
        finally:
            server.stop()
    text = (
        f"# A document of {options.megabytes} MB\n\n{datetime.now(UTC):%Y-%m-%d}, commit {commit()}, {machine()}\n\n"
        "`python -m tests.evidence.large`\n\n| way | seconds | memory growth, MB | peak, MB |\n|---|---|---|---|\n"
        + "".join(f"| {name} | {seconds:.1f} | {growth:.1f} | {peak:.0f} |\n" for name, seconds, growth, peak in rows)
        + "\nThe bytes that came out are those that went in (SHA-256).\n"
    )
    print(text)
    if options.report:
        options.report.write_text(text)


if __name__ == "__main__":
    main()
