"""Several processes behind the same two listeners.

The supervisor binds the sockets, owns what only one process may own (the writer of an embedded database) and starts the
workers, which inherit the sockets. A worker that dies is replaced. Settings travel over the worker's standard input, so
a password in a database URL never stands in a process list; its end tells the worker that the supervisor is gone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from xds_cli.affinity import keep_to_one_core
from xds_cli.assemble import open_parts, open_writer
from xds_cli.config import Settings, StartError, settings_from_json, settings_to_json
from xds_cli.host import GRACE_SECONDS, Host, new_event_loop

log = logging.getLogger("xds.workers")

# a worker that lived this long died of something new: it is replaced at once
SOUND_SECONDS = 30.0
RESTART_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
READY = b"ready\n"


class Supervisor:
    """Starts workers, replaces those that die, and stops them in order."""

    def __init__(self, settings: Settings, http: socket.socket, mllp: socket.socket) -> None:
        self._settings = settings
        self._sockets = (http, mllp)
        self._stop = asyncio.Event()

    async def run(self, ready: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        writer = open_writer(self._settings)
        try:
            first = [loop.create_future() for _ in range(self._settings.workers)]
            lanes = [asyncio.create_task(self._keep_running(n, answered)) for n, answered in enumerate(first)]
            try:
                await self._all_ready(first)
                if not self._stop.is_set():
                    ready()
                await self._stop.wait()
            finally:
                self._stop.set()
                await asyncio.gather(*lanes, return_exceptions=True)
        finally:
            # after the workers: what they still had in flight needs the writer
            await loop.run_in_executor(None, writer.close)

    async def _all_ready(self, first: list[asyncio.Future[None]]) -> None:
        everyone = asyncio.gather(*first)
        stopping = asyncio.create_task(self._stop.wait())
        tasks: set[asyncio.Future[Any]] = {everyone, stopping}
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if everyone.done():
            everyone.result()
        else:
            everyone.cancel()

    async def _keep_running(self, number: int, answered: asyncio.Future[None]) -> None:
        pause = RESTART_PAUSE_SECONDS
        while not self._stop.is_set():
            started = time.monotonic()
            code = await self._one_life(number, answered)
            if self._stop.is_set():
                return
            if not answered.done():
                answered.set_exception(StartError(f"a worker process ended with code {code} before it was ready"))
                return
            pause = RESTART_PAUSE_SECONDS if time.monotonic() - started > SOUND_SECONDS else pause * 2
            log.error("a worker ended with code %s and is replaced", code)
            await _first_of(self._stop.wait(), asyncio.sleep(min(pause, LONGEST_PAUSE_SECONDS)))

    async def _one_life(self, number: int, answered: asyncio.Future[None]) -> int:
        http, mllp = (each.fileno() for each in self._sockets)
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "xds_cli.workers",
            str(http),
            str(mllp),
            str(os.getpid() + number),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(http, mllp),
        )
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(settings_to_json(self._settings).encode() + b"\n")
        if await worker.stdout.readline() == READY and not answered.done():
            answered.set_result(None)
        ended = asyncio.create_task(worker.wait())
        await _first_of(self._stop.wait(), asyncio.shield(ended))
        if not ended.done():
            worker.terminate()
            await asyncio.wait({ended}, timeout=GRACE_SECONDS + 5)
        if not ended.done():
            log.error("a worker did not stop in time and is killed")
            worker.kill()
        return await ended


async def _first_of(*work: Coroutine[Any, Any, Any] | asyncio.Future[Any]) -> None:
    tasks = [asyncio.ensure_future(each) for each in work]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


# --------------------------------------------------------------------------- the worker process


async def _work(settings: Settings, http: socket.socket, mllp: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # Ctrl-C reaches the whole group; the supervisor passes it on
    loop.add_reader(0, _supervisor_speaks, loop, stop)
    parts = open_parts(settings, writer=False)
    try:
        await Host(parts, http, mllp, settings.tables).run(stop, _say_ready)
    finally:
        await loop.run_in_executor(None, parts.close)


def _supervisor_speaks(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    if not os.read(0, 4096):
        loop.remove_reader(0)
        log.error("the supervisor is gone: stopping")
        stop.set()


def _say_ready() -> None:
    os.write(1, READY)


def main() -> None:
    from xds_cli.serve import configure_logging

    configure_logging()
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1)  # one byte at a time: what follows the line belongs to the event loop
        if not piece:
            raise SystemExit(2)
        line += piece
    http, mllp = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    settings = settings_from_json(json.loads(line))
    if settings.affinity == "core":
        keep_to_one_core(int(sys.argv[3]))
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_work(settings, http, mllp))
    except StartError as error:
        print(f"xds serve: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
