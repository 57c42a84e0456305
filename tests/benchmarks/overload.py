"""Twice the load that the machine can serve: what is answered, what is refused, and what memory does.

    python -m tests.benchmarks.overload [--seconds 60] [--connections 1500]

First the rate is measured that the server reaches with 16 connections that wait for their answers (ITI-41, 13 kB). Then
requests begin at twice that rate whether the ones before are answered or not, each on a connection that is free, or on
a new one while there are fewer than ``--connections``; with none free it counts as not sent. Printed are the answers a
second, 503 and broken connections, latencies of what was accepted, and the resident memory each few seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.benchmarks.transactions import SUCCESS, Templates
from tests.evidence.server import Server, commit, cpu_seconds, machine, memory_mb

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Load:
    """What one generator saw."""

    outcomes: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)


async def exchange(pair: Pair, data: bytes) -> bytes:
    reader, writer = pair
    writer.write(data)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    size = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
    return head + await reader.readexactly(size)


class Generator:
    def __init__(self, address: tuple[str, int], templates: Templates, base: int) -> None:
        self._address = address
        self._templates = templates
        self._number = base
        self._free: list[Pair] = []
        self._open = 0
        self.load = Load()

    def _next(self) -> bytes:
        self._number += 1
        return self._templates.fill("ITI-41", self._number, fresh=True)

    async def closed(self, connections: int, seconds: float) -> Load:
        """Each connection sends its next request when the last one is answered."""
        end = time.monotonic() + seconds

        async def one() -> None:
            pair = await asyncio.open_connection(*self._address)
            while time.monotonic() < end:
                await self._measured(pair)
            pair[1].close()

        await asyncio.gather(*(one() for _ in range(connections)))
        return self.load

    async def open(self, rate: float, seconds: float, connections: int) -> Load:
        """A request begins every 1/rate seconds, whatever becomes of the others."""
        tasks: set[asyncio.Task[None]] = set()
        started, sent = time.monotonic(), 0
        while (now := time.monotonic()) < started + seconds:
            due = int((now - started) * rate) - sent
            for _ in range(due):
                sent += 1
                if not self._free and self._open >= connections:
                    self.load.outcomes["not sent: no connection free"] += 1
                    continue
                task = asyncio.create_task(self._once())
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await asyncio.sleep(0.002)
        await asyncio.wait(tasks, timeout=60) if tasks else None
        return self.load

    async def _once(self) -> None:
        if self._free:
            pair = self._free.pop()
        else:
            self._open += 1
            try:
                pair = await asyncio.open_connection(*self._address)
            except OSError:
                self._open -= 1
                self.load.outcomes["no connection"] += 1
                return
        if await self._measured(pair):
            self._free.append(pair)
        else:
            self._open -= 1
            pair[1].close()

    async def _measured(self, pair: Pair) -> bool:
        """One exchange; whether the connection goes on."""
        started = time.monotonic()
        try:
            answer = await exchange(pair, self._next())
        except (OSError, asyncio.IncompleteReadError):
            self.load.outcomes["broken"] += 1
            return False
        if SUCCESS in answer:
            self.load.outcomes["accepted"] += 1
            self.load.latencies.append(time.monotonic() - started)
        else:
            self.load.outcomes["503" if b"http/1.1 503" in answer else "refused"] += 1
        return b"connection: close" not in answer


def closed(address: tuple[str, int], templates: Templates, base: int, seconds: float) -> Load:
    return asyncio.run(Generator(address, templates, base).closed(8, seconds))


def opened(
    address: tuple[str, int], templates: Templates, base: int, rate: float, seconds: float, connections: int
) -> Load:
    return asyncio.run(Generator(address, templates, base).open(rate, seconds, connections))


def summary(loads: list[Load], seconds: float) -> str:
    outcomes: Counter[str] = sum((load.outcomes for load in loads), Counter())
    latencies = sorted(x for load in loads for x in load.latencies)
    at = [latencies[int(len(latencies) * share)] * 1000 for share in (0.5, 0.99)] if latencies else [0.0, 0.0]
    rates = ", ".join(f"{name} {number / seconds:.0f}/s" for name, number in outcomes.most_common())
    return f"{rates}; accepted: p50 {at[0]:.0f} ms, p99 {at[1]:.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=1500)
    options = parser.parse_args()
    print(f"commit {commit()}, {machine()}")
    templates = Templates(1000, 1)
    with tempfile.TemporaryDirectory() as folder:
        server = Server.start(Path(folder) / "data")
        try:
            url = urlsplit(server.http)
            address = (str(url.hostname), int(url.port or 80))
            server.announce(range(2000))
            with multiprocessing.get_context("spawn").Pool(2) as pool:
                loads = pool.starmap(closed, [(address, templates, n * 10**8, 8.0) for n in (1, 2)])
                capacity = sum(load.outcomes["accepted"] for load in loads) / 8
                print(f"16 connections that wait: {summary(loads, 8)}; {memory_mb(server.pid):.0f} MB")
                cpu = cpu_seconds(server.pid)
                half = options.connections // 2
                jobs = [(address, templates, n * 10**8, capacity, options.seconds, half) for n in (3, 4)]
                running = pool.starmap_async(opened, jobs)
                started = time.monotonic()
                while not running.ready():
                    running.wait(5)
                    print(f"  {time.monotonic() - started:5.0f} s {memory_mb(server.pid):6.0f} MB", flush=True)
                spent = time.monotonic() - started
                print(f"twice that, {2 * capacity:.0f}/s: {summary(running.get(), spent)}")
                print(f"processor {(cpu_seconds(server.pid) - cpu) / spent:.2f} cores")
                after = pool.starmap(closed, [(address, templates, n * 10**8, 5.0) for n in (5, 6)])
                print(f"afterwards, 16 that wait: {summary(after, 5)}; {memory_mb(server.pid):.0f} MB")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
