from __future__ import annotations

from datetime import date

import pytest

from xds.datatypes.hl7 import XPN
from xds.patients.demographics import Demographics, NameRepresentation


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("19700131", date(1970, 1, 31)),
        ("197001312359+0800", date(1970, 1, 31)),
        ("1970", None),
        ("197001", None),
        ("19700231", None),
        ("19700000", None),
        ("unknown!", None),
        ("١٩٧٠٠١٣١", None),
        ("", None),
    ],
)
def test_a_birth_date_is_a_day_of_the_calendar_or_none(text: str, day: date | None) -> None:
    assert Demographics(birth_time=text).birth_date == day


HAN = XPN("欧阳", "明", name_type_code="L", name_representation_code="I")
LATIN = XPN("Ouyang", "Ming", name_type_code="L", name_representation_code="A")
ALIAS = XPN("Owen", "Ming", name_type_code="A", name_representation_code="A")
EMPTY = XPN(name_type_code="L")


def test_the_legal_name_is_shown_in_the_wanted_writing() -> None:
    person = Demographics(names=(EMPTY, ALIAS, HAN, LATIN))
    assert person.name() == HAN
    assert person.name(NameRepresentation.ALPHABETIC) == LATIN
    assert person.name(NameRepresentation.PHONETIC) is None
    assert Demographics(names=(ALIAS,)).name() == ALIAS
    assert Demographics(names=(EMPTY,)).name() is None


def test_only_attributes_can_be_deleted() -> None:
    assert Demographics(deleted=frozenset({"sex"})).deleted == {"sex"}
    with pytest.raises(ValueError, match="attributes"):
        Demographics(deleted=frozenset({"shoe_size"}))
