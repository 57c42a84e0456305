"""The rounds: a disk that is full, a disk with errors, a clock that jumps. Each has a data folder of its own."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.evidence import messages
from tests.evidence.faults.disk import FILE_SYSTEMS, MIB, SmallDisk, can_loop, can_mount
from tests.evidence.faults.shim import EVERY_CALL, EVERY_KIND, SYNCING, WRITING, Calls, Kinds, Shim
from tests.evidence.load import (
    PATIENTS,
    Client,
    Round,
    check,
    check_store,
    clients,
    no_orphan_stays,
    serves_again,
)
from tests.evidence.power.disk import Disk, read_log
from tests.evidence.preload import compiled
from tests.evidence.server import Server, tree, wait_until_gone

THREADS: Final = 4
AGAIN_WITHIN: Final = 5.0  # seconds from the end of a fault until every kind of request succeeds
BODY_TIME: Final = 2  # seconds, of the server's configuration
RECORDER: Final = Path(__file__).parents[1] / "power" / "recorder.c"
Result = dict[str, Any]


@dataclass
class Bench:
    """One round's folder and dice."""

    folder: Path
    number: int

    def __post_init__(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.data = self.folder / "data"
        self.r = random.Random(self.number)
        self.state = Round()
        self.prefix = f"1.2.826.{self.number + 1}"
        self.settings = self.folder / "xds.toml"
        self.settings.write_text(f"[soap]\nbody_time = {BODY_TIME}\n")

    def start(self, workers: int, *, prefix: Any = (), data: Path | None = None) -> Server:
        options = ["--config", str(self.settings), *(("--workers", str(workers)) if workers else ())]
        return Server.start(data or self.data, *options, prefix=prefix)

    def load(self, server: Server) -> contextlib.AbstractContextManager[None]:
        return clients(server, self.state, self.prefix, self.number, THREADS)

    def serves_again(self, server: Server) -> float:
        return round(serves_again(server, self.state, self.prefix, self.number, within=AGAIN_WITHIN), 2)

    def proper(self) -> None:
        assert not self.state.improper, f"{len(self.state.improper)} improper answers: {self.state.improper[:3]}"

    def discreet(self) -> None:
        """No patient stands in the server's log."""
        log = (self.folder / "server.log").read_text("utf-8", "replace")
        for secret in ("&" + messages.AUTHORITY, "Quillfeather^Ottoline", messages.patient(0)[:7]):
            assert secret not in log, f"the log names a patient: {secret}"

    def finish(self, server: Server, *, gone: list[int] | None = None) -> Result:
        """The checks that every round ends with; ``server`` runs and has no faults any more."""
        try:
            result: Result = dict(check(server, self.state))
            self.proper()
            if gone is not None:
                wait_until_gone(gone, timeout=45)
            else:
                no_orphan_stays(self.data)
        finally:
            server.stop()
        result["entries"] = check_store(self.data, self.state.announced)
        self.discreet()
        answers = self.state.answers
        result |= {
            "refused": self.state.refused(),
            "succeeded": self.state.successes(),
            "feeds": answers["announce done"],
        }
        return result


# --------------------------------------------------------------------------- a full disk


PLACES: Final = ("everything", "database", "documents")
FULL_ENDS: Final = ("live", "kill", "live", "start when full")
_SIZES: Final = {"everything": 256, "database": 128, "documents": 192}  # MiB


def full(bench: Bench) -> Result:
    place, end = PLACES[bench.number % len(PLACES)], FULL_ENDS[bench.number % len(FULL_ENDS)]
    file_system, workers = bench.r.choice(FILE_SYSTEMS), bench.r.choice((0, 2))
    result: Result = {"disk": "preloaded", "place": place, "end": "live", "workers": workers}
    if not can_mount(bench.folder):
        return result | _full_by_shim(bench, place, workers)
    if file_system == "ext4" and not can_loop():
        file_system = "tmpfs"
    with _mounted(bench, place, file_system) as disk:
        result |= {"disk": file_system, "end": end}
        server = bench.start(workers)
        gone: list[int] | None = None
        try:
            server.announce(range(PATIENTS))
            with bench.load(server):
                time.sleep(bench.r.uniform(0.2, 0.6))
                _stay_full(disk, bench.r)
                if end == "start when full":
                    bench.state.dying.set()
                    gone = tree(server.pid)
                    _kill(gone)
                else:
                    disk.free()
                    result["again_s"] = bench.serves_again(server)
                    time.sleep(0.4)
            if end == "start when full":
                server, result["started"] = _start_when_full(bench, disk, workers)
                result["again_s"] = bench.serves_again(server)
            elif end == "kill":
                gone = tree(server.pid)
                _kill(gone)
                server = bench.start(workers)
        except BaseException:
            server.process.terminate()
            raise
        return result | bench.finish(server, gone=gone)


def _start_when_full(bench: Bench, disk: SmallDisk, workers: int) -> tuple[Server, bool]:
    """A start either succeeds, and reads are served, or it ends with a word about the disk; then the disk is freed."""
    bench.state.dying.clear()
    bench.state.stop.clear()
    log = bench.folder / "server.log"
    before = log.stat().st_size
    try:
        server = bench.start(workers)
    except RuntimeError:
        with log.open("rb") as file:
            file.seek(before)
            said = file.read()
        assert b"\nxds serve: " in b"\n" + said, f"the start ended without a word: {said[-600:]!r}"
        assert b"Traceback" not in said, f"the start ended with a traceback: {said[-600:]!r}"
        disk.free()
        return bench.start(workers), False
    reader = Client(server, bench.state, f"{bench.prefix}.98", 98)
    if not reader.attempt(reader.query):
        bench.state.note_improper("a query is not answered by a server that started on a full disk")
    reader.attempt(reader.provide_small)  # done or refused, but properly
    reader.close()
    disk.free()
    return server, True


@contextlib.contextmanager
def _mounted(bench: Bench, place: str, file_system: str) -> Iterator[SmallDisk]:
    documents = bench.data / "documents"
    with contextlib.ExitStack() as mounts:
        small = documents if place == "documents" else bench.data
        bench.data.mkdir(exist_ok=True)
        disk = SmallDisk(small, file_system, _SIZES[place], bench.folder, reserve=0.5)
        mounts.callback(disk.unmount)
        if place == "database":
            mounts.callback(SmallDisk(documents, "tmpfs", 1024, bench.folder).unmount)
        yield disk


def _stay_full(disk: SmallDisk, r: random.Random) -> None:
    """Full for a second or two, with a little space now and then."""
    end = time.monotonic() + r.uniform(1.0, 2.0)
    disk.fill(leave=0)
    while time.monotonic() < end:
        time.sleep(r.uniform(0.05, 0.3))
        disk.free(keep=1)
        disk.fill(leave=0)
        if r.random() < 0.3:
            disk.free(keep=2)
        disk.fill(leave=r.choice((0, 0, 0, 64 * 1024, MIB)))


def _full_by_shim(bench: Bench, place: str, workers: int) -> Result:
    kinds = {
        "everything": EVERY_KIND,
        "database": Kinds.DATABASE | Kinds.WAL | Kinds.OTHER,
        "documents": Kinds.DOCUMENT,
    }[place]
    shim = Shim(bench.folder, bench.data)
    server = bench.start(workers, prefix=shim.prefix())
    server.announce(range(PATIENTS))
    with bench.load(server):
        time.sleep(0.4)
        shim.fail(WRITING, kinds, error=errno.ENOSPC)
        time.sleep(bench.r.uniform(0.5, 1.5))
        shim.heal()
        again = bench.serves_again(server)
        time.sleep(0.4)
    return {"again_s": again, **bench.finish(server)}


# --------------------------------------------------------------------------- a disk with errors


ENDS: Final = ("live", "kill", "power")
_MOSTLY: Final = (
    (SYNCING, EVERY_KIND),
    (SYNCING, Kinds.WAL),
    (SYNCING, Kinds.DOCUMENT | Kinds.DIRECTORY),
    (SYNCING, Kinds.DATABASE),
    (WRITING, EVERY_KIND),
    (WRITING, Kinds.DATABASE | Kinds.WAL),
    (Calls.RENAME, Kinds.DOCUMENT),
    (EVERY_CALL, EVERY_KIND),
)


def broken(bench: Bench) -> Result:
    stretch, end = bench.number % 2 == 0, ENDS[bench.number % len(ENDS)]
    workers = 0 if end == "power" else bench.r.choice((0, 2))
    calls, kinds = _MOSTLY[(bench.number + bench.number // len(_MOSTLY)) % len(_MOSTLY)]
    if stretch and end == "kill":
        # what nobody acknowledged may be found done after it, and then whole
        calls, kinds = SYNCING, Kinds.WAL
    result: Result = {"errors": "stretch" if stretch else "single", "end": end, "workers": workers}
    result |= {"calls": calls.name, "kinds": kinds.name}
    shim = Shim(bench.folder, bench.data)
    log = bench.folder / "recording"
    before = Disk(bench.data) if end == "power" else None
    recorder = [compiled(RECORDER, bench.folder)] if end == "power" else []
    recording = {"POWER_FOLDER": bench.data, "POWER_LOG": log} if end == "power" else {}
    server = bench.start(workers, prefix=shim.prefix(*recorder, **recording))
    gone: list[int] | None = None
    try:
        server.announce(range(PATIENTS))
        with bench.load(server):
            time.sleep(bench.r.uniform(0.2, 0.5))
            _errors(shim, calls, kinds, bench.r, stretch=stretch)
            if end != "live":
                gone = tree(server.pid)
                bench.state.dying.set()
                _kill(gone)
            else:
                shim.heal()
                result["again_s"] = bench.serves_again(server)
                time.sleep(0.3)
        if end != "live":
            shim.heal()
        if before is not None:
            _power_cut(bench, before, log)
        if gone is not None:
            server = bench.start(workers)
            result["restart_s"] = round(server.seconds_to_ready, 2)
    except BaseException:
        shim.heal()
        server.process.kill()
        raise
    result["failed calls"] = sum(shim.failed().values())
    result["lost bytes"] = shim.lost()
    return result | bench.finish(server, gone=gone)


def _errors(shim: Shim, calls: Calls, kinds: Kinds, r: random.Random, *, stretch: bool) -> None:
    loss = r.choice((0.0, 0.0, 0.5, 1.0))
    if stretch:
        shim.fail(calls, kinds, chance=r.choice((0.1, 0.5, 1.0, 1.0)), loss=loss)
        time.sleep(r.uniform(0.3, 1.5))
        return
    for _ in range(r.randint(4, 12)):
        shim.fail(calls, kinds, times=r.choice((1, 1, 2)), chance=r.choice((0.3, 1.0)), loss=loss)
        time.sleep(r.uniform(0.02, 0.25))


def _kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until_gone(pids, timeout=30)


def _power_cut(bench: Bench, disk: Disk, log: Path) -> None:
    """Of what was not synced, something or nothing is left."""
    for record in read_log(log):
        disk.play(record)
    image = bench.folder / "image"
    disk.survived(bench.r, bench.r.choice((0.0, 0.5, 1.0)), image)
    shutil.rmtree(bench.data)
    image.rename(bench.data)


# --------------------------------------------------------------------------- a clock that jumps


HOUR: Final = 3600


def jumping(bench: Bench) -> Result:
    """Two lives: the first one dies under load, the second one begins hours later and sweeps what the first left."""
    workers = 2 if bench.number % 2 else 0
    shim = Shim(bench.folder, bench.data)
    server = bench.start(workers, prefix=shim.prefix())
    server.announce(range(PATIENTS))
    with bench.load(server):
        time.sleep(bench.r.uniform(0.2, 0.5))
        bench.state.dying.set()
        gone = tree(server.pid)
        _kill(gone)
    bench.state.dying.clear()
    bench.state.stop.clear()
    shim.set_clock(bench.r.choice((2, 6, 30)) * HOUR)
    bench.prefix += ".77"
    server = bench.start(workers, prefix=shim.prefix())
    try:
        jumps, swept = _second_life(bench, server, shim, workers)
        again = bench.serves_again(server)
    except BaseException:
        server.process.kill()
        raise
    return {"workers": workers, "jumps": jumps, "sweeps": swept, "again_s": again, **bench.finish(server)}


def _second_life(bench: Bench, server: Server, shim: Shim, workers: int) -> tuple[int, int]:
    jumps, stop = 0, threading.Event()
    sweeps: list[int] = []
    helpers = [threading.Thread(target=_noting(bench, _given_up), args=(server, bench, stop))]
    if workers:
        helpers.append(threading.Thread(target=_noting(bench, _sweep), args=(bench.data, stop, sweeps)))
    with bench.load(server):
        for helper in helpers:
            helper.start()
        end = time.monotonic() + BODY_TIME + 1.5
        while time.monotonic() < end:
            shim.set_clock(round(bench.r.choice((-1, 1)) * bench.r.choice((2, HOUR, 5 * HOUR, 40 * HOUR))))
            jumps += 1
            time.sleep(bench.r.uniform(0.01, 0.2))
        stop.set()
        for helper in helpers:
            helper.join()
    shim.set_clock(0)
    return jumps, len(sweeps)


def _noting(bench: Bench, work: Callable[..., None]) -> Callable[..., None]:
    def run(*arguments: Any) -> None:
        try:
            work(*arguments)
        except Exception as error:
            bench.state.note_improper(f"{work.__name__}: {type(error).__name__}: {error}")

    return run


def _given_up(server: Server, bench: Bench, _: threading.Event) -> None:
    """A body that stops is given up after BODY_TIME of real time: not before, and not hours later."""
    host, _, port = server.http.removeprefix("http://").rpartition(":")
    started = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=BODY_TIME + 5) as connection:
        connection.sendall(
            b"POST /registry HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nContent-Type: application/soap+xml\r\n\r\n<"
        )
        answer = connection.recv(1000)
    took = time.monotonic() - started
    if not answer.startswith(b"HTTP/1.1 408") or not BODY_TIME - 0.1 < took < BODY_TIME + 3:
        raise RuntimeError(f"a body that stops is answered {answer[:60]!r} after {took:.1f} s")


def _sweep(data: Path, stop: threading.Event, sweeps: list[int]) -> None:
    """Sweeps by a process whose clock is a day ahead of the one that wrote the files."""
    from xds.stores import open_store

    while not stop.is_set():
        database = f"sqlite:///{data / 'registry.sqlite'}"
        with open_store(database, documents=data / "documents", writer=False, sweep=False) as store:
            sweeps.append(len(store.sweep(older_than=-86_400)))
        time.sleep(0.1)
