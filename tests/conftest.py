"""What every test may rely on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.logs import plugin

# a busy machine is no reason to fail: no example has a deadline
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """No log line of the run may hold patient data."""
    plugin.observe(config)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with conformance plans and samples beside the checkout; tests that need it are skipped without it."""
    folder = Path(os.environ.get("XDS_SHARED") or ROOT.parent / "shared")
    if not folder.is_dir():
        pytest.skip("no folder of shared samples beside the checkout")
    return folder
