"""Damaged messages by the million: no crash, no hang, no growth, and what must hold for each holds.

    python -m tests.evidence.fuzz [--inputs 1000000] [--folder DIR] [TARGET…]

Input n of a target follows from n alone, so ``--only N`` repeats one. The inputs are good messages with some changes:
of bytes, of words of the protocol, of elements, attributes and texts. Each target runs in a process of its own; the
folder keeps how far it got, and a run that was stopped goes on there.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from tests.evidence.fuzz import targets
from tests.evidence.fuzz.running import CHUNK, look, run
from tests.evidence.server import commit, machine

GROWTH_MB = 48


def growth(rows: list[dict[str, float]]) -> float:
    """MB from the end of the first tenth to the highest point after it."""
    settled = rows[len(rows) // 10 :]
    return max(row["rss_mb"] for row in settled) - settled[0]["rss_mb"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(targets.NAMES))
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--only", type=int, help="look at this input alone")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--report", type=Path, help="write the summary as Markdown")
    options = parser.parse_args()
    names = options.targets or list(targets.NAMES)
    if options.only is not None:
        for name in names:
            print(name, look(targets.opened(name), name, options.only))
        return
    folder: Path = options.folder or Path(tempfile.mkdtemp(prefix="xds-fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    spawn = multiprocessing.get_context("spawn")
    for name in names:
        process = spawn.Process(target=run, args=(name, options.inputs, str(folder)))
        process.start()
        process.join()
        if process.exitcode != 0:
            sys.exit(f"{name} ended with {process.exitcode}")
    rows = {name: [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()] for name in names}
    text = report(rows)
    print(text)
    if options.report:
        options.report.write_text(text)
    grown = [name for name in names if growth(rows[name]) > GROWTH_MB]
    if grown:
        sys.exit(f"more than {GROWTH_MB} MB of growth: {', '.join(grown)}")


def report(rows: dict[str, list[dict[str, float]]]) -> str:
    lines = [
        "# Damaged messages\n",
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit()}, {machine()}\n",
        "`python -m tests.evidence.fuzz`\n",
        "Every input is a good message with some changes, and follows from its number. None crashed or hung; how far",
        "memory rose is in the table. What must hold for each is said in `tests/evidence/fuzz`.\n",
        "| target | inputs | processor time | slowest input | memory: start, peak, end | outcomes |",
        "|---|---|---|---|---|---|",
    ]
    for name, chunks in rows.items():
        outcomes: Counter[str] = Counter()
        for chunk in chunks:
            outcomes.update(chunk["outcomes"])  # type: ignore[arg-type]  # a mapping in the journal
        common = ", ".join(f"{outcome} {number}" for outcome, number in outcomes.most_common(8))
        lines.append(
            f"| {name} | {len(chunks) * CHUNK:,} | {sum(c['cpu'] for c in chunks):.0f} s "
            f"| {max(c['slowest_ms'] for c in chunks):.1f} ms "
            f"| {chunks[0]['rss_mb']:.0f}, {max(c['rss_mb'] for c in chunks):.0f}, {chunks[-1]['rss_mb']:.0f} MB "
            f"| {common} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
