from __future__ import annotations

import subprocess
import sys

import pytest

from xds.datatypes.hl7 import XPN
from xds.patients.names import divided, family_keys, folded, given_keys, query_keys, search_keys, surname_of
from xds.vocab.surnames import COMPOUND_SURNAMES, SURNAME_READINGS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Vermeulen", "vermeulen"),
        ("O'Neill-Quist", "oneillquist"),
        ("  Van der  Berg ", "vanderberg"),
        ("Ångström", "angstrom"),
        ("A\u0301da", "ada"),
        ("Łuczak", "luczak"),
        ("Weiß", "weiss"),
        ("Ｖｅｒａ", "vera"),
        ("İnci", "inci"),
        ("歐陽", "欧阳"),
        ("錢鍾書", "钱钟书"),
        ("於", "于"),
        ("陳", "陈"),
        ("阿依古麗·買買提", "阿依古丽买买提"),
        ("राम", "राम"),
        ("葛\U000e0100", "葛"),
    ],
)
def test_a_text_is_folded(text: str, expected: str) -> None:
    assert folded(text) == expected
    assert folded(folded(text)) == folded(text)


@pytest.mark.parametrize(
    ("traditional", "simplified"), [("歐陽", "欧阳"), ("劉", "刘"), ("國華", "国华"), ("葉", "叶")]
)
def test_both_scripts_have_the_same_keys(traditional: str, simplified: str) -> None:
    assert family_keys(traditional) == family_keys(simplified)
    assert given_keys(traditional) == given_keys(simplified)


@pytest.mark.parametrize(
    ("family", "readings"),
    [
        ("王", {"wang"}),
        ("曾", {"zeng", "ceng"}),
        ("單", {"shan", "dan"}),
        ("仇", {"qiu", "chou"}),
        ("解", {"xie", "jie"}),
        ("查", {"zha", "cha"}),
        ("區", {"ou", "qu"}),
        ("朴", {"piao"}),
        ("盖", {"ge", "gai"}),
        ("歐陽", {"ouyang"}),
        ("尉迟", {"yuchi"}),
        ("万俟", {"moqi"}),
        ("澹台", {"tantai"}),
        ("吕", {"lv", "lu", "lyu"}),
        ("曾小明", {"zengxiaoming", "cengxiaoming"}),
    ],
)
def test_a_family_name_is_found_by_its_own_readings_and_the_usual_ones(family: str, readings: set[str]) -> None:
    assert readings <= family_keys(family)


@pytest.mark.parametrize(
    ("given", "readings"),
    [("小明", {"xiaoming"}), ("乐", {"le", "yue"}), ("长乐", {"changle"}), ("女", {"nv", "nu", "nyu"})],
)
def test_a_given_name_is_found_by_its_readings(given: str, readings: set[str]) -> None:
    assert readings <= given_keys(given)


def test_a_name_with_a_middle_dot_is_found_whole_and_by_its_parts() -> None:
    for dot in "·•・‧":
        keys = given_keys(f"阿依古丽{dot}买买提")
        assert {"阿依古丽买买提", "阿依古丽", "买买提", "maimaiti", "ayigulimaimaiti"} <= keys


@pytest.mark.parametrize(("text", "keys"), [("Müller", {"muller", "mueller"}), ("Ørsted", {"orsted", "oersted"})])
def test_a_letter_that_is_missing_on_keyboards_is_also_spelled_out(text: str, keys: set[str]) -> None:
    assert family_keys(text) == keys
    assert family_keys(text.upper()) == keys


def test_keys_of_a_name_are_those_of_its_parts() -> None:
    name = XPN("王", "小明")
    assert search_keys(name) == family_keys("王") | given_keys("小明")
    assert search_keys(XPN()) == frozenset()
    assert search_keys(XPN(given_name="Ilse")) == {"ilse"}


def test_many_readings_do_not_make_many_keys() -> None:
    assert len(given_keys("乐重长曾单仇解查")) < 20
    assert len(family_keys("乐" * 40)) < 20


# --------------------------------------------------------------------------- criteria


@pytest.mark.parametrize(
    ("wanted", "name", "fits"),
    [
        ("王", XPN("王"), True),
        ("wang", XPN("王"), True),
        ("WANG", XPN("王"), True),
        ("王", XPN("汪"), False),
        ("歐陽", XPN("欧阳"), True),
        ("ou yang", XPN("歐陽"), True),
        ("Ou*", XPN("歐陽"), True),
        ("小*", XPN(given_name="小明"), True),
        ("*明", XPN(given_name="小明"), True),
        ("*ming", XPN(given_name="小明"), True),
        ("*iaomi*", XPN(given_name="小明"), True),
        ("小", XPN(given_name="小明"), False),
        ("Lyu", XPN("吕"), True),
        ("Lü", XPN("吕"), True),
        ("買買提", XPN("阿依古丽·买买提"), True),
        ("Muller", XPN("Müller"), True),
        ("mueller", XPN("MÜLLER"), True),
        ("Müller", XPN("Mueller"), True),
        ("*", XPN("Mueller"), False),
        ("", XPN("Mueller"), False),
    ],
)
def test_what_is_looked_for_is_found(wanted: str, name: XPN, fits: bool) -> None:
    assert query_keys(wanted).fits(search_keys(name)) is fits


# --------------------------------------------------------------------------- full names


@pytest.mark.parametrize(
    ("whole", "family", "given"),
    [
        ("王小明", "王", "小明"),
        ("歐陽明", "歐陽", "明"),
        ("诸葛小明", "诸葛", "小明"),
        ("阿史那云", "阿史那", "云"),
        ("欧阳", "欧阳", ""),
        ("王", "王", ""),
        ("阿依古丽·买买提", "阿依古丽·买买提", ""),
        ("Vera", "Vera", ""),
    ],
)
def test_a_whole_chinese_name_is_divided(whole: str, family: str, given: str) -> None:
    found = divided(XPN(whole))
    assert (found.family_name, found.given_name) == (family, given)


def test_a_name_that_is_divided_already_stays() -> None:
    assert divided(XPN("欧", "阳明")) == XPN("欧", "阳明")
    assert divided(XPN(given_name="王小明")) == XPN("王", "小明")


@pytest.mark.parametrize("surname", sorted(COMPOUND_SURNAMES | SURNAME_READINGS.keys()))
def test_the_surnames_are_simplified_and_found(surname: str) -> None:
    assert folded(surname) == surname
    assert surname_of(surname + "明") == surname
    assert set(SURNAME_READINGS.get(surname, ())) <= family_keys(surname)


def test_nothing_chinese_is_loaded_for_other_names() -> None:
    code = (
        "import sys; from xds.patients.names import *; folded('Müller'); print({'opencc','pypinyin'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
