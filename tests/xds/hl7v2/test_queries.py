from __future__ import annotations

import pytest

from xds.datatypes.hl7 import HD
from xds.errors import PeerUnreachable
from xds.hl7v2.ack import read_acknowledgement
from xds.hl7v2.er7 import Message, Segment, parse, segment
from xds.hl7v2.errors import Hl7Error, Hl7Rejected, Location
from xds.hl7v2.queries import (
    TOLERATED,
    Envelope,
    accepted,
    blamed,
    domain_content,
    is_about_query,
    read_domains,
    read_limit,
    read_pointer,
    read_qpd,
    read_response,
    repetition_of,
    write_query,
)
from xds.vocab.hl7 import Hl7ErrorCode

MSH = "MSH|^~\\&|C|F|P|R|2026||QBP^Q23^QBP_Q21|Q1|P|2.5"
NAMES = ("IHE PIX Query", "Q23")


def message(*segments: str) -> Message:
    return parse("\r".join((MSH, *segments)).encode())


@pytest.mark.parametrize(
    ("domains", "expected", "tolerated"),
    [
        ("", (), []),
        ("^^^A", (HD("A"),), []),
        ("^^^&1.2&ISO~^^^B&1.3&ISO", (HD("", "1.2", "ISO"), HD("B", "1.3", "ISO")), []),
        ("~^^^~^^^A~", (HD("A"),), []),
        ("A~&1.2&ISO", (HD("A"), HD("", "1.2", "ISO")), ["domain in component 1"] * 2),
    ],
)
def test_domains_are_read_in_every_combination(domains: str, expected: tuple[HD, ...], tolerated: list[str]) -> None:
    noted: list[str] = []
    assert read_domains(Segment(f"QPD||||{domains}")[4], noted.append) == expected
    assert noted == tolerated
    assert set(noted) <= TOLERATED.keys()


def test_domains_are_written_as_they_are_read() -> None:
    domains = (HD("A"), HD("", "1.2", "ISO"), HD("B", "1.3", "ISO"))
    written = segment("QPD", None, None, None, domain_content(domains))
    assert read_domains(Segment(written)[4], pytest.fail) == domains


def test_a_domain_is_found_again_where_it_stood() -> None:
    field = Segment("QPD||||~^^^A~~^^^~^^^B")[4]
    assert [repetition_of(field, n) for n in (1, 2)] == [2, 5]


@pytest.mark.parametrize(
    ("rcp", "limit"),
    [("RCP|I", None), ("RCP|I|", None), ("RCP|I|^RD", None), ("RCP|I|5^RD", 5), ("RCP|I|5", 5), ("NTE|", None)],
)
def test_the_size_of_a_page_is_read(rcp: str, limit: int | None) -> None:
    assert read_limit(message(rcp)) == limit


@pytest.mark.parametrize("quantity", ["0^RD", "-1^RD", "x", "1.5^RD", "٥^RD", "5^PG"])
def test_a_page_of_no_size_is_refused(quantity: str) -> None:
    with pytest.raises(Hl7Rejected, match=r"at RCP\^1\^2\^1"):
        read_limit(message(f"RCP|I|{quantity}"))


def test_a_query_is_written_with_what_continues_it() -> None:
    envelope = Envelope(sending_application=HD("C"), control_id="Q1", time="2026", charset="gb18030")
    written = write_query(envelope, ("QBP", "Q22", "QBP_Q21"), "QPD|n|t", limit=5, pointer="P9")
    assert written.lines[2:] == ["RCP|I|5^RD", "DSC|P9|I"]
    assert (read_limit(written), read_pointer(written)) == (5, "P9")
    assert read_pointer(message()) == ""
    assert parse(bytes(written)).charset == "gb18030"


def test_a_refusal_is_told_in_a_response_unless_the_header_is_to_blame() -> None:
    here, header = (Hl7Error(Hl7ErrorCode.DATA_TYPE_ERROR, Location(name)) for name in ("QPD", "MSH"))
    assert is_about_query(message("QPD|n"), [here])
    assert is_about_query(message("QPD|n"), [])
    assert not is_about_query(message("QPD|n"), [header])
    assert not is_about_query(message(), [here])


def test_the_name_of_a_query_may_stand_in_any_of_its_components() -> None:
    noted: list[str] = []
    read_qpd(message("QPD|X^ihe pix query|t", "RCP|I"), NAMES, noted.append)
    read_qpd(message("QPD|IHE PIX Query^any^thing|t", "RCP|I"), NAMES, pytest.fail)
    assert noted == ["query name"]


ASKED = message("QPD|IHE PIX Query|T1|1^^^A", "RCP|I")
ANSWER = "MSH|^~\\&|P|R|C|F|2026||RSP^K23^RSP_K23|R1|P|2.5\rMSA|{}|{}\r{}QAK|{}|{}\r{}"


def test_an_answer_is_taken_when_it_names_message_and_query() -> None:
    answer = read_response(ANSWER.format("AA", "Q1", "", "T1", "OK", "").encode(), ASKED)
    assert accepted(answer)
    for control_id, tag in (("Q2", "T1"), ("Q1", "T2")):
        with pytest.raises(PeerUnreachable, match="another"):
            read_response(ANSWER.format("AA", control_id, "", tag, "OK", "").encode(), ASKED)


def test_the_places_of_unknown_keys_are_read_in_both_layouts_of_err() -> None:
    new = ANSWER.format("AE", "Q1", "ERR||QPD^1^4^2|204^x^HL70357|E\r", "T1", "AE", "")
    assert blamed(read_acknowledgement(new.encode())) == [("QPD", "1", "4", "2")]
    old = ANSWER.format("AE", "Q1", "ERR|QPD^1^3^204&x&HL70357\r", "T1", "AE", "").replace("|2.5", "|2.4")
    assert blamed(read_acknowledgement(old.encode())) == [("QPD", "1", "3")]
    other = ANSWER.format("AE", "Q1", "ERR||QPD^1^3|101^x^HL70357|E\r", "T1", "AE", "")
    assert blamed(read_acknowledgement(other.encode())) == []
