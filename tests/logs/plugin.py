"""Observes a run of pytest and fails it when a log line holds patient data."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.logs import check
from tests.logs.inherited import sitecustomize as observer

INHERITED = Path(observer.__file__).parent
# Values that some test gives a patient and that stand in logs for another reason, each with that reason. A test person
# with a name that no log would use is better than a row here.
ALLOWED: dict[str, str] = {}
_SHOWN = 20


def environment(folder: Path) -> dict[str, str]:
    """What a process needs in its environment to be observed into ``folder``."""
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    inherited = [str(INHERITED), *(entry for entry in path if entry and entry != str(INHERITED))]
    return {observer.FOLDER: str(folder), "PYTHONPATH": os.pathsep.join(inherited)}


def collect(source: str, text: str) -> None:
    """Standard error of a server counts as its log."""
    observer.write("log", [(source, text)])


class Observation:
    """One run, its workers and all processes they start; the process that started the run judges it at the end."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="observed-logs-"))
        self._leaks: list[check.Leak] = []
        self._lines = self._values = 0
        os.environ.update(environment(self._folder))
        observer.install()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._leaks = check.check(self._folder, ALLOWED)
        self._lines = sum(1 for _ in check.read(self._folder, "log"))
        self._values = sum(1 for _ in check.read(self._folder, "values"))
        if self._leaks and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        counts = f"{self._lines} lines, {self._values} values"
        terminalreporter.write_line(f"patient data in logs: {len(self._leaks)} ({counts})")
        for leak in self._leaks[:_SHOWN]:
            terminalreporter.write_line(f"FAILED {leak}", red=True)
        if self._leaks:
            terminalreporter.write_line(f"python -m tests.logs {self._folder} shows the values and lines")

    def pytest_unconfigure(self) -> None:
        os.environ.pop(observer.FOLDER, None)
        if not self._leaks:
            shutil.rmtree(self._folder, ignore_errors=True)


def observe(config: pytest.Config) -> None:
    """Begin; a worker of pytest-xdist is part of the run that started it."""
    if hasattr(config, "workerinput"):
        observer.install()
    else:
        config.pluginmanager.register(Observation(), "observed-logs")
