"""Every error code has a cause and a cure."""

from __future__ import annotations

import pytest

from xds.vocab.errors import ErrorCode
from xds.vocab.explanations import EXPLANATIONS


@pytest.mark.parametrize("code", list(ErrorCode))
def test_a_code_has_a_cause_and_a_cure(code: ErrorCode) -> None:
    explanation = EXPLANATIONS[code]
    assert explanation.cause
    assert explanation.cure
