"""Half an hour of mixed load at 80 % of what the machine can serve: the server's memory does not grow.

    python -m tests.evidence.steady --report FILE [--minutes 30]

Two generators on the same machine announce patients (ITI-8), submit ten documents for each (ITI-41 with 13 kB, one in
fifty with 600 kB, and ITI-42), ask for patients (ITI-18) and retrieve documents (ITI-43). First without pauses, which
is what the machine can serve; then 80 % of that, by the clock. Patients are new all the time, so an answer is as large
at the end as in the beginning.

Memory is that of the server's process tree, every five seconds. It holds when no five minutes after the first five have
a median more than 5 % above that of the second five.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.benchmarks.overload import Pair, exchange
from tests.benchmarks.transactions import SUCCESS, Templates
from tests.evidence import messages
from tests.evidence.server import Server, commit, cpu_seconds, machine, memory_mb

CONNECTIONS: Final = 8  # of each generator
SHARE: Final = 0.8
ENTRIES: Final = 10  # of each patient
PRELOADED: Final = 200  # patients of each generator
GROWTH: Final = 1.05
MIX: Final = {"ITI-41": 30, "ITI-42": 20, "ITI-18": 30, "ITI-43": 20}
LARGE: Final = 50  # one of so many ITI-41
WINDOW: Final = 5.0  # minutes


@dataclass
class Seen:
    """What one generator saw: latencies in seconds from the moment a request was due, and what was no success."""

    latencies: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    trouble: Counter[str] = field(default_factory=Counter)

    @property
    def answered(self) -> int:
        return sum(map(len, self.latencies.values()))


class Generator:
    """Sends the mix; ``base`` keeps its patients and documents apart from those of others."""

    def __init__(self, http: tuple[str, int], mllp: tuple[str, int], base: int) -> None:
        self._http, self._mllp = http, mllp
        self._base = base
        self._templates = Templates(1, 1)
        self._large = Templates(1, 1, document=b"\n" + random.Random(base).randbytes(600_000))
        self._random = random.Random(base)
        self._patients = 0
        self._entries = 0
        self._stored: list[tuple[int, int]] = []  # a sample of (document, patient)
        self._seen = Seen()

    async def run(self, rate: float | None, seconds: float) -> Seen:
        """``rate`` requests a second, or, when it is None, as many as are answered."""
        feed = await asyncio.open_connection(*self._mllp)
        pairs = [await asyncio.open_connection(*self._http) for _ in range(CONNECTIONS)]
        for _ in range(PRELOADED):
            await self._newcomer(feed)
        started = time.monotonic()
        slots = iter(range(10**9))
        lock = asyncio.Lock()

        async def work(pair: Pair) -> None:
            while (now := time.monotonic()) < started + seconds:
                due = now
                if rate is not None:
                    due = started + next(slots) / rate
                    await asyncio.sleep(max(0.0, due - now))
                if self._entries >= self._patients * ENTRIES:
                    async with lock:
                        await self._newcomer(feed)
                await self._request(pair, due)

        await asyncio.gather(*map(work, pairs))
        for _, writer in (feed, *pairs):
            writer.close()
        return self._seen

    async def _newcomer(self, feed: Pair) -> None:
        started = time.monotonic()
        feed[1].write(messages.iti8(self._base + self._patients))
        answer = await feed[0].readuntil(b"\x1c\r")
        self._note("ITI-8", b"MSA|AA" in answer, started)
        self._patients += 1

    async def _request(self, pair: Pair, due: float) -> None:
        r = self._random
        [kind] = r.choices(list(MIX), list(MIX.values()))
        if not self._stored:
            kind = "ITI-41"
        if kind in ("ITI-41", "ITI-42"):
            number, self._entries = self._base + self._entries, self._entries + 1
            patient = self._base + (number - self._base) // ENTRIES
            templates = self._large if kind == "ITI-41" and r.randrange(LARGE) == 0 else self._templates
            answer = await exchange(pair, templates.about(kind, number, patient))
            if kind == "ITI-41" and SUCCESS in answer:
                self._keep(number, patient)
        else:
            number, patient = r.choice(self._stored)
            answer = await exchange(pair, self._templates.about(kind, number, patient))
        self._note(kind, SUCCESS in answer, due)

    def _keep(self, number: int, patient: int) -> None:
        if len(self._stored) < 10_000:
            self._stored.append((number, patient))
        else:
            self._stored[self._random.randrange(10_000)] = number, patient

    def _note(self, kind: str, success: bool, started: float) -> None:
        if success:
            self._seen.latencies[kind].append(time.monotonic() - started)
        else:
            self._seen.trouble[kind] += 1


def generate(http: tuple[str, int], mllp: tuple[str, int], base: int, rate: float | None, seconds: float) -> Seen:
    return asyncio.run(Generator(http, mllp, base).run(rate, seconds))


def address(text: str) -> tuple[str, int]:
    url = urlsplit(text if "//" in text else f"//{text}")
    return str(url.hostname), int(url.port or 0)


@dataclass(frozen=True, slots=True)
class Sample:
    minutes: float
    resident: float  # MB
    anonymous: float


def windows(samples: list[Sample]) -> list[tuple[float, float, float]]:
    """Of each five minutes the medians and the highest."""
    grouped: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        grouped[int(sample.minutes / WINDOW)].append(sample)
    return [
        (
            statistics.median(s.resident for s in group),
            statistics.median(s.anonymous for s in group),
            max(s.resident for s in group),
        )
        for _, group in sorted(grouped.items())
        if len(group) > 1
    ]


def report(samples: list[Sample], seen: list[Seen], capacity: float, minutes: float, cores: float) -> tuple[str, bool]:
    lines = [
        "# Half an hour at 80 % of what the machine can serve",
        "",
        f"{date.today()}, commit {commit()}, {machine()}",
        "",
        f"`python -m tests.evidence.steady --minutes {minutes:g}`: `xds serve` and its two generators on one machine.",
        "",
        f"Without pauses {capacity:.0f} requests a second were answered; {SHARE * capacity:.0f} a second for"
        f" {minutes:g} minutes took {cores:.2f} cores of the server.",
        "",
        "| transaction | answered | p50, ms | p99, ms | longest, ms | no success |",
        "|---|---|---|---|---|---|",
    ]
    for kind in ("ITI-8", *MIX):
        latencies = sorted(x * 1000 for one in seen for x in one.latencies[kind])
        trouble = sum(one.trouble[kind] for one in seen)
        at = [latencies[int(len(latencies) * share)] for share in (0.5, 0.99)]
        lines.append(f"| {kind} | {len(latencies):,} | {at[0]:.1f} | {at[1]:.1f} | {latencies[-1]:.0f} | {trouble} |")
    lines += [
        "",
        "| minutes | resident, median, MB | of it anonymous | resident, highest |",
        "|---|---|---|---|",
    ]
    medians = windows(samples)
    for n, (resident, anonymous, highest) in enumerate(medians):
        lines.append(f"| {n * WINDOW:g} to {(n + 1) * WINDOW:g} | {resident:.1f} | {anonymous:.1f} | {highest:.1f} |")
    settled = medians[1:]
    holds = len(settled) > 1 and all(resident <= GROWTH * settled[0][0] for resident, _, _ in settled)
    holds = holds and not any(one.trouble for one in seen)
    lines += ["", "No growth after the first five minutes: " + ("holds." if holds else "**does not hold**."), ""]
    return "\n".join(lines), holds


def watched(server: Server, running: Callable[[], bool], pause: Callable[[float], object]) -> list[Sample]:
    samples: list[Sample] = []
    started = time.monotonic()
    while running():
        pause(5)
        minutes = (time.monotonic() - started) / 60
        samples.append(Sample(minutes, memory_mb(server.pid), memory_mb(server.pid, "RssAnon")))
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server.start(Path(folder) / "data")
        try:
            peer = (address(server.http), address(server.mllp))
            with multiprocessing.get_context("spawn").Pool(2) as pool:
                first = pool.starmap(generate, [(*peer, n * 10**7, None, 20.0) for n in (1, 2)])
                capacity = sum(one.answered - PRELOADED for one in first) / 20
                print(f"{capacity:.0f} requests a second", flush=True)
                jobs = [(*peer, n * 10**7, SHARE * capacity / 2, options.minutes * 60) for n in (3, 4)]
                cpu, started = cpu_seconds(server.pid), time.monotonic()
                running = pool.starmap_async(generate, jobs)
                samples = watched(server, lambda: not running.ready(), running.wait)
                cores = (cpu_seconds(server.pid) - cpu) / (time.monotonic() - started)
                text, holds = report(samples, running.get(), capacity, options.minutes, cores)
        finally:
            server.stop()
    options.report.write_text(text)
    print(text)
    return 0 if holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
