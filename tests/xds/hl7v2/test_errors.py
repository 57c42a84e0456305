from __future__ import annotations

import pickle

import pytest

from xds.hl7v2.errors import Hl7Error, Hl7Rejected, Location, MalformedHl7, reject
from xds.vocab.hl7 import AckCode, Hl7ErrorCode


@pytest.mark.parametrize(
    ("location", "text"),
    [
        (Location("PID"), "PID^1"),
        (Location("PID", 2, 3), "PID^2^3"),
        (Location("MSH", 1, 9, 1, 2), "MSH^1^9^1^2"),
        (Location("PID", 1, 3, 0, 4), "PID^1^3^^4"),
        (Location("PID", 1, 3, 1, 4, 2), "PID^1^3^1^4^2"),
    ],
)
def test_a_location_is_written_without_an_empty_tail(location: Location, text: str) -> None:
    assert str(location) == text


def test_the_first_error_decides_the_acknowledgement_code_unless_told_otherwise() -> None:
    assert reject(Hl7ErrorCode.REQUIRED_FIELD_MISSING).ack_code is AckCode.AE
    assert reject(Hl7ErrorCode.UNSUPPORTED_EVENT_CODE).ack_code is AckCode.AR
    assert reject(Hl7ErrorCode.APPLICATION_INTERNAL_ERROR, ack_code=AckCode.AR).ack_code is AckCode.AR


def test_exceptions_travel_between_processes() -> None:
    rejected = reject(Hl7ErrorCode.UNKNOWN_KEY_IDENTIFIER, Location("PID", 1, 3), "text", ack_code=AckCode.AR)
    again = pickle.loads(pickle.dumps(rejected))
    assert isinstance(again, Hl7Rejected)
    assert (again.errors, again.ack_code, str(again)) == (rejected.errors, AckCode.AR, str(rejected))
    malformed = MalformedHl7("what", Hl7Error(Hl7ErrorCode.DATA_TYPE_ERROR))
    again = pickle.loads(pickle.dumps(malformed))
    assert (str(again), again.error) == ("what", malformed.error)
