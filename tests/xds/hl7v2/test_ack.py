from __future__ import annotations

import hl7apy.parser
import pytest
from hl7apy.consts import VALIDATION_LEVEL

from xds.hl7v2.ack import Mode, acknowledge, read_acknowledgement
from xds.hl7v2.er7 import parse
from xds.hl7v2.errors import Hl7Error, Hl7Rejected, Location, MalformedHl7
from xds.hl7v2.segments import Header, read_header, salvage_header
from xds.vocab.hl7 import AckCode, Hl7ErrorCode

TIME = "20260101120000+0000"
MISSING = Hl7Error(Hl7ErrorCode.REQUIRED_FIELD_MISSING, Location("PID", 1, 3), "PID-3 has no identifier")


def header(
    version: str = "2.5", *, accept: str = "", application: str = "", charset: str = "", name: str = "HIS"
) -> Header:
    head = rf"MSH|^~\&|{name}^1.2^ISO|H01|REG|XDS|2026||ADT^A01^ADT_A01|C\T\1|T|{version}"
    msh = f"{head}|||{accept}|{application}||{charset}"
    return read_header(parse((msh + "\r").encode()))


def ack(head: Header, code: AckCode = AckCode.AA, *errors: Hl7Error, mode: Mode = "auto") -> list[str]:
    answers = acknowledge(head, code, errors, control_id="R1", time=TIME, mode=mode)
    return [answer.decode(head.codec) for answer in answers]


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("2.1", "ACK"),
        ("2.2", "ACK"),
        ("2.3.1", "ACK^A01"),
        ("2.4", "ACK^A01"),
        ("2.5", "ACK^A01^ACK"),
        ("2.8.2", "ACK^A01^ACK"),
    ],
)
def test_an_acknowledgement_has_the_layout_of_the_senders_version(version: str, kind: str) -> None:
    assert ack(header(version)) == [
        rf"MSH|^~\&|REG|XDS|HIS^1.2^ISO|H01|{TIME}||{kind}|R1|T|{version}" + "\r" + r"MSA|AA|C\T\1" + "\r"
    ]


@pytest.mark.parametrize("version", ["2.3.1", "2.4"])
def test_before_2_5_all_errors_stand_in_err_1(version: str) -> None:
    internal = Hl7Error(Hl7ErrorCode.APPLICATION_INTERNAL_ERROR)
    (text,) = ack(header(version), AckCode.AE, MISSING, internal)
    assert text.split("\r")[1:3] == [
        r"MSA|AE|C\T\1|PID-3 has no identifier",
        "ERR|PID^1^3^101&Required field missing&HL70357~^^^207&Application internal error&HL70357",
    ]


@pytest.mark.parametrize("version", ["2.5", "2.5.1", "2.7"])
def test_from_2_5_on_every_error_has_an_err_of_its_own(version: str) -> None:
    where = Location("QPD", 1, 3, 1, 4)
    doubt = Hl7Error(Hl7ErrorCode.UNKNOWN_KEY_IDENTIFIER, where, warning=True)
    (text,) = ack(header(version), AckCode.AE, MISSING, doubt)
    assert text.split("\r")[1:4] == [
        r"MSA|AE|C\T\1",
        "ERR||PID^1^3|101^Required field missing^HL70357|E||||PID-3 has no identifier",
        "ERR||QPD^1^3^1^4|204^Unknown Key Identifier^HL70357|W",
    ]


@pytest.mark.parametrize(("version", "level"), [("2.3.1", VALIDATION_LEVEL.TOLERANT), ("2.5", VALIDATION_LEVEL.STRICT)])
@pytest.mark.parametrize("errors", [(), (MISSING,)])
def test_hl7apy_reads_an_acknowledgement(version: str, level: int, errors: tuple[Hl7Error, ...]) -> None:
    # ACK^A01, which ITI-8 has, is no message structure for hl7apy, so 2.3.1 is read without one
    head = header(version)._replace(sending_application="HIS", control_id="C1", trigger="A01")
    (text,) = ack(head, AckCode.AE if errors else AckCode.AA, *errors)
    read = hl7apy.parser.parse_message(text.rstrip("\r"), validation_level=level)
    assert read.msa.msa_1.to_er7() == ("AE" if errors else "AA")
    assert read.msa.msa_2.to_er7() == "C1"
    assert len(read.err) == len(errors)


