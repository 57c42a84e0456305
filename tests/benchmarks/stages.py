"""Where the processor time of a transaction goes, stage by stage.

    python -m tests.benchmarks.stages [--seconds 6] [--report docs/evidence/speed.md]

The whole is what a real ``xds serve`` needs for a request under load (``tests.benchmarks.transactions``). The stages
are measured in this process, on one core as the server is, in a loop over the same requests: what the thread that
answers spends in each, then what the writer spends, with twelve requests in a commit. What remains of the whole is
uvicorn, the event loop, the change of threads, and the caches that a loop has warm and a server has not.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, Final

from tests.benchmarks.transactions import Templates, measure
from tests.evidence import messages
from tests.evidence.server import Server, commit, machine
from xds import DocumentRegistry, DocumentRepository, open_store
from xds.ports import Transaction as StoreTransaction
from xds.transactions import TRANSACTIONS
from xds.transactions.base import Transaction
from xds.vocab.actors import Actor
from xds_cli.affinity import keep_to_one_core
from xds_soap import SoapEndpoint
from xds_soap.call import Call, Pending

GROUP: Final = 12  # requests in one commit: what 16 connections make of it
ROUNDS: Final = 120
PATIENTS: Final = 100
STAGES: Final = ("SOAP in", "decode", "actor", "writer", "encode", "SOAP out", "HTTP, threads, caches")
COLOURS: Final = ("#9db4c0", "#5c8aa8", "#2f5d7c", "#c8553d", "#e09f3e", "#f2cc8f", "#d9d9d9")


class Clock:
    """Adds up what the calling thread spends in each stage; a stage inside another one is not counted twice."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = 0.0

    def timed(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **more: Any) -> Any:
            self.enter(stage)
            try:
                return work(*arguments, **more)
            finally:
                self.leave()

        return run

    def enter(self, stage: str) -> None:
        self._account()
        self._open.append(stage)

    def leave(self) -> None:
        self._account()
        self._open.pop()

    def _account(self) -> None:
        now = time.thread_time()
        if self._open:
            self.spent[self._open[-1]] += now - self._since
        self._since = now


