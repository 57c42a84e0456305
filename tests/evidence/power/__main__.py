"""Power loss under ITI-41 load: whatever the disk kept of what was not synced, what was acknowledged is there.

    python -m tests.evidence.power [--rounds 100] [--folder DIR]

``xds serve`` runs under a recorder of its file operations (recorder.c) and is loaded with ITI-8 and ITI-41; clients
note every acknowledgement in the same log. A round takes the log up to a random place, builds a disk on which only
synced content and synced names are certain and any part of the rest may be there (disk.py), starts ``xds serve`` on it
and checks as after kill -9: each acknowledged submission is found and comes back byte for byte, the others are there
whole or not at all, nothing refers to nothing. The disk of the last round is where the next recording starts.

Needs a C compiler. The folder keeps the state: a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.evidence.load import Round, check, check_store, load
from tests.evidence.power.disk import Disk, Record, read_log
from tests.evidence.preload import compiled, preloading
from tests.evidence.server import Server, commit, machine

RECORDER = Path(__file__).with_name("recorder.c")
ROUNDS_OF_A_RECORDING = 5
ROUNDS_OF_A_CHAIN = 20  # then a fresh folder: creating the store is worth a power loss as well
PATIENTS = 12
SHARES = (0.0, 0.3, 0.7, 1.0)  # how much of what was not synced survives


class Notes:
    """Acknowledgements, noted behind everything that was done before them."""

    def __init__(self, log: Path) -> None:
        self._descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def acknowledged(self, what: str) -> None:
        os.write(self._descriptor, f"a{len(what)}:{what}\n".encode())

    def close(self) -> None:
        os.close(self._descriptor)


def announce(server: Server, notes: Notes) -> None:
    for number in range(PATIENTS):
        server.announce([number])
        notes.acknowledged(f"patient {number}")


def record(data: Path, log: Path, library: Path, seed: int) -> Round:
    """Load a server that is recorded, kill it; what was sent."""
    notes, state, stop = Notes(log), Round(), threading.Event()
    server = Server.start(data, prefix=preloading(library, POWER_FOLDER=data, POWER_LOG=log))
    workers = [
        threading.Thread(
            target=load,
            args=(server, state, f"1.2.826.{seed + 1}.{n}", seed * 100 + n, stop),
            kwargs={"patients": PATIENTS, "note": notes.acknowledged},
        )
        for n in range(3)
    ]
    announce(server, notes)
    for worker in workers:
        worker.start()
    time.sleep(random.Random(seed).uniform(0.3, 1.0))
    server.kill()
    stop.set()
    for worker in workers:
        worker.join()
    notes.close()
    return state


def one_round(
    disk: Disk, records: list[Record], state: Round, known: set[str], image: Path, r: random.Random
) -> tuple[dict[str, float], set[str]]:
    """Let the power fail somewhere in the recording; ``known`` was there when it began. Also what was acknowledged."""
    end = r.randrange(len(records) + 1)
    for step in records[:end]:
        disk.play(step)
    share = r.choice(SHARES)
    disk.survived(r, share, image)
    acknowledged = known | {step.texts[0].decode() for step in records[:end] if step.kind == "a"}
    announced = {number for number in range(PATIENTS) if f"patient {number}" in acknowledged}
    server = Server.start(image)
    try:
        expected = Round({u: sent for u, sent in state.sent.items() if sent[0] in announced})
        expected.acknowledged = acknowledged & expected.sent.keys()
        result: dict[str, float] = dict(check(server, expected))
        result["restart_s"] = round(server.seconds_to_ready, 2)
    finally:
        server.stop()
    result |= {"share": share, "operations": end, "entries": check_store(image)}
    return result, acknowledged


def one_chain(folder: Path, library: Path, rounds: range) -> Iterator[dict[str, float]]:
    """Recordings that follow each other, each on what the power loss before it left."""
    data, log, image = folder / "data", folder / "log", folder / "image"
    shutil.rmtree(data, ignore_errors=True)
    sent: dict[str, tuple[int, bytes]] = {}
    known: set[str] = set()
    for start in range(rounds.start, rounds.stop, ROUNDS_OF_A_RECORDING):
        log.unlink(missing_ok=True)
        before = Disk(data)
        state = record(data, log, library, start)
        sent |= state.sent
        state.sent = sent
        records = list(read_log(log))
        there = known
        for index in range(start, min(start + ROUNDS_OF_A_RECORDING, rounds.stop)):
            result, there = one_round(copy.deepcopy(before), records, state, known, image, random.Random(index))
            yield {"round": index, **result}
        known = there
        shutil.rmtree(data)
        image.rename(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--report", type=Path, help="write the summary as Markdown")
    options = parser.parse_args()
    folder: Path = options.folder or Path(tempfile.mkdtemp(prefix="xds-power-"))
    folder.mkdir(parents=True, exist_ok=True)
    library = compiled(RECORDER, folder)
    journal = folder / "rounds.jsonl"
    lines = journal.read_text().splitlines() if journal.exists() else []
    for start in range(0, options.rounds, ROUNDS_OF_A_CHAIN):
        end = min(start + ROUNDS_OF_A_CHAIN, options.rounds)
        if len(lines) >= end:
            continue
        lines = lines[:start]  # a chain that was interrupted begins again
        for result in one_chain(folder, library, range(start, end)):
            lines.append(json.dumps(result))
            journal.write_text("\n".join(lines) + "\n")
            print(lines[-1], flush=True)
    text = report([json.loads(line) for line in lines])
    print(text)
    if options.report:
        options.report.write_text(text)


def report(rows: list[dict[str, float]]) -> str:
    restarts = sorted(row["restart_s"] for row in rows)
    return (
        "# Power loss under ITI-41 load\n\n"
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit()}, {machine()}\n\n"
        "`python -m tests.evidence.power`\n\n"
        "Every file operation of `xds serve` is recorded; the log is cut at a random place, and of what was not\n"
        "synced there a random part survives, sector by sector (none in "
        f"{sum(row['share'] == 0 for row in rows)} rounds, all in {sum(row['share'] == 1 for row in rows)}).\n\n"
        "| measure | value |\n|---|---|\n"
        f"| rounds | {len(rows)} |\n"
        f"| file operations before the power failed | {sum(row['operations'] for row in rows):.0f} |\n"
        f"| acknowledged, all found and retrieved byte for byte | {sum(row['acknowledged'] for row in rows):.0f} |\n"
        "| not acknowledged but there, whole | "
        f"{sum(row['there without acknowledgement'] for row in rows):.0f} |\n"
        "| half there, lost, or orphaned | 0 |\n"
        f"| restart, median and longest | {restarts[len(rows) // 2]} s, {restarts[-1]} s |\n"
    )


if __name__ == "__main__":
    main()
