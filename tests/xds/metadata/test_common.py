from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.xds.metadata.strategies import authors, codes, demographics
from xds.datatypes.hl7 import CX, XCN, XON, XPN, CodedString
from xds.metadata.common import Author, Code, SourcePatientInfo, plain, strings_of, text_from
from xds.metadata.registry_object import Classification, LocalizedString

SCHEME = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"


@given(codes)
def test_a_code_goes_into_a_classification_and_back(code: Code) -> None:
    again = Code.from_classification(code.to_classification(SCHEME, "Document01"))
    assert (again, again.name, again.extra) == (code, code.name, code.extra)


@given(authors)
def test_an_author_goes_into_a_classification_and_back(author: Author) -> None:
    classification = author.to_classification(SCHEME, "Document01")
    assert (classification.code, classification.classified_object) == ("", "Document01")
    assert Author.from_classification(classification) == author


@given(demographics)
def test_demographics_go_into_a_slot_and_back(info: SourcePatientInfo) -> None:
    assert SourcePatientInfo.parse(info.values()) == info


def test_codes_are_equal_whatever_they_are_called() -> None:
    assert Code("a", "1.2", "one name") == Code("a", "1.2", "another")
    assert Code("a", "1.2") != Code("a", "1.3")
    assert len({Code("a", "1.2", "one name"), Code("a", "1.2", "another")}) == 1


def test_demographics_are_read_in_the_ways_they_are_sent() -> None:
    info = SourcePatientInfo.parse(
        [
            "PID-3|1^^^&1.2&ISO~2^^^&1.2&ISO",
            "PID-3|3^^^&1.2&ISO",
            "PID-5|Wang^Mei",
            "PID-7|1972",
            "PID-7|1973",
            "PID-8|F",
            "PID-11|",
            "PID-13|12345",
            "nonsense",
        ]
    )
    assert info.patient_ids == tuple(CX.of(id, "1.2") for id in "123")
    assert info.names == (XPN("Wang", "Mei"),)
    assert (info.birth_date, info.sex) == ("1972", "F")
    assert info.other == ("PID-7|1973", "PID-11|", "PID-13|12345", "nonsense")


def test_one_value_and_its_wire_form_are_taken_where_several_may_stand() -> None:
    assert Author(institutions="Clinic", roles="R&D") == Author(
        institutions=(XON("Clinic"),), roles=[CodedString("R&D")]
    )
    assert Author(person="1^Li").person == XCN("1", "Li")


def test_a_second_person_of_an_author_is_kept_though_it_is_wrong() -> None:
    wrong = Classification(SCHEME, None, "", {"authorPerson": ["^Li", "^Zhang"]})
    author = Author.from_classification(wrong)
    assert author.person == XCN(family_name="Li")
    assert author.to_classification(SCHEME, "").slots == wrong.slots


@pytest.mark.parametrize(
    ("strings", "text", "shown"),
    [
        ((), None, None),
        ((LocalizedString(""),), None, None),
        ((LocalizedString("a"),), "a", "a"),
        ((LocalizedString("a", "zh-CN"),), LocalizedString("a", "zh-CN"), "a"),
        ((LocalizedString("a", "en"), LocalizedString("b", "de")),) * 2 + ("a",),
        ((LocalizedString("", "en"), LocalizedString("b", "de")),) * 2 + ("b",),
    ],
)
def test_a_text_is_plain_when_nothing_but_the_text_was_said(strings: object, text: object, shown: str | None) -> None:
    assert text_from(strings) == text  # type: ignore[arg-type]
    assert plain(text) == shown  # type: ignore[arg-type]


@given(st.lists(st.builds(LocalizedString, st.text(min_size=1), st.none() | st.just("zh")), max_size=3).map(tuple))
def test_no_language_gets_lost(strings: tuple[LocalizedString, ...]) -> None:
    assert strings_of(text_from(strings)) == strings


def test_a_localized_string_shows_its_text() -> None:
    assert str(LocalizedString("出院小结", "zh-CN")) == "出院小结"
