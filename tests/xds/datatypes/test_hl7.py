from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.datatypes.hl7 import (
    CX,
    HD,
    XAD,
    XCN,
    XON,
    XPN,
    XTN,
    CodedString,
    CXi,
    cx_problem,
    cxi_problem,
    escape,
    unescape,
    xcn_problem,
    xon_problem,
    xtn_problem,
)

words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
authorities = st.builds(HD, words, words, words)
parts = st.lists(words, max_size=3).map(lambda found: tuple(found) if found and found[-1] else ())

# the attributes that hold text, an authority, and subcomponents
TYPES: dict[type[Any], tuple[str, str, str]] = {
    CX: ("id identifier_type_code check_digit check_digit_scheme", "assigning_authority assigning_facility", ""),
    CXi: ("id identifier_type_code check_digit check_digit_scheme", "assigning_authority", ""),
    XCN: (
        "id family_name given_name further_given_names suffix prefix degree source_table",
        "assigning_authority",
        "family_name_parts",
    ),
    XON: ("name id name_type_code id_number check_digit", "assigning_authority assigning_facility", ""),
    XTN: ("number use_code equipment_type email country_code area_code extension text formatted", "", ""),
    XPN: ("family_name given_name further_given_names suffix prefix name_type_code", "", "family_name_parts"),
    XAD: ("street other_designation city state zip_code country address_type county", "", "street_parts"),
    CodedString: ("code component_2 component_3", "scheme", ""),
}


def values(kind: type[Any]) -> st.SearchStrategy[Any]:
    texts, hds, divided = (names.split() for names in TYPES[kind])
    fields: dict[str, Any] = dict.fromkeys(texts, words)
    fields.update(dict.fromkeys(hds, authorities))
    fields.update(dict.fromkeys(divided, parts))
    return st.builds(kind, **fields)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_what_is_written_reads_back_the_same(kind: type[Any], data: st.DataObject) -> None:
    value = data.draw(values(kind))
    assert kind.parse(str(value)) == value


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
@given(text=st.text(st.sampled_from("aZ9^&\\~|FSTRE. 王"), max_size=30))
def test_any_text_is_read_and_then_stays_the_same(kind: type[Any], text: str) -> None:
    value = kind.parse(text)
    assert kind.parse(str(value)) == value


@given(words)
def test_escaping_protects_every_delimiter_and_can_be_undone(text: str) -> None:
    escaped = escape(text)
    assert unescape(escaped) == text
    assert not set("|^~&") & set(escaped)


def test_escapes_we_do_not_know_are_left_as_they_stand() -> None:
    assert unescape(r"a\.br\b\X0D\c\F\d") == r"a\.br\b\X0D\c|d"


def test_the_parts_of_a_person_are_found_where_hl7_puts_them() -> None:
    person = XCN.parse(r"7601^Müller&von^Max\T\Co^J^II^Dr^MD^^&2.51.1.3&ISO^L^^^NI")
    assert person == XCN(
        id="7601",
        family_name="Müller",
        family_name_parts=("von",),
        given_name="Max&Co",
        further_given_names="J",
        suffix="II",
        prefix="Dr",
        degree="MD",
        assigning_authority=HD.oid("2.51.1.3"),
        more=("L", "", "", "NI"),
    )
    assert str(person) == r"7601^Müller&von^Max\T\Co^J^II^Dr^MD^^&2.51.1.3&ISO^L^^^NI"


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_trailing_delimiters_mean_nothing(kind: type[Any]) -> None:
    assert kind.parse("a^b^^^^^^^^^^^^^^^^") == kind.parse("a^b")


def test_an_authority_is_read_from_a_component_and_from_a_field() -> None:
    assert HD.parse("HIS&1.2.3&ISO") == HD.parse("HIS^1.2.3^ISO") == HD("HIS", "1.2.3", "ISO")
    assert str(HD("HIS")) == "HIS"
    assert not HD()
    assert HD.oid("1.2")


def test_an_identifier_of_a_message_is_cut_down_to_what_metadata_carries() -> None:
    received = CX.parse("P1^3^M10^HIS&1.2.3&ISO^MR^WARD")
    assert str(received.for_metadata()) == "P1^^^&1.2.3&ISO"
    assert cx_problem(str(received.for_metadata())) is None
    assert received.for_metadata() == CX.of("P1", "1.2.3")


