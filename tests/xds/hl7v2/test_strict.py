from __future__ import annotations

import pytest

from xds.hl7v2.er7 import parse
from xds.hl7v2.strict import validate

GOOD = (
    "MSH|^~\\&|HIS|H01|REG|XDS|20260101120000||ADT^A01^ADT_A01|C1|P|{version}\r"
    "EVN|A01|20260101120000\r"
    "PID|1||1^^^A&1.2.3&ISO||Wohlfahrt^Kunigunde||19700101|M\r"
    "PV1|1|N\r"
)


@pytest.mark.parametrize("version", ["2.3.1", "2.5"])
def test_a_good_message_has_no_errors(version: str) -> None:
    assert validate(parse(GOOD.format(version=version).encode())) == []


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("PV1|1|N\r", "", "100 Segment sequence error at PV1^1"),
        ("1^^^A&1.2.3&ISO", "", "101 Required field missing at PID^1^3"),
        ("EVN|A01|20260101120000\r", "EVN|A01\r", "101 Required field missing at EVN^1^2"),
        ("19700101", "19700231", "102 Data type error at PID^1^7"),
        ("19700101", "unknown", "102 Data type error at PID^1^7"),
        ("PV1|1|N\r", "PV1|1|N\rPV1|2|N\r", "100 Segment sequence error at PV1^1"),
        ("|C1|P|2.5", "|C1|P|2.9", "102 Data type error"),
    ],
)
def test_a_fault_is_named_with_its_place(old: str, new: str, error: str) -> None:
    data = GOOD.format(version="2.5").replace(old, new)
    errors = validate(parse(data.encode()))
    assert [str(each) for each in errors] == [error]


def test_values_are_never_in_the_text() -> None:
    data = GOOD.format(version="2.5").replace("|M\r", "|Secret\r").replace("19700101", "Secret")
    assert "Secret" not in repr(validate(parse(data.encode())))
