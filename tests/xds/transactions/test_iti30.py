from __future__ import annotations

import pytest

from tests.xds.transactions.test_iti8 import example
from xds.hl7v2.er7 import parse
from xds.hl7v2.feeds import Feed
from xds.hl7v2.segments import read_header
from xds.hl7v2.strict import validate
from xds.transactions.base import Hl7v2Request
from xds.transactions.iti8 import decode_request
from xds.transactions.iti30 import ITI_30, encode_request
from xds.vocab.hl7 import STRUCTURES, FeedEvent

EVENTS = sorted({*ITI_30.binding.triggers, FeedEvent.MERGE})


@pytest.mark.parametrize("event", EVENTS)
def test_what_a_source_sends_is_read_again(event: FeedEvent) -> None:
    message = parse(bytes(encode_request(example(event))))
    assert decode_request(Hl7v2Request(message, read_header(message), Feed())) == example(event)
    assert (message.value("MSH-12"), message.value("MSH-9.3")) == ("2.5", STRUCTURES[event])


@pytest.mark.parametrize("event", EVENTS)
def test_what_a_source_sends_is_valid_by_its_version(event: FeedEvent) -> None:
    assert validate(encode_request(example(event))) == []
