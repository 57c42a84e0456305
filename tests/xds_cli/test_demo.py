"""The demo runs, shows what it promises, and notices when something is not as it should be."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.xds_cli.running import environment
from xds_cli.demo import kill_and_look, run_demo
from xds_cli.demo_stage import DemoFailed, Server

DEMO = [sys.executable, "-m", "xds_cli", "demo"]


def test_the_demo_shows_every_step_and_ends_with_0() -> None:
    done = subprocess.run(DEMO, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    for words in (
        "DEMO-1002 announced (gb18030): AA",
        "出院小结",
        "application/pdf",
        "XDSUnknownPatientId",
        "the old summary is Deprecated",
        "known elsewhere as 990001198811050020, A-78, C-0307, DEMO-1002",
        "asked by pinyin, found 1",
        "A40: DEMO-1004 ends",
        "another for DEMO-1004, which has ended: XDSUnknownPatientId",
        "xds patient unmerge DEMO-1004",
        "SIGKILL while",
        "acknowledged documents are there, byte for byte",
        "Everything was as it should be.",
    ):
        assert words in done.stdout
    assert len(re.findall(r"ITI-43 .*identical", done.stdout)) == 3
    assert "DIFFERENT" not in done.stdout


def test_a_demo_that_stays_leaves_the_server_running_until_it_is_told_to_stop(tmp_path: Path) -> None:
    command = [*DEMO, "--stay", "--data", str(tmp_path / "demo")]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Still running"):
                break
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "SIGTERM: finished and ended with 0" in rest
    assert (tmp_path / "demo" / "data" / "registry.sqlite").exists()


def test_a_demo_does_not_run_on_data_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "something").write_text("")
    with pytest.raises(DemoFailed, match="not empty"):
        run_demo(data=tmp_path)


def test_the_demo_notices_a_server_that_takes_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.start()
    try:
        # nobody announced the patient of the notes, so each submission is refused
        with pytest.raises(DemoFailed, match="XDSUnknownPatientId"):
            kill_and_look(server)
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()
