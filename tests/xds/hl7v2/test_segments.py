from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.datatypes.hl7 import CX, HD, NOBODY, XAD, XPN, XTN
from xds.hl7v2.er7 import Message, Segment, parse
from xds.hl7v2.escapes import STANDARD, Delimiters
from xds.hl7v2.segments import (
    read_demographics,
    read_hd,
    read_header,
    read_identifiers,
    read_names,
    salvage_header,
    write_mrg,
    write_pid,
)
from xds.patients.demographics import Demographics

# texts as they stand in values: trimmed, not the null of HL7
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), max_size=6).filter(lambda t: t != '""')
WORD = TEXT.filter(bool)
HDS = st.one_of(st.just(NOBODY), st.builds(HD, WORD, TEXT, TEXT))
CXS = st.builds(CX, WORD, HDS, TEXT, TEXT, TEXT, HDS)
XPNS = st.builds(XPN, WORD, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, st.lists(WORD, max_size=2).map(tuple))
XADS = st.builds(XAD, WORD, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, st.lists(WORD, max_size=2).map(tuple))
XTNS = st.builds(XTN, WORD, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT)


def many(values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(values, max_size=3).map(tuple)


PEOPLE = st.builds(
    Demographics,
    names=many(XPNS),
    mothers_maiden_names=many(XPNS),
    birth_time=TEXT,
    sex=TEXT,
    aliases=many(XPNS),
    addresses=many(XADS),
    home_phones=many(XTNS),
    business_phones=many(XTNS),
    account_number=st.one_of(st.just(CX()), CXS),
    ssn=TEXT,
    mothers_identifiers=many(CXS),
    multiple_birth=TEXT,
    identity_reliability=many(WORD),
    last_update_facility=HDS,
)


@given(
    st.lists(CXS, min_size=1, max_size=3).map(tuple),
    PEOPLE,
    st.sampled_from([STANDARD, Delimiters("$", "!", "@", "%", "*")]),
)
def test_pid_is_read_as_it_was_written(identifiers: tuple[CX, ...], person: Demographics, d: Delimiters) -> None:
    pid = Segment(write_pid(identifiers, person, d), d)
    assert read_identifiers(pid[3]) == identifiers
    assert read_demographics(pid) == person


@given(st.lists(CXS, min_size=1, max_size=3).map(tuple), st.lists(XPNS, max_size=2).map(tuple))
def test_mrg_is_read_as_it_was_written(identifiers: tuple[CX, ...], names: tuple[XPN, ...]) -> None:
    mrg = Segment(write_mrg(identifiers, names))
    assert read_identifiers(mrg[1]) == identifiers
    assert read_names(mrg[7]) == names


def test_a_null_field_is_deleted_and_an_empty_one_is_not_mentioned() -> None:
    person = read_demographics(Segment('PID|||1||A^""^B||""|F|||""'))
    assert person == Demographics(names=(XPN("A", "", "B"),), sex="F", deleted=frozenset({"birth_time", "addresses"}))
    assert write_pid((), person) == 'PID|||||A^^B||""|F|||""'


def test_identifiers_without_an_id_say_nothing() -> None:
    field = Segment('PID|||~^^^A&1.2&ISO~""^^^B~ 7 ^^^ NS & 1.2 &ISO^MR^F&&')[3]
    assert read_identifiers(field) == (CX("7", HD("NS", "1.2", "ISO"), "MR", assigning_facility=HD("F")),)


def test_chinese_names_come_in_several_writings() -> None:
    person = read_demographics(Segment("PID|||1||欧阳^明^^^^^L^I~Ouyang^Ming^^^^^L^A~ou1yang2^ming2^^^^^L^P"))
    assert [(n.family_name, n.name_representation_code) for n in person.names] == [
        ("欧阳", "I"),
        ("Ouyang", "A"),
        ("ou1yang2", "P"),
    ]


def test_a_header_keeps_what_an_acknowledgement_gives_back() -> None:
    header = read_header(parse(rb"MSH|^~\&|H\T\S^1^ISO|F|R|G|2026||ADT ^ A08|C 1|T^A|2.5^CHN|||AL|NE|CHN|UTF-8"))
    assert header[:12] == (
        r"H\T\S^1^ISO", "F", "R", "G", "ADT", "A08", "C 1", "T^A", "2.5", "AL", "NE", "UTF-8",
    )  # fmt: skip


def test_before_2_3_the_trigger_may_stand_in_evn_only() -> None:
    assert read_header(parse(b"MSH|^~\\&|||||||ADT|1|P|2.1\rEVN|A04|2026\r")).trigger == "A04"


def test_a_short_header_is_filled_with_nothing() -> None:
    assert read_header(Message(["MSH|^~\\&|A"])).sending_application == "A"
    assert read_header(Message(["MSH|^~\\&|A"])).control_id == ""


@pytest.mark.parametrize(
    ("raw", "hd"), [("A^1.2^ISO", HD("A", "1.2", "ISO")), ("A", HD("A")), ("", NOBODY), ("^^", NOBODY)]
)
def test_hd_as_a_field(raw: str, hd: HD) -> None:
    assert read_hd(Segment(f"MSH|^~\\&|{raw}")[3]) == hd


def test_what_is_salvaged_of_a_header_can_be_read_in_its_character_set() -> None:
    name = "\u5f20\u4f1f".encode("gb18030")
    good = b"gMSH|^~\\&|" + name + b"|EAST|X|R|2026||ADT^A01|C1|P|2.5||||||GB 18030-2000\r"
    assert salvage_header(good).sending_application.encode("latin-1") == name
    bad = salvage_header(good.replace(b"|P|", b"|P\xff|"))
    assert (bad.processing_id, bad.control_id, bad.sending_application) == ("P?", "C1", "????")
