"""What is found in files of HL7 v2 messages."""

from __future__ import annotations

import pytest

from tests.xds_mllp.feed import adt
from xds.errors import MalformedMessage
from xds.transactions.validate_hl7v2 import is_hl7v2, validate
from xds_mllp.framing import frame

CLEAN = (
    "MSH|^~\\&|HIS|H01|REG|XDS|20260101120000||ADT^A01|C1|P|2.3.1\rEVN|A01|20260101120000\r"
    "PID|||P1^^^&1.3.6.1.4.1.21367.13.20.1000&ISO||Invented^Person||19700101|M\rPV1|1|N\r"
)


def found(data: str | bytes) -> list[tuple[int, str, str, bool]]:
    return [
        (finding.number, str(finding.error.code.value), str(finding.error.location or ""), finding.tolerated)
        for finding in validate(data.encode() if isinstance(data, str) else data)
    ]


@pytest.mark.parametrize(
    "data",
    [
        CLEAN,
        CLEAN.replace("\r", "\n"),
        CLEAN + CLEAN,
        f"FHS|^~\\&|A\rBHS|^~\\&|A\r{CLEAN}{CLEAN}BTS|2\rFTS|1\r",
        frame(CLEAN.encode()) + frame(CLEAN.encode()),
        b"\xef\xbb\xbf" + CLEAN.encode(),
    ],
)
def test_clean_messages_have_no_findings(data: str | bytes) -> None:
    assert found(data) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("PID|||P1^^^&1.3.6.1.4.1.21367.13.20.1000&ISO", "PID|||", (1, "101", "PID^1^3", False)),
        ("PID|", "ZID|", (1, "100", "PID^1", False)),
        ("19700101", "19700231", (1, "102", "PID^1^7", True)),
        ("2.3.1", "2.3.1||||||KLINGON", (1, "103", "MSH^1^18", False)),
        ("ADT^A01", "ADT^A40", (1, "100", "MRG^1", False)),
    ],
)
def test_each_fault_is_found_at_its_place(old: str, new: str, expected: tuple[int, str, str, bool]) -> None:
    assert expected in found(CLEAN.replace(old, new, 1))


def test_the_number_of_the_message_is_told() -> None:
    assert [row[0] for row in found(CLEAN + CLEAN.replace("PID|", "ZID|") + CLEAN)] == [2] * len(
        found(CLEAN + CLEAN.replace("PID|", "ZID|") + CLEAN)
    )
    assert found(CLEAN + CLEAN.replace("PID|", "ZID|")) != []


def test_bytes_that_are_not_what_msh_18_says_are_a_deviation() -> None:
    data = CLEAN.replace("Invented", "Erf\u00fcnd\u00e9n").encode("latin-1")
    assert (1, "102", "MSH^1^18", True) in found(data)


def test_a_batch_that_lost_a_message_is_no_batch() -> None:
    with pytest.raises(MalformedMessage, match="BTS-1"):
        validate(f"BHS|^~\\&|A\r{CLEAN}BTS|2\r".encode())


@pytest.mark.parametrize(
    ("data", "expected"),
    [(adt(), True), (frame(adt()), True), (b"BHS|^~\\&", True), (b"<xml/>", False), (b"MSHERE", False), (b"", False)],
)
def test_files_are_recognised(data: bytes, expected: bool) -> None:
    assert is_hl7v2(data) is expected
