from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.stores.patterns import matcher, matches, matches_each
from xds.stores.schema import SEPARATOR


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("abc", "abc", True),
        ("abc", "abcd", False),
        ("abc", "ABC", False),
        ("a_c", "abc", True),
        ("a_c", "ac", False),
        ("%", "", True),
        ("%", "anything\nat all", True),
        ("_", "\n", True),
        ("", "", True),
        ("", "a", False),
        ("a%", "a", True),
        ("%a", "ba", True),
        ("%a", "ab", False),
        ("%%", "", True),
        ("%b%", "abc", True),
        ("ab%bc", "abc", False),  # the two ends may not share a character
        ("ab%bc", "abbc", True),
        ("%ab%ab", "abab", True),
        ("%ab%ab", "xab", False),
        ("%aab%", "aaab", True),
        ("a.c", "abc", False),  # nothing but % and _ is special
        ("a[bc]", "a[bc]", True),
        ("^Sm%", "^Smitty^Gerald^^^", True),
        ("100\\%", "100\\ and more", True),  # no escape character
    ],
)
def test_a_pattern_matches_whole_values(pattern: str, value: str, expected: bool) -> None:
    assert (matcher(pattern)(value) is not None) is expected


@given(st.text(alphabet="ab%_", max_size=9), st.text(alphabet="ab\n", max_size=9))
def test_patterns_match_as_a_backtracking_expression_would(pattern: str, value: str) -> None:
    naive = "".join({"%": ".*", "_": "."}.get(c, c) for c in pattern)
    assert (matcher(pattern)(value) is not None) is (re.fullmatch(naive, value, re.DOTALL) is not None)


def test_a_hostile_pattern_does_not_take_for_ever() -> None:
    assert (
        matcher("%a" * 60 + "b")("a" * 3000) is None
    )  # a backtracking expression would need longer than there is time


def test_any_value_and_every_group_count() -> None:
    packed = SEPARATOR.join(["^Zhang", "^Li"])
    assert matches(packed, ["x", "^L%"])
    assert not matches(packed, ["^Zhang%Li"])
    assert not matches(None, ["%"])
    assert matches_each(packed, [["^Z%"], ["^L%"]])
    assert not matches_each(packed, [["^Z%"], ["x"]])
    assert matches_each(None, [])
