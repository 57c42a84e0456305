"""One target, input after input, in a process of its own."""

from __future__ import annotations

import faulthandler
import json
import random
import time
from collections import Counter
from pathlib import Path

from tests.evidence.fuzz import targets

CHUNK = 10_000
SLOWEST = 2.0  # seconds of processor time for one input
HANG = 60  # seconds after which the process ends itself and says where it was


def resident_mb() -> float:
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def look(target: targets.Target, name: str, n: int) -> tuple[str, float]:
    started = time.thread_time()
    try:
        outcome = target.look_at(n, random.Random(f"{name} {n}"))
    except Exception as error:
        raise SystemExit(f"{name}, input {n}: {type(error).__name__}: {error}") from error
    return outcome, time.thread_time() - started


def run(name: str, inputs: int, folder: str) -> None:
    """One target, in the process of its own."""
    journal = Path(folder) / f"{name}.jsonl"
    done = len(journal.read_text().splitlines()) * CHUNK if journal.exists() else 0
    target = targets.opened(name)
    for start in range(done, inputs, CHUNK):
        outcomes: Counter[str] = Counter()
        slowest, slowest_input = 0.0, -1
        started, cpu = time.monotonic(), time.process_time()
        for n in range(start, start + CHUNK):
            if n % 100 == 0:
                faulthandler.dump_traceback_later(HANG, exit=True)
            outcome, spent = look(target, name, n)
            outcomes[outcome] += 1
            if spent > slowest:
                slowest, slowest_input = spent, n
        faulthandler.cancel_dump_traceback_later()
        target.settle()
        if slowest > SLOWEST:
            raise SystemExit(f"{name}, input {slowest_input} took {slowest:.1f} s")
        line = {
            "start": start,
            "seconds": round(time.monotonic() - started, 1),
            "cpu": round(time.process_time() - cpu, 1),
            "slowest_ms": round(slowest * 1000, 1),
            "slowest_input": slowest_input,
            "rss_mb": round(resident_mb(), 1),
            "outcomes": outcomes,
        }
        with journal.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(name, json.dumps(line), flush=True)
