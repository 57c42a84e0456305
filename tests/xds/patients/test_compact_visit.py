from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.datatypes.hl7 import CX, HD, XCN
from xds.patients import compact_visit
from xds.patients.visit import Visit

text = st.text(max_size=8)
authorities = st.builds(HD, text, text, text)
doctors = st.lists(
    st.builds(XCN, text, text, text, assigning_authority=authorities, family_name_parts=st.tuples(text)), max_size=2
).map(tuple)
visits = st.builds(
    Visit,
    patient_class=text,
    location=st.lists(text, max_size=4).map(tuple),
    attending_doctors=doctors,
    referring_doctors=doctors,
    consulting_doctors=doctors,
    hospital_service=text,
    admitting_doctors=doctors,
    visit_number=st.builds(CX, text, authorities, assigning_facility=authorities),
    admit_time=text,
    discharge_time=text,
)


@given(visits)
def test_what_is_read_is_what_was_written(visit: Visit) -> None:
    assert compact_visit.decode(compact_visit.encode(visit)) == visit


@given(visits)
def test_what_was_sent_as_null_is_not_kept(visit: Visit) -> None:
    deleting = replace(visit, deleted=frozenset({"location"}))
    assert compact_visit.encode(deleting) == compact_visit.encode(visit)


def test_nothing_is_no_byte_and_a_visit_few() -> None:
    assert compact_visit.encode(Visit()) == b""
    assert compact_visit.decode(b"") == Visit()
    one = Visit(
        patient_class="I",
        location=("W1", "R2"),
        attending_doctors=(XCN("D7", "Fictitious", "Ada"),),
        visit_number=CX("V1", HD.oid("1.2.3.1")),
        admit_time="20260101",
    )
    assert len(compact_visit.encode(one)) < 120


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format"):
        compact_visit.decode(b"\x07{}")


@given(visits, visits)
def test_what_is_left_out_stays_and_what_is_said_counts(old: Visit, new: Visit) -> None:
    data = compact_visit.overlay(compact_visit.encode(old), compact_visit.encode(new))
    both = compact_visit.decode(data)
    assert both.location == (new.location or old.location)
    assert both.admit_time == (new.admit_time or old.admit_time)
    assert data == compact_visit.encode(both)
    gone = compact_visit.overlay(data, b"", frozenset({"location", "visit_number"}))
    assert compact_visit.decode(gone) == replace(both, location=(), visit_number=CX())
