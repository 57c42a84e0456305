"""How well people are recognised by a real server: ``python -m tests.evidence.matching.served REGION [--profile cn]``.

Every message of the region's stream goes, in its order and its bytes, to the MLLP listener of ``xds serve --matching``.
Who is one person is then read from the server's store, and held against the truth by the region's own scorer.
"""

from __future__ import annotations

import argparse
import csv
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.evidence.matching.quality import score
from tests.evidence.server import Server, commit, cpu_seconds, machine, memory_mb
from xds.datatypes.hl7 import CX, HD
from xds.patients.domains import number_of
from xds.ports import Reader
from xds_cli.assemble import open_identities
from xds_cli.config import load_settings

WINDOW: Final = 16  # messages under way on the connection
_EVERYTHING: Final = 10**6


def frames(region: Path) -> Iterator[bytes]:
    """The messages in their frames."""
    rest = (region / "stream.mllp").read_bytes()
    while rest:
        end = rest.index(b"\x1c\r") + 2
        yield rest[:end]
        rest = rest[end:] if end < len(rest) else b""


def stream(server: Server, messages: list[bytes]) -> int:
    """Send them all; how many were not accepted."""
    refused = 0
    with server.feed(timeout=120) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent = answered = 0
        received = b""
        while answered < len(messages):
            while sent < len(messages) and sent - answered < WINDOW:
                connection.sendall(messages[sent])
                sent += 1
            received += connection.recv(1 << 16)
            *whole, received = received.split(b"\x1c\r")
            answered += len(whole)
            refused += sum(b"MSA|AA" not in answer and b"MSA|CA" not in answer for answer in whole)
    return refused


def people(region: Path, data: Path, profile: str, folder: Path) -> tuple[Path, Path]:
    """``result.csv`` and ``review.csv`` of the store of a server that has stopped."""
    with (region / "records.csv").open(encoding="utf-8") as file:
        records = [(row["hospital"], row["oid"], row["local_id"]) for row in csv.DictReader(file)]
    hospitals = {oid: code for code, oid, _ in records}

    def groups(reader: Reader) -> list[tuple[str, str, int]]:
        found = ((code, id, reader.identity(number_of(HD.oid(oid)), id)) for code, oid, id in records)
        return [(code, id, identity.group) for code, id, identity in found if identity is not None]

    def name(identifier: CX) -> tuple[str, str]:
        oid = identifier.assigning_authority.universal_id
        return hospitals.get(oid, oid), identifier.id

    with open_identities(load_settings({"data": str(data), "matching": profile}, environ={})) as parts:
        rows = parts.manager.store.read(groups)
        doubts = [(*name(entry.subject), *name(entry.other)) for entry in parts.manager.reviews(_EVERYTHING)]
    result, review = folder / "result.csv", folder / "review.csv"
    _write(result, ("hospital", "local_id", "xref_id"), rows)
    _write(review, ("hospital_a", "local_id_a", "hospital_b", "local_id_b"), doubts)
    return result, review


def _write(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(head)
        writer.writerows(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("region", type=Path)
    parser.add_argument("--profile", default="cn")
    parser.add_argument("--require", default="")
    given = parser.parse_args()
    print(f"commit {commit()}, {machine()}")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        messages = list(frames(given.region))
        server = Server.start(data, "--matching", given.profile)
        try:
            cpu, started = cpu_seconds(server.pid), time.monotonic()
            refused = stream(server, messages)
            seconds, spent = time.monotonic() - started, cpu_seconds(server.pid) - cpu
            print(
                f"{len(messages):,} messages in {seconds:.0f} s, {1000 * spent / len(messages):.2f} ms of CPU each,"
                f" {refused} not accepted, {memory_mb(server.pid):.0f} MB"
            )
        finally:
            server.stop()
        result, review = people(given.region, data, given.profile, Path(folder))
        return score(given.region, result, review, *(["--require", given.require] if given.require else []))


if __name__ == "__main__":
    sys.exit(main())
