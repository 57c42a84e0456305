"""A process keeps to one core, and its neighbours to others."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.xds_cli.running import running
from xds_cli.affinity import keep_to_one_core

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="a system without affinities")
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def in_a_thread(work: Callable[[], object]) -> object:
    """Affinity belongs to a thread: what is tried here ends with it."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


@pytest.mark.skipif(len(CORES) < 2, reason="one core only")
def test_neighbours_get_different_cores_and_threads_follow() -> None:
    def chosen(number: int) -> tuple[int | None, object]:
        return keep_to_one_core(number), in_a_thread(lambda: os.sched_getaffinity(0))

    first = in_a_thread(lambda: chosen(7))
    second = in_a_thread(lambda: chosen(8))
    assert isinstance(first, tuple)
    assert isinstance(second, tuple)
    assert first[0] != second[0]
    assert first[1] == {first[0]}
    assert set(os.sched_getaffinity(0)) == set(CORES)


def test_with_one_core_there_is_nothing_to_choose() -> None:
    def confined() -> int | None:
        os.sched_setaffinity(0, CORES[:1])
        return keep_to_one_core(3)

    assert in_a_thread(confined) is None


def test_a_python_without_gil_uses_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys._is_gil_enabled", lambda: False, raising=False)
    assert in_a_thread(lambda: keep_to_one_core(1)) is None


@pytest.mark.skipif(len(CORES) < 2, reason="one core only")
def test_workers_of_a_server_have_cores_of_their_own_unless_told_otherwise(tmp_path: Path) -> None:
    for affinity, expected in (("core", 1), ("none", len(CORES))):
        with running(tmp_path / affinity, "--workers", "2", "--affinity", affinity) as server:
            pid = server.process.pid
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            allowed = [os.sched_getaffinity(int(child)) for child in children]
            assert [len(each) for each in allowed] == [expected, expected]
            if affinity == "core":
                assert allowed[0] != allowed[1]
            assert server.stop() == 0
