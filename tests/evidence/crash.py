"""kill -9 under mixed load: what was acknowledged is there; the rest is there whole or not at all.

    python -m tests.evidence.crash [--rounds 100] [--folder DIR] [--threads 6]

Each round starts ``xds serve`` on the same data, loads it from several connections (tests/evidence/load.py: ITI-41 with
small documents, which are rows of the database, and large ones, which are files; ITI-42, ITI-18, ITI-43, ITI-8) and
kills after a random time, in turn,

* server: the one process that answers and writes;
* writer: of a server with workers, the process that writes for them; the workers are to end by themselves;
* worker: of a server with workers, one of them; the others go on and it is replaced;
* all: a server with workers, every process of it.

Then, after a start on what is left, it checks

* every acknowledged submission of this round: found by ITI-18, retrieved byte for byte by ITI-43;
* every other submission of this round: found *and* retrievable, or neither;
* every acknowledged patient is known;
* in the database: each DocumentEntry has its SubmissionSet, its association and its document;
* in the documents folder: no file that nothing refers to, once the sweep has run.

The folder keeps the state: a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.evidence.load import PATIENTS, Round, check, check_store, clients, serves_again
from tests.evidence.server import Server, commit, machine, tree, wait_until_gone

WHOM = ("server", "writer", "worker", "all")
WORKERS_END = 45.0  # seconds: what is in flight has 30
Result = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """The data folder of all rounds, and the URL of the database when that is not in it."""

    data: Path
    database: str | None = None

    def start(self, *options: str) -> Server:
        return Server.start(self.data, *(("--database", self.database) if self.database else ()), *options)


def one_round(number: int, whom: str, place: Place, threads: int, r: random.Random) -> Result:
    options = () if whom == "server" else ("--workers", "2")
    server = place.start(*options)
    if number == 0:
        server.announce(range(PATIENTS))
    state, prefix = Round(), unique_ids(number)
    everyone = tree(server.pid)
    with clients(server, state, prefix, number, threads):
        time.sleep(r.uniform(0.05, 1.2))
        state.dying.set()
        kill(server, whom, everyone, r)
        if whom == "worker":
            time.sleep(0.3)
    result: Result = {"whom": whom}
    if whom == "worker":
        result["again_s"] = round(serves_again(server, state, prefix, number, within=10), 2)
        server.stop()
    again = place.start(*options)
    try:
        result |= check(again, state)
        result["restart_s"] = round(again.seconds_to_ready, 2)
    finally:
        again.stop()
    wait_until_gone(everyone, timeout=WORKERS_END)
    assert not state.improper, state.improper[:5]
    result["entries"] = check_store(place.data, state.announced, place.database)
    return result


def unique_ids(number: int) -> str:
    """What the uniqueIds of a round begin with; one that was interrupted is begun again with others."""
    return f"1.2.826.{number + 1}.{os.getpid()}"


def kill(server: Server, whom: str, everyone: list[int], r: random.Random) -> None:
    match whom:
        case "worker":
            os.kill(r.choice([pid for pid in everyone if pid != server.pid]), signal.SIGKILL)
        case "all":
            for pid in everyone:
                os.kill(pid, signal.SIGKILL)
            server.process.wait(30)
        case _:
            server.kill()


def main() -> None:
    options = arguments(__doc__, "xds-crash-")
    place = Place(options.folder / "data")
    rows = run(options, lambda n: one_round(n, WHOM[n % len(WHOM)], place, options.threads, random.Random(n)))
    publish(report(rows), options)


def arguments(doc: str | None, prefix: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(doc or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--threads", type=int, default=6)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--report", type=Path, help="write the summary as Markdown")
    options = parser.parse_args()
    options.folder = options.folder or Path(tempfile.mkdtemp(prefix=prefix))
    options.folder.mkdir(parents=True, exist_ok=True)
    return options


def run(options: argparse.Namespace, one: Callable[[int], Result]) -> list[Result]:
    """The rounds that the journal in the folder does not have yet; all of them."""
    journal = options.folder / "rounds.jsonl"
    done = journal.read_text().splitlines() if journal.exists() else []
    for number in range(len(done), options.rounds):
        line = json.dumps({"round": number, "commit": commit(), **one(number)})
        with journal.open("a") as file:
            file.write(line + "\n")
        done.append(line)
        print(line, flush=True)
    return [json.loads(line) for line in done]


def commits(rows: list[Result]) -> str:
    """A run that is gone on with may be of more than one."""
    counts = Counter(row.get("commit", commit()) for row in rows)
    if len(counts) == 1:
        return f"commit {next(iter(counts))}"
    return "commits " + ", ".join(f"{name} ({count} rounds)" for name, count in counts.items())


def publish(text: str, options: argparse.Namespace) -> None:
    print(text)
    if options.report:
        options.report.write_text(text)


def report(rows: list[Result]) -> str:
    total = {key: sum(row[key] for row in rows) for key in ("sent", "acknowledged", "there without acknowledgement")}
    killed = ", ".join(f"{whom} {sum(row.get('whom', 'server') == whom for row in rows)}" for whom in WHOM)
    return (
        "# kill -9 under mixed load\n\n"
        f"{datetime.now(UTC):%Y-%m-%d}, {commits(rows)}, {machine()}\n\n"
        "`python -m tests.evidence.crash`\n\n"
        "| measure | value |\n|---|---|\n"
        f"| rounds | {len(rows)} |\n"
        f"| killed | {killed} |\n"
        f"| submissions sent | {total['sent']} |\n"
        f"| acknowledged, all found and retrieved byte for byte | {total['acknowledged']} |\n"
        f"| not acknowledged but there, whole | {total['there without acknowledgement']} |\n"
        "| half there, lost, or orphaned | 0 |\n"
        f"| entries at the end | {rows[-1]['entries']:.0f} |\n"
        f"| restart, median and longest | {sorted(r['restart_s'] for r in rows)[len(rows) // 2]} s, "
        f"{max(r['restart_s'] for r in rows)} s |\n"
    )


if __name__ == "__main__":
    main()