class Bench:
    """A registry and repository in this process whose transactions tell the clock what they do."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.store = open_store(f"sqlite:///{folder / 'registry.sqlite'}", documents=folder / "documents")
        registry = DocumentRegistry(self.store)
        repository = DocumentRepository(self.store, registry)
        timed = self.clock.timed
        self.endpoint = SoapEndpoint(
            {Actor.DOCUMENT_REGISTRY: registry, Actor.DOCUMENT_REPOSITORY: repository},
            self.store,
            transactions=[
                replace(
                    transaction,
                    decode_request=timed("decode", transaction.decode_request),
                    perform=timed("actor", transaction.perform),
                    encode_response=timed("encode", transaction.encode_response),
                )
                for transaction in TRANSACTIONS
                if isinstance(transaction, Transaction)
            ],
        )
        for number in range(2 * PATIENTS):
            identifier = messages.patient(number).replace("&amp;", "&")
            self.store.transaction(partial(_announce, identifier))
        self.templates = Templates(PATIENTS, 10 * PATIENTS)

    def group(self, transaction: str, first: int, *, fresh: bool) -> None:
        """Answer a group of requests; those that wait for the disk do so together."""
        requests = [self.templates.fill(transaction, first + n, fresh=fresh) for n in range(GROUP)]
        answers = []
        waiting = Event()
        self.store.submit(partial(_wait, waiting))  # the writer begins when the others are done
        for request in requests:
            head, _, body = request.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            self.clock.enter("SOAP in")
            call = self.endpoint.open(lines[0].split()[1], headers["content-type"], headers=headers, peer="127.0.0.1")
            assert isinstance(call, Call)
            call.feed(body)
            answers.append(call.answer())
            call.close()
            self.clock.leave()
        waiting.set()
        for answer in answers:
            if isinstance(answer, Pending):
                answer.future.result()
            self.clock.enter("SOAP out")
            reply = answer.finish() if isinstance(answer, Pending) else answer
            text = b"".join(reply.chunks)
            self.clock.leave()
            assert b"ResponseStatusType:Success" in text, text[:500]

    def stages(self, transaction: str) -> dict[str, float]:
        """Milliseconds of a request in each stage."""
        fresh = transaction in ("ITI-41", "ITI-42")
        for n in range(10):
            self.group(transaction, 10**6 * (1 + (transaction == "ITI-42")) + GROUP * n if fresh else 0, fresh=fresh)
        self.clock.spent.clear()
        whole, mine = time.process_time(), time.thread_time()
        for n in range(ROUNDS):
            base = 10**7 * (1 + (transaction == "ITI-42"))
            self.group(transaction, base + GROUP * n if fresh else GROUP * n % (9 * PATIENTS), fresh=fresh)
        others = (time.process_time() - whole) - (time.thread_time() - mine)
        found = {stage: self.clock.spent[stage] for stage in STAGES[:-1]}
        found["writer"] = max(0.0, others)
        return {stage: seconds * 1000 / (ROUNDS * GROUP) for stage, seconds in found.items()}


def _announce(identifier: str, transaction: StoreTransaction) -> bool:
    return transaction.announce(identifier)


def _wait(event: Event, _: StoreTransaction) -> None:
    event.wait()


def inside(folder: Path) -> dict[str, dict[str, float]]:
    before = os.sched_getaffinity(0)
    keep_to_one_core(os.getpid())
    bench = Bench(folder)
    try:
        for n in range(0, 10 * PATIENTS, GROUP):
            bench.group("ITI-41", n, fresh=False)
        return {name: bench.stages(name) for name in ("ITI-41", "ITI-42", "ITI-18", "ITI-43")}
    finally:
        bench.store.close()
        os.sched_setaffinity(0, before)


def whole(folder: Path, seconds: float) -> dict[str, float]:
    server = Server.start(folder / "data")
    try:
        options = argparse.Namespace(patients=1000, preload=10_000, seconds=seconds, connections=16)
        return {name: result["cpu_ms"] for name, result in measure(server, options).items()}
    finally:
        server.stop()


def plot(rows: dict[str, dict[str, float]]) -> str:
    """The stages of each transaction as a bar."""
    widest = max(sum(stages.values()) for stages in rows.values())
    scale, left, height = 640 / widest, 70, 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {len(rows) * 44 + 60}" font-family="sans-serif"'
        ' font-size="12">'
    ]
    for row, (name, stages) in enumerate(rows.items()):
        x, y = float(left), row * 44 + 8
        parts.append(f'<text x="0" y="{y + 20}">{name}</text>')
        for stage, colour in zip(STAGES, COLOURS, strict=True):
            width = stages[stage] * scale
            title = f"<title>{stage}: {stages[stage] * 1000:.0f} µs</title>"
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" fill="{colour}">{title}</rect>'
            )
            x += width
    x = float(left)
    for stage, colour in zip(STAGES, COLOURS, strict=True):
        y = len(rows) * 44 + 20
        parts.append(f'<rect x="{x:.0f}" y="{y}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 16:.0f}" y="{y + 11}">{stage}</text>')
        x += 30 + 6.6 * len(stage)
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = inside(Path(folder))
        for name, cpu in whole(Path(folder), options.seconds).items():
            rows[name][STAGES[-1]] = max(0.0, cpu - sum(rows[name].values()))
    lines = [
        f"{date.today()}, commit {commit()}, {machine()}",
        "",
        f"| processor time of a request, µs | {' | '.join(rows)} |",
        f"|---|{'---|' * len(rows)}",
        *(f"| {stage} | {' | '.join(f'{stages[stage] * 1000:.0f}' for stages in rows.values())} |" for stage in STAGES),
        f"| whole | {' | '.join(f'{sum(stages.values()) * 1000:.0f}' for stages in rows.values())} |",
    ]
    text = "\n".join(lines)
    print(text)
    if options.report:
        drawing = options.report.with_suffix(".svg")
        drawing.write_text(plot(rows))
        options.report.write_text(
            f"# Where the time goes\n\n`python -m tests.benchmarks.stages`, {text}\n\n![stages]({drawing.name})\n"
        )


if __name__ == "__main__":
    main()
