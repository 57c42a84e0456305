from __future__ import annotations

import hl7apy.parser
import pytest

from tests.xds.transactions.managers import EAST, NOW, WEST, Manager
from xds.datatypes.hl7 import CX, HD
from xds.errors import PeerRejected, PeerUnreachable, StoreUnavailable
from xds.hl7v2.er7 import parse
from xds.hl7v2.feeds import Feed, Feeds
from xds.hl7v2.queries import Envelope
from xds.hl7v2.strict import validate
from xds.patients.queries import CrossReferenceQuery, UnknownDomain, UnknownIdentifier
from xds.transactions.iti9 import decode_response, encode_request
from xds_mllp.endpoint import Endpoint

MSH = "MSH|^~\\&|CON|CLINIC|PIX|REGION|20260101120000||QBP^Q23^QBP_Q21|Q1|P|2.5"


def endpoint(*actors: object, feeds: Feeds | None = None) -> Endpoint:
    return Endpoint(actors or [Manager()], feeds=feeds, clock=lambda: NOW, control_ids=lambda: "R1")


def ask(qpd: str, *, msh: str = MSH, rcp: str | None = "RCP|I", where: Endpoint | None = None) -> list[str]:
    """The segments of the answer."""
    text = "\r".join([msh, qpd, *([rcp] if rcp else [])]) + "\r"
    (answer,) = (where or endpoint()).respond(text.encode())
    return answer.decode().rstrip("\r").split("\r")


HEAD = "MSH|^~\\&|PIX|REGION|CON|CLINIC|20260101120000+0000||RSP^K23^RSP_K23|R1|P|2.5"
UNKNOWN = "204^Unknown Key Identifier^HL70357|E"


def test_case_1_and_6_every_identifier_in_one_pid_those_of_a_domain_together() -> None:
    qpd = "QPD|IHE PIX Query|T1|W1^^^WEST"
    assert ask(qpd) == [
        HEAD,
        "MSA|AA|Q1",
        "QAK|T1|OK",
        qpd,
        "PID|||E1^^^EAST&1.2.3.1&ISO~E1b^^^EAST&1.2.3.1&ISO||~^^^^^^S",
    ]


def test_case_2_nothing_in_these_domains_is_no_error() -> None:
    qpd = "QPD|IHE PIX Query|T1|W1^^^WEST|^^^NORTH"
    assert ask(qpd) == [HEAD, "MSA|AA|Q1", "QAK|T1|NF", qpd]
    assert ask("QPD|IHE PIX Query|T1|E2^^^EAST")[2] == "QAK|T1|NF"


@pytest.mark.parametrize(
    ("rest", "where"),
    [
        ("nobody^^^EAST", "QPD^1^3^1^1"),  # case 3
        ("E1^^^ELSEWHERE", "QPD^1^3^1^4"),  # case 4
        ("E1^^^&9.9&ISO", "QPD^1^3^1^4"),
        ("E1^^^EAST|^^^WEST~^^^ELSEWHERE", "QPD^1^4^2"),  # case 5
        ("E1^^^EAST|^^^X~^^^Y", "QPD^1^4^1"),
        ("E1^^^EAST|~^^^WEST~~^^^X", "QPD^1^4^4"),
    ],
)
def test_cases_3_to_5_what_is_not_known_is_said_with_its_place(rest: str, where: str) -> None:
    qpd = f"QPD|IHE PIX Query|T1|{rest}"
    answer = ask(qpd)
    assert answer[:3] == [HEAD, "MSA|AE|Q1", answer[2]]
    assert answer[2].startswith(f"ERR||{where}|{UNKNOWN}")
    assert answer[3:] == ["QAK|T1|AE", qpd]


@pytest.mark.parametrize(
    "authority", ["WEST", "WEST&1.2.3.2", "WEST&1.2.3.2&ISO", "&1.2.3.2&ISO", "&1.2.3.2", "OTHER&1.2.3.2&ISO"]
)
def test_every_way_to_name_an_authority_is_read(authority: str) -> None:
    assert ask(f"QPD|IHE PIX Query|T1|E1^^^EAST|^^^{authority}")[4].startswith("PID|||W1^^^WEST&1.2.3.2&ISO|")


