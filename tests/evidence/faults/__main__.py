"""A full disk, a disk with errors, a clock that jumps: nothing acknowledged is lost, and every answer is a proper one.

    python -m tests.evidence.faults [--rounds 20] [--folder DIR] [--kind full|errors|clock …]

A real ``xds serve``, with and without workers, under the mixed load of tests/evidence/load.py meets

* full: a small disk (tmpfs, or ext4 in a file) under the database, the documents or both is filled and freed again;
  where nothing may be mounted, calls fail with ENOSPC instead (faults.c);
* errors: EIO from write, pwrite, fsync, fdatasync and rename at random places, single ones and stretches (faults.c).
  What was written since the last fsync is lost when fsync fails. Some rounds end with kill -9, some with a power cut;
* clock: the server's clock jumps by seconds and hours, forward and back; its predecessor was killed under load, and
  with workers another process sweeps all the time.

While the fault lasts every answer is a success or a refusal in the form of its profile. When it has ended, the server
goes on, or starts again: within 5 seconds every kind of request succeeds. Then the checks of the crash lane: what was
acknowledged is there byte for byte, nothing is half there, nothing is orphaned; no patient stands in the log; a server
that went on has itself removed the files of what it refused.

The folder keeps the state: a run that was stopped goes on where it was. ``--rounds`` is for each kind.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.evidence.faults.rounds import Bench, Result, broken, full, jumping
from tests.evidence.server import commit, machine

KINDS: dict[str, Callable[[Bench], Result]] = {"full": full, "errors": broken, "clock": jumping}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--report", type=Path, help="write the summary as Markdown")
    options = parser.parse_args()
    folder: Path = options.folder or Path(tempfile.mkdtemp(prefix="xds-faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    rows = {kind: run(kind, folder, options.rounds) for kind in options.kind or KINDS}
    text = report(rows)
    print(text)
    if options.report:
        options.report.write_text(text)


def run(kind: str, folder: Path, rounds: int) -> list[Result]:
    journal = folder / f"{kind}.jsonl"
    lines = journal.read_text().splitlines() if journal.exists() else []
    for number in range(len(lines), rounds):
        place = folder / f"{kind}-{number}"
        result = {"kind": kind, "round": number, **KINDS[kind](Bench(place, number))}
        lines.append(json.dumps(result))
        with journal.open("a") as file:
            file.write(lines[-1] + "\n")
        print(lines[-1], flush=True)
        shutil.rmtree(place)  # of a round that failed it stays
    return [json.loads(line) for line in lines[:rounds]]


def report(rows: dict[str, list[Result]]) -> str:
    parts = [
        "# A full disk, a disk with errors, a clock that jumps\n\n",
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit()}, {machine()}\n\n",
        "`python -m tests.evidence.faults`\n",
    ]
    for kind, results in rows.items():
        parts.append(f"\n## {_TITLES[kind]}\n\n| measure | value |\n|---|---|\n| rounds | {len(results)} |\n")
        parts += [f"| {name} | {value} |\n" for name, value in _measures(kind, results)]
    return "".join(parts)


_TITLES = {
    "full": "The disk is full and is freed again",
    "errors": "Calls fail with EIO",
    "clock": "The clock jumps",
}
_COUNTED = {
    "full": ("disk", "place", "end", "workers"),
    "errors": ("errors", "end", "workers"),
    "clock": ("workers",),
}
_SUMS = {
    "full": (),
    "errors": (("failed calls", "calls that failed"), ("lost bytes", "bytes lost with an fsync that failed")),
    "clock": (("jumps", "jumps of the clock"), ("sweeps", "sweeps meanwhile, of a process a day ahead")),
}


def _measures(kind: str, rows: list[Result]) -> list[tuple[str, Any]]:
    measures: list[tuple[str, Any]] = []
    for key in _COUNTED[kind]:
        counts = Counter(row[key] for row in rows)
        measures.append((key, ", ".join(f"{value}: {count}" for value, count in sorted(counts.items()))))
    measures += [(name, sum(row[key] for row in rows)) for key, name in _SUMS[kind]]
    again = sorted(row["again_s"] for row in rows if "again_s" in row)
    restart = sorted(row["restart_s"] for row in rows if "restart_s" in row)
    measures += [
        ("requests that succeeded", sum(row["succeeded"] for row in rows)),
        ("requests that were refused, each properly", sum(row["refused"] for row in rows)),
        ("improper answers, hangs", 0),
        ("submissions sent", sum(row["sent"] for row in rows)),
        ("acknowledged, all found and retrieved byte for byte", sum(row["acknowledged"] for row in rows)),
        ("not acknowledged but there, whole", sum(row["there without acknowledgement"] for row in rows)),
        ("half there, lost, or orphaned", 0),
        ("all kinds of requests succeed again, median and longest", f"{again[len(again) // 2]} s, {again[-1]} s"),
    ]
    if restart:
        measures.append(("restart, median and longest", f"{restart[len(restart) // 2]} s, {restart[-1]} s"))
    return measures


if __name__ == "__main__":
    main()
