from __future__ import annotations

import tempfile
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def temporary_files_go_with_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test's stages leave behind lies in its own folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
