"""Names as they are compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.datatypes.hl7 import XPN
from xds.matching.people import PersonName, read_name
from xds.matching.spoken import dialect, heard, readings, spoken


def named(*names: XPN) -> PersonName:
    found = read_name(names)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (XPN("聞人知微"), XPN("闻人", "知微")),
        (XPN("闻", "人知微"), XPN("闻人", "知微")),
        (XPN("阿依努·虚构"), XPN("阿依努", "虚构")),
        (XPN("阿依努•虚构"), XPN("阿依努虚构")),
        (XPN("闻 人", " 知　微"), XPN("闻人", "知微")),
    ],
)
def test_one_chinese_name_written_in_two_ways(one: XPN, other: XPN) -> None:
    assert named(one).hanzi == named(other).hanzi
    assert named(one).sounds == named(other).sounds


@pytest.mark.parametrize("latin", [XPN("ZENG", "TUBAO"), XPN("TUBAO", "ZENG"), XPN("Zeng Tu Bao"), XPN("ZENGTUBAO")])
def test_pinyin_is_the_sound_of_the_characters(latin: XPN) -> None:
    assert named(latin).sounds & named(XPN("曾", "土宝")).sounds


@pytest.mark.parametrize("latin", [XPN("LV", "QI"), XPN("LYU", "QI"), XPN("LU", "QI"), XPN("Lü", "Qi")])
def test_u_with_two_dots_is_typed_in_many_ways(latin: XPN) -> None:
    assert named(latin).sounds & named(XPN("吕", "琦")).sounds


def test_a_newborn_is_named_after_the_mother() -> None:
    assert (named(XPN("虚构花之子")).mother, named(XPN("虚构花之子")).infant) == ("虚构花", "子")
    assert named(XPN("虚构花之女2")).infant == "女2"
    assert not named(XPN("闻人", "子微")).infant


def test_characters_that_nobody_knows_are_kept_as_such() -> None:
    assert named(XPN("闻人", "知□")).hanzi == "闻人知?"


def test_romanisation_beside_the_characters_adds_its_sounds() -> None:
    both = named(XPN("闻人", "知微"), XPN("WENREN", "JIMI"))
    assert both.hanzi == "闻人知微"
    assert {"wenrenzhiwei", "wenrenjimi"} <= both.sounds


def test_titles_and_nothing_are_no_names() -> None:
    assert read_name(()) is None
    assert read_name((XPN(),)) is None
    assert named(XPN("Fictitious", "Dr Ada")).given == "ada"


def test_dialects() -> None:
    assert dialect("ling") == dialect("lin") == dialect("nin")
    assert dialect("zhang") != dialect("wang")
    assert heard("琳") & heard("凌")


def test_a_reading_of_its_own_comes_first() -> None:
    assert spoken("曾宝", family=True)[0] == "zengbao"
    assert "shan" in spoken("单", family=True)
    assert readings("a") == ("a",)


@given(st.text(max_size=10), st.text(max_size=10))
def test_no_text_breaks_it(family: str, given_name: str) -> None:
    read_name((XPN(family, given_name),))
