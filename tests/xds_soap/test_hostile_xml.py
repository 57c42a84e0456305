"""XML that wants the server to work is refused in its protocol, at little cost. What is measured: ``hostile_xml``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.xds_soap.hostile_xml import MESSAGES

MOST_MB = 32  # DESIGN D10
# what of one message the processor may be busy with; those below are what the limit was set for
MOST_MS = 50
PROMISED = (
    "not XML",
    "a DOCTYPE",
    "an entity",
    "an entity that is a file",
    "a parameter entity",
    "entities of entities",
    "depth 10,000",
    "17 MB",
    "500,000 elements in 4 MB",
    "a million attributes",
)


@pytest.fixture(scope="module")
def measured() -> list[dict[str, Any]]:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak of a process's memory is read from /proc, which only Linux has")
    run = subprocess.run(
        [sys.executable, "-m", "tests.xds_soap.hostile_xml"],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_it_is_answered_with_a_sender_fault(measured: list[dict[str, Any]]) -> None:
    assert len(measured) >= 2 * len(MESSAGES)
    wrong = [row for row in measured if row["status"] not in (400, 413) or row["code"] != "Sender"]
    assert wrong == []


def test_it_costs_little_memory(measured: list[dict[str, Any]]) -> None:
    assert [row for row in measured if row["mb"] > MOST_MB] == []


def test_it_costs_little_processor_time(measured: list[dict[str, Any]]) -> None:
    promised = [row for row in measured if row["message"].partition(", as ")[0].partition(", comp")[0] in PROMISED]
    assert len(promised) >= 2 * len(PROMISED)
    assert [row for row in promised if row["ms"] > MOST_MS] == []
    # the others are as long as an envelope may be, and take what reading that many bytes takes
    assert [row for row in measured if row["ms"] > 4 * MOST_MS] == []
