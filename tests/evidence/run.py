"""Run the long proofs, one lane after the other, and keep their reports under docs/evidence.

    python -m tests.evidence.run [--again] [--list] [LANE…]

A lane whose report is there is left out unless ``--again`` is given, so an interrupted run goes on where it stopped;
lanes with a folder of their own go on inside. Every report names date, commit and machine.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "docs" / "evidence"
STATE = ROOT / "build" / "evidence"


@dataclass(frozen=True, slots=True)
class Lane:
    """A program that takes ``--report FILE``; ``resumes``: it takes ``--folder DIR`` and goes on in it."""

    name: str
    module: str
    proves: str
    options: tuple[str, ...] = ()
    resumes: bool = False


LANES = (
    Lane(
        "crash",
        "tests.evidence.crash",
        "kill -9 under load loses nothing that was acknowledged",
        ("--rounds", "500"),
        resumes=True,
    ),
    Lane(
        "crash-postgresql",
        "tests.evidence.crash_postgresql",
        "likewise on PostgreSQL; and one that is killed, shut down or stands still is borne",
        ("--rounds", "156"),
        resumes=True,
    ),
    Lane(
        "faults",
        "tests.evidence.faults",
        "a full disk, a disk with errors and a clock that jumps lose nothing that was acknowledged",
        ("--rounds", "20"),
        resumes=True,
    ),
    Lane(
        "power",
        "tests.evidence.power",
        "power loss keeps what was acknowledged, whatever the disk kept of what was not synced",
        ("--rounds", "100"),
        resumes=True,
    ),
    Lane("synced", "tests.evidence.synced", "an acknowledgement is sent after its bytes were synced to the disk"),
    Lane("large", "tests.evidence.large", "a document of 1 GB moves the memory of the server by a few MB"),
    Lane("steady", "tests.evidence.steady", "half an hour at 80 % of what the machine can serve moves no memory"),
    Lane(
        "scale",
        "tests.evidence.scale",
        "a query at a million entries costs what it costs at 100,000, a start no more than two seconds",
        resumes=True,
    ),
    Lane(
        "model",
        "tests.evidence.model",
        "the registry answers as a naive model does, over thousands of sequences, on both databases",
        resumes=True,
    ),
    Lane(
        "identities",
        "tests.evidence.model",
        "manager and registry answer as a naive model does over feeds, merges, links, undos and submissions",
        ("--subject", "identities"),
        resumes=True,
    ),
    Lane(
        "fuzz",
        "tests.evidence.fuzz",
        "a million damaged messages for each of six readers: no crash, no hang, no growth",
        resumes=True,
    ),
    Lane("mutation", "tests.evidence.mutation", "a rule that is broken makes a test fail"),
)


def run(lane: Lane, *, again: bool) -> bool:
    """True when the lane holds (or held, and its report is there)."""
    report = REPORTS / f"{lane.name}.md"
    if report.exists() and not again:
        print(f"{lane.name}: {report.relative_to(ROOT)} is there")
        return True
    print(f"{lane.name}: {lane.proves}", flush=True)
    fresh = report.with_suffix(".new")
    command = [sys.executable, "-m", lane.module, "--report", str(fresh), *lane.options]
    if lane.resumes:
        folder = STATE / lane.name
        folder.mkdir(parents=True, exist_ok=True)
        command += ["--folder", str(folder)]
    REPORTS.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode == 0 and fresh.exists():
        fresh.replace(report)
        return True
    print(f"{lane.name}: failed with code {done.returncode}", file=sys.stderr)
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("lanes", nargs="*", metavar="LANE", help=", ".join(lane.name for lane in LANES))
    parser.add_argument("--again", action="store_true", help="repeat lanes that have a report")
    parser.add_argument("--list", action="store_true", help="name the lanes and what they prove")
    options = parser.parse_args()
    names = {lane.name for lane in LANES}
    unknown = set(options.lanes) - names
    if unknown:
        parser.error(f"no such lane: {', '.join(sorted(unknown))}; there are {', '.join(sorted(names))}")
    chosen = [lane for lane in LANES if not options.lanes or lane.name in options.lanes]
    if options.list:
        for lane in chosen:
            print(f"{lane.name:<18}{lane.proves}")
        return 0
    held = [run(lane, again=options.again) for lane in chosen]
    return 0 if all(held) else 1


if __name__ == "__main__":
    raise SystemExit(main())
