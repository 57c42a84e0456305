from __future__ import annotations

import pytest

from xds.datatypes.hl7 import CX, HD, XCN
from xds.hl7v2.criteria import criteria_content, read_criteria
from xds.hl7v2.er7 import Segment, segment
from xds.hl7v2.errors import Hl7Rejected
from xds.patients.queries import PatientCriteria
from xds.patients.visit import Visit

FULL = PatientCriteria(
    identifiers=(CX("1", HD("A", "1.2", "ISO"), "MR"), CX("2")),
    family_name="Ver*",
    given_name="A&B^C|~\\",
    further_given_names="X",
    birth_time="198002",
    sex="F",
    street="Kerkstraat",
    city="Gent",
    state="OV",
    postal_code="9000",
    country="BEL",
    account_number=CX("9", HD("B")),
    mothers_maiden_name="Quist",
    home_phone="123",
    visit=Visit(
        patient_class="I",
        location=("W1", "", "B2"),
        attending_doctors=(XCN("7", "Ferro", "Aldo"), XCN("", "Ito")),
        hospital_service="CAR",
        visit_number=CX("V1", HD("A")),
        admit_time="20260101",
    ),
)


def read(qpd_3: str, *, visits: bool = False, tolerated: list[str] | None = None) -> PatientCriteria:
    noted: list[str] = []
    found = read_criteria(Segment(f"QPD|q|t|{qpd_3}")[3], noted.append, visits=visits)
    assert noted == (tolerated or [])
    return found


def test_what_is_written_is_read_again() -> None:
    written = segment("QPD", "q", "t", criteria_content(FULL))
    assert read_criteria(Segment(written)[3], lambda what: pytest.fail(what), visits=True) == FULL


A = HD("A")
OID = HD("", "1.2", "ISO")


@pytest.mark.parametrize(
    ("qpd_3", "expected"),
    [
        ("@PID.5.1^V", PatientCriteria(family_name="V")),
        ("@PID.5.1.1^V~@PID.5.2^I", PatientCriteria(family_name="V", given_name="I")),
        ("~@PID.5.1^V~", PatientCriteria(family_name="V")),
        ("@PID.7^1980", PatientCriteria(birth_time="1980")),
        ("@PID.7.1^19800203101500.5+0100", PatientCriteria(birth_time="19800203101500")),
        ("@PID.11.1^Kerk\\T\\straat", PatientCriteria(street="Kerk&straat")),
        ("@PID.6.1^Q~@PID.13.7^123", PatientCriteria(mothers_maiden_name="Q", home_phone="123")),
        ("@PID.3.1^1", PatientCriteria(identifiers=(CX("1"),))),
        ("@PID.3.1^1~@PID.3.4^A", PatientCriteria(identifiers=(CX("1", A),))),
        ("@PID.3.1^1~@PID.3.4^&1.2&ISO", PatientCriteria(identifiers=(CX("1", OID),))),
        ("@PID.3.4.2^1.2~@PID.3.4.3^ISO~@PID.3.1^1", PatientCriteria(identifiers=(CX("1", OID),))),
        (
            "@PID.3.1^1~@PID.3.4.1^A~@PID.3.1^2~@PID.3.4.2^1.2~@PID.3.4.3^ISO",
            PatientCriteria(identifiers=(CX("1", A), CX("2", OID))),
        ),
        (
            "@PID.3.4.1^A~@PID.3.1^1~@PID.3.4.1^B~@PID.3.1^2",
            PatientCriteria(identifiers=(CX("1", A), CX("2", HD("B")))),
        ),
        ("@PID.3.1^1~@PID.3.1^1", PatientCriteria(identifiers=(CX("1"),))),
        ("@PID.18.1^9~@PID.18.4.1^A", PatientCriteria(account_number=CX("9", A))),
        ("@PID.5.1^V~@PID.5.1.1^V", PatientCriteria(family_name="V")),
    ],
)
def test_every_way_to_ask_is_understood(qpd_3: str, expected: PatientCriteria) -> None:
    assert read(qpd_3) == expected


@pytest.mark.parametrize(
    ("qpd_3", "expected", "tolerated"),
    [
        ("PID.5.1^V", PatientCriteria(family_name="V"), ["parameter name"]),
        ("@pid.5.1^V", PatientCriteria(family_name="V"), ["parameter name"]),
        ("@PID.5^V", PatientCriteria(family_name="V"), ["parameter name"]),
        ("@PID.3^1", PatientCriteria(identifiers=(CX("1"),)), ["parameter name"]),
        ("@PID.5.1^V~@PID.8^", PatientCriteria(family_name="V"), ["parameter without value"]),
        ('@PID.5.1^V~@PID.8^""', PatientCriteria(family_name="V"), ["parameter without value"]),
        ("@PID.5.1^V~@PID.8", PatientCriteria(family_name="V"), ["parameter without value"]),
    ],
)
def test_what_is_written_otherwise_is_read_and_noted(
    qpd_3: str, expected: PatientCriteria, tolerated: list[str]
) -> None:
    assert read(qpd_3, tolerated=tolerated) == expected


@pytest.mark.parametrize(
    ("qpd_3", "error"),
    [
        ("", "101 Required field missing at QPD^1^3"),
        ("@PID.5.1^V~@PID.99^x", "103 Table value not found at QPD^1^3^2"),
        ("@PID.5.7^L", "103 Table value not found at QPD^1^3^1"),
        ("@PID.3.9^L", "103 Table value not found at QPD^1^3^1"),
        ("@PV1.2^I", "103 Table value not found at QPD^1^3^1"),
        ("@PV1.19.1^1", "103 Table value not found at QPD^1^3^1"),
        ("@PV1.7.1^1", "103 Table value not found at QPD^1^3^1"),
        ("surname^V", "103 Table value not found at QPD^1^3^1"),
        ("^V", "103 Table value not found at QPD^1^3^1"),
        ("@PID.5.1^V~@PID.5.1.1^W", "102 Data type error at QPD^1^3^2"),
        ("@PID.7^1980-02-03", "102 Data type error at QPD^1^3^1"),
        ("@PID.7^80", "102 Data type error at QPD^1^3^1"),
        ("@PID.5.1^V~@PID.3.4.1^A", "101 Required field missing at QPD^1^3^2"),
        ("@PID.18.1^1~@PID.18.1^2", "102 Data type error at QPD^1^3^2"),
        ("~".join(["@PID.5.1^V"] * 101), "102 Data type error at QPD^1^3^101"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_its_repetition(qpd_3: str, error: str) -> None:
    with pytest.raises(Hl7Rejected) as refused:
        read(qpd_3)
    assert str(refused.value) == error


def test_parameters_of_the_visit_are_those_of_iti_22() -> None:
    found = read("@PV1.2^I~@PV1.3.1^W~@PV1.3.2^R~@PV1.7.1^7~@PV1.7.2^Ferro~@PV1.19.1^V~@PV1.19.4^A", visits=True)
    assert found.visit == Visit(
        patient_class="I",
        location=("W", "R"),
        attending_doctors=(XCN("7", "Ferro"),),
        visit_number=CX("V", A),
    )
    with pytest.raises(Hl7Rejected, match=r"QPD\^1\^3\^2"):
        read("@PV1.3.1^W~@PV1.3.1^X", visits=True)
