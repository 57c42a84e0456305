from __future__ import annotations

from dataclasses import replace

import hl7apy.parser
import pytest

from tests.xds.transactions.managers import EAST, NOW, RECORDS, WEST, Supplier
from xds.datatypes.hl7 import HD
from xds.errors import PeerRejected
from xds.hl7v2.er7 import parse
from xds.hl7v2.errors import Location
from xds.hl7v2.queries import Envelope
from xds.hl7v2.strict import validate
from xds.patients.queries import (
    DemographicsAnswer,
    DemographicsQuery,
    PatientCriteria,
    UnknownContinuation,
    UnknownDomain,
)
from xds.transactions.iti21 import decode_response, encode_cancellation, encode_request
from xds_mllp.endpoint import Endpoint

MSH = "MSH|^~\\&|CON|CLINIC|PDS|REGION|20260101120000||QBP^Q22^QBP_Q21|Q1|P|2.5"
HEAD = "MSH|^~\\&|PDS|REGION|CON|CLINIC|20260101120000+0000||RSP^K22^RSP_K21|R1|P|2.5"
QPD = "QPD|IHE PDQ Query|T1|@PID.5.1.1^Vermeulen"


def endpoint(*actors: object) -> Endpoint:
    return Endpoint(actors or [Supplier()], clock=lambda: NOW, control_ids=lambda: "R1")


def ask(qpd: str, *more: str, msh: str = MSH, where: Endpoint | None = None, charset: str = "utf-8") -> list[str]:
    """The segments of the answer."""
    (answer,) = (where or endpoint()).respond("\r".join((msh, qpd, *(more or ["RCP|I"]))).encode(charset))
    return answer.decode(charset).rstrip("\r").split("\r")


FIRST = (
    "PID|||E1^^^EAST&1.2.3.1&ISO^MR~W1^^^WEST&1.2.3.2&ISO||Vermeulen^Ilse~韦^梅伦^^^^^^I|Quist|19800203|F"
    "|||Kerkstraat 1\\F\\b^^Gent^^9000^BEL||^^^^^^123456|||||A9^^^EAST&1.2.3.1&ISO||||||Y|2"
)


def test_case_1_everybody_found_with_everything_known() -> None:
    assert ask(QPD) == [
        HEAD + "||||||UNICODE UTF-8",
        "MSA|AA|Q1",
        "QAK|T1|OK|IHE PDQ Query|3|3|0",
        QPD,
        FIRST,
        "QRI|0.875",
        "PID|||E2^^^EAST&1.2.3.1&ISO||Vermeulen^Bas",
        "PID|||E3^^^EAST&1.2.3.1&ISO||Vermeulen^Cato",
    ]


def test_nobody_found_is_nf_without_an_error() -> None:
    qpd = "QPD|IHE PDQ Query|T1|@PID.5.1.1^Nobody"
    assert ask(qpd) == [HEAD, "MSA|AA|Q1", "QAK|T1|NF|IHE PDQ Query|0|0|0", qpd]


def test_case_3_every_unknown_domain_has_an_error() -> None:
    qpd = QPD + "|||||^^^EAST~^^^X~~^^^&9.9&ISO"
    answer = ask(qpd)
    assert answer[:2] == [HEAD, "MSA|AE|Q1"]
    assert [line.split("|")[2:5] for line in answer[2:4]] == [
        ["QPD^1^8^2", "204^Unknown Key Identifier^HL70357", "E"],
        ["QPD^1^8^4", "204^Unknown Key Identifier^HL70357", "E"],
    ]
    assert answer[4:] == ["QAK|T1|AE", qpd]


@pytest.mark.parametrize(
    "name", ["IHE PDQ Query", "IHE PDVQ Query", "Q22^Find Candidates^HL7", "Q22^Find Candidates^HL70471"]
)
def test_the_names_of_the_query_in_the_field_are_taken(name: str) -> None:
    qpd = QPD.replace("IHE PDQ Query", name)
    answer = ask(qpd)
    assert answer[1] == "MSA|AA|Q1"
    assert answer[3] == qpd


