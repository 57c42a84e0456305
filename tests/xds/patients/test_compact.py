from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.datatypes.hl7 import CX, HD, XAD, XPN, XTN
from xds.patients import compact
from xds.patients.demographics import Demographics
from xds.patients.stamps import stamped

text = st.text(max_size=8)
authorities = st.builds(HD, text, text, text)
people = st.builds(
    Demographics,
    names=st.lists(
        st.builds(XPN, text, text, text, name_type_code=text, family_name_parts=st.tuples(text)), max_size=2
    ).map(tuple),
    birth_time=text,
    addresses=st.lists(st.builds(XAD, text, city=text, street_parts=st.tuples(text, text)), max_size=2).map(tuple),
    home_phones=st.lists(st.builds(XTN, text, formatted=text), max_size=1).map(tuple),
    account_number=st.builds(CX, text, authorities, assigning_facility=authorities),
    mothers_identifiers=st.lists(st.builds(CX, text, authorities), max_size=2).map(tuple),
    identity_reliability=st.lists(text, max_size=2).map(tuple),
    last_update_facility=authorities,
    deleted=st.sampled_from([frozenset(), frozenset({"sex", "names"})]),
)


@given(people)
def test_what_is_read_is_what_was_written(person: Demographics) -> None:
    assert compact.decode(compact.encode(person)) == person


def test_nothing_is_no_byte_and_a_person_few() -> None:
    assert compact.encode(Demographics()) == b""
    assert compact.decode(b"") == Demographics()
    one = Demographics(names=(XPN("Fictitious", "Ada", name_type_code="L"),), birth_time="19700102", sex="F")
    assert len(compact.encode(one)) < 80


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format"):
        compact.decode(b"\x07{}")


@given(people, people)
def test_what_is_left_out_stays_and_what_is_said_counts(old: Demographics, new: Demographics) -> None:
    both = compact.decode(compact.overlay(compact.encode(old), compact.encode(new)))
    assert both.birth_time == (new.birth_time or old.birth_time)
    assert both.names == (new.names or old.names)


def test_a_null_takes_away() -> None:
    old = compact.encode(Demographics(sex="F", nationality="NZL"))
    assert compact.decode(compact.overlay(old, b"", frozenset({"sex"}))) == Demographics(nationality="NZL")
    assert compact.overlay(old, b"", frozenset({"sex", "nationality"})) == b""


def test_each_source_has_its_own_newest() -> None:
    one = stamped(b"", 1, 100)
    assert one is not None
    assert stamped(one, 1, 99) is None
    assert stamped(one, 1, 100) == one
    both = stamped(one, 2, 50)
    assert both is not None
    assert stamped(both, 1, 99) is None
    assert stamped(both, 2, 49) is None
    later = stamped(both, 1, 101)
    assert later is not None
    assert len(later) == len(both) == 24
    assert stamped(b"", 1, -5) == stamped(b"", 1, 0)