@pytest.mark.parametrize(
    ("accept", "application", "mode", "on_success", "on_error"),
    [
        ("", "", "auto", ["AA"], ["AE"]),
        ("AL", "NE", "auto", ["CA"], ["CE"]),
        ("AL", "", "auto", ["CA"], ["CE"]),
        ("NE", "AL", "auto", ["AA"], ["AE"]),
        ("", "AL", "auto", ["AA"], ["AE"]),
        ("AL", "AL", "auto", ["AA"], ["AE"]),
        ("NE", "NE", "auto", [], []),
        ("ER", "NE", "auto", [], ["CE"]),
        ("SU", "NE", "auto", ["CA"], []),
        ("NE", "ER", "auto", [], ["AE"]),
        ("NE", "SU", "auto", ["AA"], []),
        ("AL", "ER", "auto", ["CA"], ["AE"]),
        ("??", "NE", "auto", ["CA"], ["CE"]),
        ("AL", "AL", "enhanced", ["CA", "AA"], ["CA", "AE"]),
        ("AL", "NE", "enhanced", ["CA"], ["CE"]),
        ("", "", "enhanced", ["AA"], ["AE"]),
        ("NE", "NE", "original", ["AA"], ["AE"]),
        ("AL", "NE", "original", ["AA"], ["AE"]),
    ],
)
def test_acknowledgement_modes(
    accept: str, application: str, mode: Mode, on_success: list[str], on_error: list[str]
) -> None:
    head = header(accept=accept, application=application)
    for code, errors, expected in ((AckCode.AA, (), on_success), (AckCode.AE, (MISSING,), on_error)):
        answers = acknowledge(head, code, errors, control_id="R1", time=TIME, mode=mode)
        assert [read_acknowledgement(answer).code for answer in answers] == expected
        assert len({parse(answer).control_id for answer in answers}) == len(answers)


@pytest.mark.parametrize(
    ("declared", "encoding", "announced"),
    [
        ("GB 18030-2000", "gb18030", "GB 18030-2000"),
        ("UNICODE UTF-8", "utf-8", "UNICODE UTF-8"),
        ("utf8", "utf-8", "utf8"),
        ("", "utf-8", "UNICODE UTF-8"),
    ],
)
def test_an_answer_is_in_the_senders_character_set_and_says_so(declared: str, encoding: str, announced: str) -> None:
    msh = rf"MSH|^~\&|HIS|區院|REG|XDS|2026||ADT^A01|C1|P|2.3.1||||||{declared}"
    head = read_header(parse(f"{msh}\r".encode(encoding)))
    (answer,) = acknowledge(head, control_id="R1", time=TIME)
    assert parse(answer).value("MSH-6") == "區院"
    assert parse(answer).value("MSH-18") == announced


def test_a_pure_ascii_answer_announces_nothing_of_its_own() -> None:
    assert parse(ack(header())[0].encode()).value("MSH-18") == ""


def test_the_senders_delimiters_are_used() -> None:
    head = read_header(parse(b"MSH$!@%*$A$B$C$D$2026$$ADT!A01$X$P$2.3.1\r"))
    (answer,) = acknowledge(head, AckCode.AE, [MISSING], control_id="R1", time=TIME)
    assert answer.split(b"\r")[0].startswith(b"MSH$!@%*$C$D$A$B$")
    assert b"ERR$PID!1!3!101*Required field missing*HL70357\r" in answer
    assert read_acknowledgement(answer).errors[0].location == "PID^1^3"


@pytest.mark.parametrize("version", ["2.3.1", "2.5"])
def test_what_is_written_is_read_again(version: str) -> None:
    (answer,) = acknowledge(header(version), AckCode.AE, [MISSING, MISSING], control_id="R1", time=TIME)
    read = read_acknowledgement(answer)
    assert (read.code, read.control_id, read.accepted) == ("AE", r"C\T\1", False)
    assert [(e.code, e.location) for e in read.errors] == [("101", "PID^1^3")] * 2


def test_an_answer_without_msa_is_no_acknowledgement() -> None:
    with pytest.raises(Hl7Rejected):
        read_acknowledgement(b"MSH|^~\\&|||||||ACK|1|P|2.5\r")
    with pytest.raises(MalformedHl7):
        read_acknowledgement(b"nonsense")


@pytest.mark.parametrize(
    ("data", "control_id"),
    [
        (b"MSH|^~\\&|A|B|C|D|2026||ADT^A01|C7|P|2.5||||||KLINGON\r\xff\xfe", "C7"),
        (b"\x00\x00MSH|^~\\&|A|B|C|D|2026||ADT^A01|C7", "C7"),
        (b"MSH|^~\\&|A|B|C|D|2026||ADT^A01|C7|P|2.5||||||UNICODE UTF-8\rPID|||1||\xd5\xc5\r", "C7"),
        (b"garbage", ""),
        (b"", ""),
        (b"MSH", ""),
        (b"MSH||||", ""),
    ],
)
def test_a_header_is_salvaged_from_what_cannot_be_read(data: bytes, control_id: str) -> None:
    head = salvage_header(data)
    assert head.control_id == control_id
    (answer,) = acknowledge(head, AckCode.AR, [MISSING], control_id="R1", time=TIME)
    assert read_acknowledgement(answer).control_id == control_id