@pytest.mark.parametrize(
    ("qpd", "rcp", "counted"),
    [
        ("QPD|IHE PIX Query^^IHEDEMO|T1|E1^^^EAST", "RCP|I", []),
        ("QPD|IHE_PIX_Query|T1|E1^^^EAST", "RCP|I", ["query name"]),
        ("QPD|Q23^Get Corresponding IDs^HL7nnnn|T1|E1^^^EAST", "RCP|I", ["query name"]),
        ("QPD|QRY^IHE PIX Query|T1|E1^^^EAST", "RCP|I", ["query name"]),
        ("QPD|IHE PIX Query||E1^^^EAST", "RCP|I", ["no query tag"]),
        ("QPD|IHE PIX Query|T1|E1^^^EAST", None, ["no RCP"]),
        ("QPD|IHE PIX Query|T1|E1^^^EAST", "RCP|D", ["query priority"]),
        ("QPD|IHE PIX Query|T1|E1^^^EAST~E2^^^EAST", "RCP|I", ["QPD-3 repeated"]),
        ("QPD|IHE PIX Query|T1|E1^^^EAST|WEST", "RCP|I", ["domain in component 1"]),
    ],
)
def test_what_consumers_write_otherwise_is_read_and_counted(qpd: str, rcp: str | None, counted: list[str]) -> None:
    where = endpoint()
    answer = ask(qpd, rcp=rcp, where=where)
    assert answer[1] == "MSA|AA|Q1"
    assert answer[2] == f"QAK|{qpd.split('|')[2]}|OK"
    assert answer[3] == qpd
    assert {name: n for name, n in where.counts.items() if name != "AA"} == dict.fromkeys(counted, 1)
    assert where.counts["AA"] == 1


@pytest.mark.parametrize(
    ("qpd", "error"),
    [
        ("QPD||T1|E1^^^EAST", "ERR||QPD^1^1|101^Required field missing^HL70357|E"),
        ("QPD|IHE PDQ Query|T1|E1^^^EAST", "ERR||QPD^1^1^1^1|103^Table value not found^HL70357|E"),
        ("QPD|IHE PIX Query|T1", "ERR||QPD^1^3|101^Required field missing^HL70357|E"),
        ("QPD|IHE PIX Query|T1|^^^EAST", "ERR||QPD^1^3^1^1|101^Required field missing^HL70357|E"),
        ("QPD|IHE PIX Query|T1|E1", "ERR||QPD^1^3^1^4|101^Required field missing^HL70357|E"),
    ],
)
def test_a_query_that_cannot_be_read_is_refused_in_a_response(qpd: str, error: str) -> None:
    answer = ask(qpd)
    assert answer[1] == "MSA|AE|Q1"
    assert answer[2].startswith(error)
    assert answer[3:] == ["QAK|T1|AE", qpd]


def test_an_authority_that_was_agreed_need_not_be_said() -> None:
    where = endpoint(feeds=Feeds([Feed(application="CON", assigning_authority=EAST)]))
    assert ask("QPD|IHE PIX Query|T1|E1", where=where)[2] == "QAK|T1|OK"


def test_without_qpd_or_manager_or_in_another_version_the_answer_is_an_ack() -> None:
    assert ask("NTE|1")[:2] == [HEAD.replace("RSP^K23^RSP_K23", "ACK^Q23^ACK"), "MSA|AE|Q1"]
    qpd = "QPD|IHE PIX Query|T1|E1^^^EAST"
    for answer in (ask(qpd, where=endpoint(object())), ask(qpd, msh=MSH.replace("|2.5", "|3.0"))):
        assert "|ACK^Q23^ACK|" in answer[0]
        assert answer[1] == "MSA|AR|Q1"
        assert answer[2].startswith("ERR||MSH^1^")


class Failing:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def find_identifiers(self, query: CrossReferenceQuery) -> tuple[CX, ...]:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code"), [(KeyError("Vermeulen"), "AE"), (StoreUnavailable("disk"), "AR")], ids=["bug", "store"]
)
def test_a_fault_of_ours_is_a_response_without_internals(error: Exception, code: str) -> None:
    answer = ask("QPD|IHE PIX Query|T1|E1^^^EAST", where=endpoint(Failing(error)))
    assert answer[1] == f"MSA|{code}|Q1"
    assert answer[2].startswith("ERR|||207^Application internal error^HL70357|E")
    assert answer[3] == f"QAK|T1|{code}"
    assert "Vermeulen" not in "".join(answer)


