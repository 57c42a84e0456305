from __future__ import annotations

from xds.datatypes.hl7 import CX, XCN
from xds.hl7v2.er7 import Segment
from xds.hl7v2.segments import read_visit, write_pv1
from xds.patients.visit import Visit


def test_a_visit_is_written_as_it_is_read() -> None:
    visit = Visit(
        patient_class="O",
        location=("W\\F\\1", "", "B&1.2&ISO"),
        attending_doctors=(XCN("7", "Ferro", "Aldo"),),
        referring_doctors=(XCN("8"),),
        consulting_doctors=(XCN("", "Ito"), XCN("9", "van Dam", family_name_parts=("van", "Dam"))),
        hospital_service="CAR",
        admitting_doctors=(XCN("7"),),
        visit_number=CX("V1"),
        admit_time="20260101",
        discharge_time="20260103",
    )
    assert read_visit(Segment(write_pv1(visit))) == visit


def test_a_null_is_read_and_written_as_one() -> None:
    visit = read_visit(Segment('PV1||I|""|||||||CAR'))
    assert visit == Visit(patient_class="I", hospital_service="CAR", deleted=frozenset({"location"}))
    assert write_pv1(visit) == 'PV1||I|""|||||||CAR'
    assert read_visit(Segment('PV1||""|""')) is None


def test_no_visit_is_written_as_not_applicable() -> None:
    assert write_pv1(None) == "PV1||N"
    assert read_visit(Segment("PV1||N")) is None
    assert write_pv1(Visit(hospital_service="CAR")).startswith("PV1||U|")  # PV1-2 is required