@pytest.mark.parametrize(
    ("segments", "error"),
    [
        (("QPD|IHE PDQ Query|T1", "RCP|I"), "ERR||QPD^1^3|101^"),
        (("QPD|IHE PIX Query|T1|@PID.8^F", "RCP|I"), "ERR||QPD^1^1^1^1|103^"),
        (("QPD|IHE PDQ Query|T1|@PID.8^F~@PID.99^x", "RCP|I"), "ERR||QPD^1^3^2|103^"),
        ((QPD, "RCP|I|0^RD"), "ERR||RCP^1^2^1^1|102^"),
        ((QPD, "RCP|I|-1^RD"), "ERR||RCP^1^2^1^1|102^"),
        ((QPD, "RCP|I|9999999999^RD"), "ERR||RCP^1^2^1^1|102^"),
        ((QPD, "RCP|I|2^PG"), "ERR||RCP^1^2^1^2|103^"),
        ((QPD, "RCP|I|2^RD", "DSC|gone|I"), "ERR||DSC^1^1|204^"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_its_place(segments: tuple[str, ...], error: str) -> None:
    answer = ask(*segments)
    assert answer[1] == "MSA|AE|Q1"
    assert answer[2].startswith(error)
    assert answer[3:] == ["QAK|T1|AE", segments[0]]


def test_pages_follow_each_other_until_there_is_no_pointer() -> None:
    where = endpoint()
    first = ask(QPD, "RCP|I|1^RD", where=where)
    assert (first[2], first[-1]) == ("QAK|T1|OK|IHE PDQ Query|3|1|2", "DSC|P1|I")
    second = ask(QPD, "RCP|I|1^RD", "DSC|P1|I", where=where)
    assert (second[2], second[-1]) == ("QAK|T1|OK|IHE PDQ Query|2|1", "DSC|P2|I")
    last = ask(QPD, "RCP|I|1^RD", "DSC|P2|I", where=where)
    assert [line[:3] for line in last] == ["MSH", "MSA", "QAK", "QPD", "PID"]
    assert last[2].endswith("|0")


def test_a_query_is_given_up_by_its_tag() -> None:
    supplier = Supplier()
    message = MSH.replace("QBP^Q22^QBP_Q21", "QCN^J01^QCN_J01")
    assert ask("QID|T1|IHE PDQ Query", msh=message, where=endpoint(supplier)) == [
        HEAD.replace("RSP^K22^RSP_K21", "ACK^J01^ACK"),
        "MSA|AA|Q1",
    ]
    assert supplier.cancelled == [((HD("CON"), HD("CLINIC")), "T1")]
    assert ask("QID|", msh=message)[2].startswith("ERR||QID^1^1|101^")
    assert ask("NTE|", msh=message)[2].startswith("ERR||QID^1|100^")


def test_the_answer_comes_in_the_character_set_of_the_consumer() -> None:
    where = endpoint()
    gb = ask(QPD, msh=MSH + "||||||GB 18030-2000", charset="gb18030", where=where)
    assert gb[0].endswith("|GB 18030-2000")
    assert gb[4] == FIRST
    latin = ask(QPD, msh=MSH + "||||||8859/1", charset="latin-1", where=where)
    assert "~?^??^" in latin[4]
    assert where.counts["characters lost in an answer"] == 1


def test_without_a_supplier_the_query_is_not_supported() -> None:
    answer = ask(QPD, where=endpoint(object()))
    assert answer[1] == "MSA|AR|Q1"
    assert answer[2].startswith("ERR||MSH^1^9^1^2|201^")


# --------------------------------------------------------------------------- the consumer's side

ENVELOPE = Envelope(sending_application=HD("CON"), sending_facility=HD("CLINIC"), control_id="Q1", time="20260101")
REQUESTER = (HD("CON"), HD("CLINIC"))
QUERY = DemographicsQuery(criteria=PatientCriteria(family_name="Vermeulen"), tag="T1", requester=REQUESTER)


def exchange(query: DemographicsQuery, where: Endpoint) -> DemographicsAnswer:
    message = encode_request(query, ENVELOPE)
    (answer,) = where.respond(bytes(message))
    return decode_response(answer, message)


def test_our_consumer_asks_our_transaction() -> None:
    supplier = Supplier()
    query = replace(QUERY, domains=(EAST, HD("WEST")), limit=2)
    answer = exchange(query, endpoint(supplier))
    assert supplier.queries == [query]
    expected = [replace(record, visit=None) for record in RECORDS]
    assert answer == DemographicsAnswer(records=tuple(expected[:2]), total=3, pointer="P1")


def test_what_is_not_known_is_raised_as_the_supplier_raised_it() -> None:
    with pytest.raises(UnknownDomain) as unknown:
        exchange(replace(QUERY, domains=(HD("X"), WEST, HD("Y"))), endpoint())
    assert unknown.value.ordinals == (1, 3)
    with pytest.raises(UnknownContinuation):
        exchange(replace(QUERY, pointer="gone"), endpoint())
    with pytest.raises(PeerRejected, match=r"AE: 101 at QPD\^1\^3"):
        exchange(replace(QUERY, criteria=PatientCriteria()), endpoint())


# --------------------------------------------------------------------------- second opinion


@pytest.mark.parametrize("rest", ["", "|||||^^^EAST", "|||||^^^X"])
def test_hl7apy_parses_every_answer(rest: str) -> None:
    answer = "\r".join(ask(QPD + rest, "RCP|I|2^RD"))
    theirs = hl7apy.parser.parse_message(answer, find_groups=False)
    assert theirs.qak.qak_1.to_er7() == "T1"
    # HL7 has QRI required, the Framework optional (ITI TF-2 3.21.4.2.2)
    wrong = [error for error in validate(parse(answer.encode())) if error.location != Location("QRI")]
    assert wrong == []
    people = [pid.pid_3.cx_1.to_er7() for pid in theirs.children if pid.name == "PID"]
    assert people == ([] if "X" in rest else ["E1", "E2"])


def test_our_messages_are_valid_by_their_version() -> None:
    query = replace(QUERY, limit=2, pointer="P1", domains=(EAST,))
    assert validate(encode_request(query, ENVELOPE)) == []
    assert validate(encode_cancellation("T1", ENVELOPE)) == []
