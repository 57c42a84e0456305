"""Resident numbers: long, short, mistyped, and what only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.matching.resident import check_digit, has_resident_form, is_slip, read_resident

STANDARDS_EXAMPLE = "11010519491231002X"  # GB 11643


def test_the_standards_example_is_read() -> None:
    read = read_resident(STANDARDS_EXAMPLE)
    assert read is not None
    assert (read.valid, read.birth, read.sex) == (True, "19491231", "F")


@pytest.mark.parametrize(
    "text",
    ["11010519491231002x", "11010519491231002Ｘ", "11010519491231002*", "11010519491231002", " 110105 19491231 002X"],
)
def test_a_check_digit_is_typed_in_many_ways(text: str) -> None:
    assert read_resident(text) == read_resident(STANDARDS_EXAMPLE)


def test_a_short_number_is_the_long_one() -> None:
    assert read_resident("110105491231002") == read_resident(STANDARDS_EXAMPLE)


@given(st.integers(0, 16), st.integers(0, 9))
def test_a_wrong_digit_shows_in_the_check_digit(place: int, digit: int) -> None:
    wrong = STANDARDS_EXAMPLE[:place] + str(digit) + STANDARDS_EXAMPLE[place + 1 :]
    read = read_resident(wrong)
    assert read is not None
    assert read.valid == (wrong == STANDARDS_EXAMPLE)


@pytest.mark.parametrize("birth", ["19870230", "19871301", "18000101", "00000000"])
def test_what_has_no_day_of_birth_is_not_valid(birth: str) -> None:
    core = f"519801{birth}123"
    read = read_resident(core + check_digit(core))
    assert read is None or not read.valid


@pytest.mark.parametrize(
    "text",
    ["", "0", "X", "000000000000000000", "111111111111111111", "123456789012345678", "519806000000000000", "E12345678"],
)
def test_placeholders_and_others_are_none(text: str) -> None:
    assert read_resident(text) is None


def test_a_placeholder_has_the_form_all_the_same() -> None:
    assert has_resident_form("519806000000000000")
    assert not has_resident_form("E12345678")


@given(st.text(max_size=20))
def test_no_text_breaks_it(text: str) -> None:
    read = read_resident(text)
    assert read is None or len(read.core) == 17


def test_slips() -> None:
    assert is_slip("12345", "12845")
    assert is_slip("12345", "13245")
    assert not is_slip("12345", "12345")
    assert not is_slip("12345", "54321")
    assert not is_slip("12345", "1234")
