from __future__ import annotations

from pathlib import Path

import pytest

from xds.patients.cases import Case
from xds.registry.cases import LINK_CHANGE_CASES

SOURCES = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))


@pytest.mark.parametrize("case", LINK_CHANGE_CASES, ids=lambda case: case.situation)
def test_every_row_has_its_test(case: Case) -> None:
    assert f"def {case.test}(" in SOURCES
