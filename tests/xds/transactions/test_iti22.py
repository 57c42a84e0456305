from __future__ import annotations

from dataclasses import replace

import hl7apy.parser
import pytest

from tests.xds.transactions import test_iti21
from tests.xds.transactions.managers import EAST, RECORDS, Supplier
from tests.xds.transactions.test_iti21 import ENVELOPE, FIRST, QPD, QUERY, ask, endpoint
from xds.hl7v2.strict import validate
from xds.patients.queries import DemographicsAnswer
from xds.transactions.iti22 import decode_response, encode_request

MSH = test_iti21.MSH.replace("Q22", "ZV1")


@pytest.mark.parametrize("name", ["IHE PDQ Query", "IHE PDVQ Query"])
def test_iti_22_answers_with_visits(name: str) -> None:
    qpd = f"QPD|{name}|T1|@PID.5.1.1^Vermeulen~@PV1.2^I"
    answer = ask(qpd, msh=MSH)
    assert "|RSP^ZV2^RSP_ZV2|" in answer[0]
    assert answer[3:6] == [qpd, FIRST, "PV1||I|W1^R2||||7^Ferro^Aldo"]
    assert [line[:7] for line in answer[6:]] == ["QRI|0.8", "PID|||E", "PV1||N", "PID|||E", "PV1||N"]


def test_iti_22_refuses_as_iti_21_does() -> None:
    answer = ask("QPD|IHE PDQ Query|T1|@PV1.99^I", msh=MSH)
    assert "|RSP^ZV2^RSP_ZV2|" in answer[0]
    assert answer[2].startswith("ERR||QPD^1^3^1|103^")


def test_our_consumer_asks_our_transaction() -> None:
    supplier = Supplier()
    query = replace(QUERY, domains=(EAST,), limit=2, with_visits=True)
    message = encode_request(query, ENVELOPE)
    (answer,) = endpoint(supplier).respond(bytes(message))
    assert supplier.queries == [query]
    assert decode_response(answer, message) == DemographicsAnswer(records=RECORDS[:2], total=3, pointer="P1")


def test_the_query_is_valid_by_its_version() -> None:
    message = encode_request(QUERY, ENVELOPE)
    assert message.value("MSH-9") == "QBP^ZV1^QBP_Q21"
    assert validate(message) == []


def test_hl7apy_parses_the_answer_with_visits() -> None:
    answer = "\r".join(ask(QPD, msh=MSH))
    theirs = hl7apy.parser.parse_message(answer, find_groups=False)
    assert [part.name for part in theirs.children][4:7] == ["PID", "PV1", "QRI"]
    assert theirs.pv1.pv1_3.to_er7() == "W1^R2"
