"""The command's face: version, help, light start, wrong use."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from xds import __version__

HEAVY = ("lxml", "sqlalchemy", "uvicorn", "httpx", "xds_soap", "xds_mllp", "xds.stores", "rich", "asyncio")


def xds(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "xds_cli", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_version_names_library_and_python() -> None:
    done = xds("version")
    assert done.returncode == 0
    assert done.stdout.startswith(f"ihe-xds {__version__} (Python 3.")


def test_version_as_json_is_one_line() -> None:
    assert json.loads(xds("version", "--json").stdout)["ihe-xds"] == __version__


@pytest.mark.parametrize("command", ["serve", "demo", "submit", "find", "get", "validate", "version"])
def test_every_command_has_help(command: str) -> None:
    done = xds(command, "--help")
    assert done.returncode == 0
    assert "Usage: xds" in done.stdout


def test_loading_the_command_loads_nothing_heavy() -> None:
    code = f"import xds_cli.main, sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("arguments", [("serve", "--no-such-option"), ("no-such-command",), ("get",), ("submit",)])
def test_wrong_use_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert xds(*arguments).returncode == 2