@pytest.mark.parametrize("text", ["R&D", "nurse | ward 3", r"a\b", "", r"R\T\D"])
def test_free_text_for_a_role_stands_as_it_is(text: str) -> None:
    assert CodedString.parse(text) == CodedString(text)
    assert str(CodedString.parse(text)) == text


def test_a_coded_role_has_its_scheme() -> None:
    assert CodedString.parse("HCP^^^&2.16.756.5.30&ISO") == CodedString.of("HCP", "2.16.756.5.30")


def test_an_email_address_is_an_xtn() -> None:
    assert str(XTN.internet("a@example.org")) == "^NET^Internet^a@example.org"


@pytest.mark.parametrize(
    "text",
    ["P1^^^&1.2.3&ISO", r"P\T\1^^^&1.2.3&ISO", "王 1^^^&2.25.1&ISO"],
)
def test_the_identifiers_of_metadata_have_an_oid_and_nothing_else(text: str) -> None:
    assert cx_problem(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "P1", "^^^&1.2.3&ISO", "P1^^^1.2.3", "P1^^^HIS&1.2.3&ISO", "P1^^^&1.2.3&iso", "P1^^^&1.2.3&ISO^PI",
        "P1^^^&1.2.3&ISO^",
        "P1^1^^&1.2.3&ISO", "P1^^^&1.2.3", "P1^^^&1.02&ISO", "P&1^^^&1.2.3&ISO", "P\\1^^^&1.2.3&ISO",
        "P1~P2^^^&1.2.3&ISO", "P1^^^&1" + ".9" * 40 + "&ISO",
    ],
)  # fmt: skip
def test_everything_else_is_no_identifier_of_metadata(text: str) -> None:
    assert cx_problem(text)


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (cxi_problem, "1.2.3.4^^^^urn:ihe:iti:xds:2016:studyInstanceUID"),
        (cxi_problem, "ORD1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:order"),
        (cxi_problem, "ACC1^^^RIS^urn:ihe:iti:xds:2013:accession"),
        (xcn_problem, "^Zhang^Wei^^^Dr^MD"),
        (xcn_problem, "7601^^^^^^^^&2.51.1.3&ISO"),
        (xcn_problem, "^Smitty^Gerald^^^"),
        (xcn_problem, "zhang"),
        (xon_problem, "First People's Hospital"),
        (xon_problem, "Clinic^^^^^&1.2.3&ISO^^^^CleveClin"),
        (xon_problem, "Parma Community^^^^^^^^^1.2.3"),
        (xtn_problem, "^PRN^PH^^86^10^12345678^9"),
        (xtn_problem, "^^Internet^a@example.org"),
        (xtn_problem, "^WPN^CP^^^^^^^^^+86 10 12345678"),
    ],
)
def test_the_forms_that_metadata_allows(check: Any, text: str) -> None:
    assert check(text) is None


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (cxi_problem, "ORD1^^^&1.2.3&ISO"),
        (cxi_problem, "^^^&1.2.3&ISO^order"),
        (cxi_problem, "ORD1^^^&1.x.3&ISO^order"),
        (cxi_problem, "ORD1^^^&1.2.3&ISO^order^more"),
        (xcn_problem, ""),
        (xcn_problem, "^^Wei"),
        (xcn_problem, "1^Zhang^^^^^^^1.2.3"),
        (xcn_problem, "1^Zhang^^^^^^^&1.2.3&DNS"),
        (xon_problem, "^^^^^&1.2.3&ISO^^^^45"),
        (xon_problem, "Clinic^^^^^^^^^CleveClin"),
        (xon_problem, "Clinic^L"),
        (xon_problem, "Clinic^^^^^&x&ISO^^^^1"),
        (xon_problem, "Clinic^^^^^^^^^^more"),
        (xtn_problem, "+86 10 12345678"),
        (xtn_problem, "^^PH"),
        (xtn_problem, "^NET^Internet"),
    ],
)
def test_the_forms_that_metadata_does_not_allow(check: Any, text: str) -> None:
    problem = check(text)
    assert problem
    assert not text or text not in problem
