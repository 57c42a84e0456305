"""kill -9 under ITI-41 load: what was acknowledged is there; the rest is there whole or not at all.

    python -m tests.evidence.crash [--rounds 100] [--folder DIR] [--threads 6]

Each round starts ``xds serve`` on the same data, loads it with ITI-41 from several connections (small documents, which
are rows of the database, and large ones, which are files), kills it after a random time, starts it again and checks

* every acknowledged submission of this round: found by ITI-18, retrieved byte for byte by ITI-43;
* every other submission of this round: found *and* retrievable, or neither;
* in the database: each DocumentEntry has its SubmissionSet, its association and its document;
* in the documents folder: no file that nothing refers to, once the sweep has run.

The folder keeps the state: a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.evidence import messages
from tests.evidence.server import Server, commit, machine, post

SUCCESS = b"ResponseStatusType:Success"
PATIENTS = 40


@dataclass
class Round:
    """What one round sent: unique id → (patient, document)."""

    sent: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


def document(r: random.Random) -> bytes:
    size = r.choice((200, 5_000, 13_000, 60_000, 150_000, 600_000))
    return b"\r\n" + r.randbytes(size) + b"\n"


def load(
    server: Server,
    state: Round,
    prefix: str,
    seed: int,
    stop: threading.Event,
    *,
    patients: int = PATIENTS,
    note: Callable[[str], object] | None = None,
) -> None:
    """Submit until the server dies; ``note`` is told of each acknowledgement, and otherwise ``state``."""
    r = random.Random(seed)
    connection = server.connect(timeout=20)
    number = 0
    while not stop.is_set():
        number += 1
        unique_id, patient, content = f"{prefix}.{number}", r.randrange(patients), document(r)
        with state.lock:
            state.sent[unique_id] = (patient, content)
        try:
            answer = post(
                connection,
                "/repository",
                messages.iti41(unique_id, messages.patient(patient), content),
                mtom=True,
            )
        except (OSError, http.client.HTTPException):
            return  # the server is dead: whether this one counts is not known
        if SUCCESS in answer and note is not None:
            note(unique_id)
        elif SUCCESS in answer:
            with state.lock:
                state.acknowledged.add(unique_id)
        elif not stop.is_set():
            raise RuntimeError(f"refused: {answer[:500]!r}")


def check(server: Server, state: Round) -> dict[str, int]:
    connection = server.connect()
    found: set[str] = set()
    for patient in {patient for patient, _ in state.sent.values()}:
        answer = post(connection, "/registry", messages.iti18(messages.patient(patient)), mtom=False)
        assert SUCCESS in answer, answer[:500]
        text = answer.decode()
        found |= {unique_id for unique_id in state.sent if f'"{unique_id}"' in text}
    for unique_id, (_, content) in state.sent.items():
        answer = post(connection, "/repository", messages.iti43(unique_id), mtom=True)
        retrieved = messages.document_part(answer) if SUCCESS in answer else None
        if unique_id in state.acknowledged:
            assert unique_id in found, f"acknowledged {unique_id} is not found"
        if unique_id in found:
            assert retrieved == content, f"{unique_id} comes back changed"
        else:
            assert retrieved is None, f"{unique_id} has a document and no metadata"
    return {
        "sent": len(state.sent),
        "acknowledged": len(state.acknowledged),
        "there without acknowledgement": len(found - state.acknowledged),
    }


_PROBLEMS = {
    "DocumentEntry without its SubmissionSet": """
        SELECT count(*) FROM document_entry e WHERE NOT EXISTS (
            SELECT 1 FROM association a JOIN submission_set s ON s.patient = a.patient AND s.entry_uuid = a.source
            WHERE a.patient = e.patient AND a.target = e.entry_uuid)""",
    "SubmissionSet without a member": """
        SELECT count(*) FROM submission_set s WHERE NOT EXISTS (
            SELECT 1 FROM association a WHERE a.patient = s.patient AND a.source = s.entry_uuid)""",
    "DocumentEntry without its document": """
        SELECT count(*) FROM document_entry e WHERE NOT EXISTS (
            SELECT 1 FROM document d WHERE d.unique_id = e.unique_id AND d.hash = e.hash AND d.size = e.size)""",
    "document without its DocumentEntry": """
        SELECT count(*) FROM document WHERE unique_id NOT IN (SELECT unique_id FROM document_entry)""",
}


def check_store(data: Path) -> int:
    """Look into the store itself, with the server stopped; returns the number of DocumentEntries."""
    from xds.stores import open_store

    with open_store(f"sqlite:///{data / 'registry.sqlite'}", documents=data / "documents", sweep=False) as store:
        store.sweep(older_than=0)
    with contextlib.closing(sqlite3.connect(data / "registry.sqlite")) as database:
        for problem, query in _PROBLEMS.items():
            [(count,)] = database.execute(query)
            assert count == 0, f"{count} x {problem}"
        [(check,)] = database.execute("PRAGMA quick_check")
        assert check == "ok", check
        wanted = dict(database.execute("SELECT path, size FROM document WHERE path IS NOT NULL"))
        [(entries,)] = database.execute("SELECT count(*) FROM document_entry")
    documents = data / "documents"
    there = {
        str(file.relative_to(documents)): file.stat().st_size
        for file in documents.rglob("*")
        if file.is_file() and file.parent.name not in ("owners", "documents")
    }
    assert there == wanted, "the document files are not those that are referred to"
    return int(entries)


def one_round(number: int, data: Path, threads: int, r: random.Random) -> dict[str, int | float]:
    server = Server.start(data)
    if number == 0:
        server.announce(range(PATIENTS))
    state, stop = Round(), threading.Event()
    workers = [
        threading.Thread(target=load, args=(server, state, f"1.2.826.{number + 1}.{n}", number * 100 + n, stop))
        for n in range(threads)
    ]
    for worker in workers:
        worker.start()
    time.sleep(r.uniform(0.05, 1.2))
    server.kill()
    stop.set()
    for worker in workers:
        worker.join()
    again = Server.start(data)
    try:
        result: dict[str, int | float] = dict(check(again, state))
        result["restart_s"] = round(again.seconds_to_ready, 2)
    finally:
        again.stop()
    result["entries"] = check_store(data)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--threads", type=int, default=6)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--report", type=Path, help="write the summary as Markdown")
    options = parser.parse_args()
    folder: Path = options.folder or Path(tempfile.mkdtemp(prefix="xds-crash-"))
    folder.mkdir(parents=True, exist_ok=True)
    journal = folder / "rounds.jsonl"
    done = journal.read_text().splitlines() if journal.exists() else []
    data = folder / "data"
    for number in range(len(done), options.rounds):
        result = one_round(number, data, options.threads, random.Random(number))
        line = json.dumps({"round": number, **result})
        with journal.open("a") as file:
            file.write(line + "\n")
        done.append(line)
        print(line, flush=True)
    rows = [json.loads(line) for line in done]
    text = report(rows)
    print(text)
    if options.report:
        options.report.write_text(text)


def report(rows: list[dict[str, float]]) -> str:
    total = {key: sum(row[key] for row in rows) for key in ("sent", "acknowledged", "there without acknowledgement")}
    return (
        "# kill -9 under ITI-41 load\n\n"
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit()}, {machine()}\n\n"
        "`python -m tests.evidence.crash`\n\n"
        "| measure | value |\n|---|---|\n"
        f"| rounds | {len(rows)} |\n"
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
