"""Telephones and addresses as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.datatypes.hl7 import XTN
from xds.matching.contacts import Home, parse_home, read_phone, read_phones

FLAT = Home("河东区", "学苑小区", "32-2-203")
VILLAGE = Home("河东区", "大营村5", "145")


@pytest.mark.parametrize(
    ("text", "home"),
    [
        ("云州市河东区黄河大道89号学苑小区32栋二单元203", FLAT),
        ("云川省云州市河东区黄河大道89号学苑小区32号楼2单元203室", FLAT),
        ("河东区黄河大道学苑小区32幢2单元203号", FLAT),
        ("河东区学苑小区32-2-203", FLAT),
        ("河东区学苑小区３２－２－２０３", FLAT),
        ("云州市河东区高台乡大营村五组145号", VILLAGE),
        ("河东区高台乡大营村5社", Home("河东区", "大营村5", "")),
        ("河东区", Home("河东区")),
    ],
)
def test_one_home_in_the_ways_of_several_hospitals(text: str, home: Home) -> None:
    assert parse_home(text) == home
    assert parse_home(text, "河东区") == home


def test_groups_beyond_ten_are_numbers() -> None:
    assert parse_home("河东区大营村十二组6号") == parse_home("河东区大营村12组6号")


def test_nothing_is_no_home() -> None:
    assert parse_home("") is None
    assert parse_home("", "河东区") == Home("河东区")


@pytest.mark.parametrize("text", ["+86 140 1234 5978", "0086-14012345978", "１４０１２３４５９７８", "014012345978"])
def test_one_telephone_in_many_ways(text: str) -> None:
    assert read_phone(text) == "14012345978"


@pytest.mark.parametrize("text", ["", "0", "-", "无", "11111111111", "14000000000", "12345678", "110"])
def test_a_placeholder_is_no_telephone(text: str) -> None:
    assert read_phone(text) == ""


def test_a_telephone_stands_in_components_or_as_one_text() -> None:
    parts = (XTN(area_code="0980", number="6180409"), XTN(formatted="0980-6180409"), XTN(number="14012345978"))
    assert read_phones(parts) == ("09806180409", "14012345978")


@given(st.text(max_size=40), st.text(max_size=6))
def test_no_text_breaks_it(text: str, county: str) -> None:
    parse_home(text, county)
    read_phone(text)