def test_other_delimiters_and_escapes_are_echoed_as_they_came() -> None:
    text = "MSH$*~\\&$C$F$P$R$2026$$QBP*Q23*QBP_Q21$Q1$P$2.5\rQPD$IHE PIX Query$T\\S\\1$W1***WEST\rRCP$I\r"
    (answer,) = endpoint().respond(text.encode())
    lines = answer.decode().split("\r")
    assert lines[2:4] == ["QAK$T\\S\\1$OK", "QPD$IHE PIX Query$T\\S\\1$W1***WEST"]
    assert lines[4].startswith("PID$$$E1***EAST&1.2.3.1&ISO~E1b***EAST")


# --------------------------------------------------------------------------- the consumer's side

ENVELOPE = Envelope(
    sending_application=HD("CON"), sending_facility=HD("CLINIC"), control_id="Q1", time="20260101120000"
)


def exchange(query: CrossReferenceQuery, where: Endpoint | None = None) -> tuple[CX, ...]:
    message = encode_request(query, ENVELOPE, tag="T1")
    (answer,) = (where or endpoint()).respond(bytes(message))
    return decode_response(answer, message)


def test_our_consumer_asks_our_transaction() -> None:
    found = exchange(CrossReferenceQuery(identifier=CX("W1", WEST), domains=(EAST, HD("NORTH"))))
    assert found == (CX("E1", EAST), CX("E1b", EAST))
    assert exchange(CrossReferenceQuery(identifier=CX("E2", EAST))) == ()


def test_what_is_not_known_is_raised_as_the_manager_raised_it() -> None:
    with pytest.raises(UnknownIdentifier):
        exchange(CrossReferenceQuery(identifier=CX("nobody", EAST)))
    with pytest.raises(UnknownDomain) as of_identifier:
        exchange(CrossReferenceQuery(identifier=CX("E1", HD("X"))))
    assert of_identifier.value.ordinals == ()
    with pytest.raises(UnknownDomain) as of_wanted:
        exchange(CrossReferenceQuery(identifier=CX("E1", EAST), domains=(WEST, HD("X"))))
    assert of_wanted.value.ordinals == (2,)


def test_other_refusals_carry_the_codes_of_the_peer() -> None:
    with pytest.raises(PeerRejected, match="AR: 201") as refused:
        exchange(CrossReferenceQuery(identifier=CX("E1", EAST)), endpoint(object()))
    assert [error.code for error in refused.value.errors] == ["201"]


@pytest.mark.parametrize(
    "change",
    [
        ("MSA|AA|Q1", "MSA|AA|Q2"),
        ("QAK|T1|", "QAK|T2|"),
        ("MSH|", "XSH|"),
        ("MSA|", "MSX|"),
    ],
)
def test_an_answer_to_something_else_is_not_taken(change: tuple[str, str]) -> None:
    message = encode_request(CrossReferenceQuery(identifier=CX("E1", EAST)), ENVELOPE, tag="T1")
    (answer,) = endpoint().respond(bytes(message))
    with pytest.raises(PeerUnreachable):
        decode_response(answer.decode().replace(*change).encode(), message)


def test_an_acknowledgement_alone_is_no_answer() -> None:
    message = encode_request(CrossReferenceQuery(identifier=CX("E1", EAST)), ENVELOPE, tag="T1")
    with pytest.raises(PeerRejected, match="did not answer"):
        decode_response(b"MSH|^~\\&|P|R|C|F|2026||ACK|1|P|2.5\rMSA|AA|Q1\r", message)


# --------------------------------------------------------------------------- second opinion


@pytest.mark.parametrize(
    "qpd", ["QPD|IHE PIX Query|T1|W1^^^WEST", "QPD|IHE PIX Query|T1|E2^^^EAST|^^^WEST", "QPD|IHE PIX Query|T1|x^^^EAST"]
)
def test_hl7apy_parses_every_answer(qpd: str) -> None:
    answer = "\r".join(ask(qpd))
    theirs = hl7apy.parser.parse_message(answer)
    assert validate(parse(answer.encode())) == []
    assert theirs.qak.qak_1.to_er7() == "T1"
    ours = parse(answer.encode())
    assert theirs.msa.msa_1.to_er7() == ours.value("MSA-1")


def test_the_query_is_valid_by_its_version() -> None:
    message = encode_request(CrossReferenceQuery(identifier=CX("E1", EAST), domains=(WEST,)), ENVELOPE, tag="T1")
    assert validate(message) == []
