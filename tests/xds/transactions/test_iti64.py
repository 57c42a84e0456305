from __future__ import annotations

from dataclasses import replace

from tests.xds.transactions.test_iti8 import example
from xds.datatypes.hl7 import CX, HD
from xds.hl7v2.er7 import parse
from xds.hl7v2.feeds import Feed
from xds.hl7v2.segments import read_header
from xds.hl7v2.strict import validate
from xds.transactions.base import Hl7v2Request
from xds.transactions.iti8 import decode_request
from xds.transactions.iti64 import encode_request
from xds.vocab.hl7 import FeedEvent

CHANGE = replace(
    example(FeedEvent.CHANGE_XAD_PID),
    identifiers=(CX.of("X2", "1.2.3"), CX.of("L1", "1.2.4")),
    prior_identifiers=(CX.of("X1", "1.2.3"), CX.of("L0", "1.2.4")),
    sending_application=HD("1.2.3.4"),
)


def test_what_a_manager_sends_is_read_again_and_names_nobody() -> None:
    message = parse(bytes(encode_request(CHANGE)))
    assert message["PID"].raw(5) == " "
    assert "東" not in str(message)
    read = decode_request(Hl7v2Request(message, read_header(message), Feed()))
    assert (read.identifiers, read.prior_identifiers) == (CHANGE.identifiers, CHANGE.prior_identifiers)
    assert (message.value("MSH-9"), message.value("MSH-9.3")) == ("ADT^A43^ADT_A43", "ADT_A43")


def test_what_a_manager_sends_is_valid_by_its_version() -> None:
    assert validate(encode_request(CHANGE)) == []
