"""Registry and manager against the naive models of ``tests/model`` over thousands of random sequences.

    python -m tests.evidence.model [--subject registry|identities] [--sequences 2500] [--postgresql 300] [--seed 1]
                                   [--folder DIR]

Sequences run in batches. The folder keeps, for each commit and database, what was agreed on: a run that was stopped
goes on with the batch it was in.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.evidence.server import REPOSITORY_ROOT, commit, machine

BATCH = 250


@dataclass(frozen=True, slots=True)
class Subject:
    """What is compared: a module of tests/model, what it counts, and what to say about it."""

    title: str
    tests: str
    counts: tuple[str, ...]
    remark: str


SUBJECTS = {
    "registry": Subject(
        "The registry against a naive model",
        "tests/model/test_model.py",
        ("submissions", "accepted", "queries", "with results"),
        "A query is asked twice, for LeafClass and for ObjectRef. What is not accepted is refused by both sides, by\n"
        "the registry with error codes that the model has as well.\n",
    ),
    "identities": Subject(
        "Manager and registry against a naive model of identities",
        "tests/model/test_identities.py",
        ("steps", "refused", "undone"),
        "A step is a feed, a decision, an undo or a submission. After each one everything that can be asked about\n"
        "every identifier is compared: its cross-references, its documents, what was last said of it.\n",
    ),
}


def agreed(journal: Path) -> dict[int, dict[str, int]]:
    """What is known of each sequence on which both sides agreed, by seed."""
    lines = journal.read_text().splitlines() if journal.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("}")]  # the last one may be cut
    return {row["seed"]: row for row in rows}


def run_batch(subject: Subject, database: str, seed: int, number: int, journal: Path) -> int:
    """Runs the sequences from ``seed`` on; the exit code of pytest."""
    environment = {
        **os.environ,
        "XDS_SEQUENCES": str(number),
        "XDS_SEED": str(seed),
        "XDS_MODEL_DATABASE": "" if database == "sqlite" else database,
        "XDS_MODEL_JOURNAL": str(journal),
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", subject.tests],
        cwd=REPOSITORY_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-2000:], file=sys.stderr)
    return done.returncode


def compare(subject: Subject, database: str, seeds: range, journal: Path) -> dict[int, dict[str, int]]:
    """Runs what is not known yet; the sequences on which both sides agree."""
    for first in range(seeds.start, seeds.stop, BATCH):
        batch = range(first, min(first + BATCH, seeds.stop))
        if set(batch) <= agreed(journal).keys():
            continue
        started = time.monotonic()
        if run_batch(subject, database, first, len(batch), journal):
            break
        print(f"{database}: {first} to {batch[-1]} in {time.monotonic() - started:.0f} s", flush=True)
    known = agreed(journal)
    return {seed: known[seed] for seed in seeds if seed in known}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--subject", choices=SUBJECTS, default="registry")
    parser.add_argument("--sequences", type=int, default=2500, help="on SQLite")
    parser.add_argument("--postgresql", type=int, default=300, metavar="SEQUENCES", help="on PostgreSQL")
    parser.add_argument("--seed", type=int, default=1, help="of the first sequence")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    subject = SUBJECTS[options.subject]
    folder: Path = options.folder or Path(tempfile.mkdtemp(prefix="xds-model-"))
    wanted = {"sqlite": options.sequences, "postgresql": options.postgresql}
    folder.mkdir(parents=True, exist_ok=True)
    at, totals, complete = commit(), {}, True
    for database, number in wanted.items():
        journal = folder.resolve() / f"{at}-{options.subject}-{database}.jsonl"
        rows = compare(subject, database, range(options.seed, options.seed + number), journal)
        complete = complete and len(rows) == number
        totals[database] = Counter({"sequences": len(rows)})
        for row in rows.values():
            totals[database].update({name: row[name] for name in subject.counts})
    number = f"--sequences {options.sequences} --postgresql {options.postgresql} --seed {options.seed}"
    command = f"--subject {options.subject} {number}"
    lines = [
        f"| {name} | {totals['sqlite'][name]} | {totals['postgresql'][name]} |\n"
        for name in ("sequences", *subject.counts)
    ]
    text = (
        f"# {subject.title}\n\n{datetime.now(UTC):%Y-%m-%d}, commit {at}, {machine()}\n\n"
        f"`python -m tests.evidence.model {command}`\n\n"
        f"| on which both agree | SQLite | PostgreSQL |\n|---|---|---|\n{''.join(lines)}\n"
        f"{subject.remark}"
    )
    print(text)
    if complete and options.report:
        options.report.write_text(text)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
