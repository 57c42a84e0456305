from __future__ import annotations

import pytest

from tests.xds.transactions.managers import EAST, NOW, WEST
from xds.datatypes.hl7 import CX, HD
from xds.hl7v2.ack import read_acknowledgement
from xds.hl7v2.er7 import parse
from xds.hl7v2.strict import validate
from xds.patients.notification import UpdateNotification
from xds.transactions.iti10 import ITI_10, encode_request
from xds_mllp.endpoint import Endpoint

CHANGE = UpdateNotification(
    identifiers=(CX("E1", EAST), CX("E2", EAST), CX("W1", WEST)),
    sending_application=HD("PIX"),
    receiving_application=HD("CON"),
    control_id="N1",
    message_time="20260101120000",
    recorded_time="20260101115900",
)


class Consumer:
    """A consumer of somebody else's."""

    def __init__(self) -> None:
        self.seen: list[UpdateNotification] = []

    def update_identifiers(self, notification: UpdateNotification) -> None:
        self.seen.append(notification)


def test_a_consumer_is_told_what_the_manager_says() -> None:
    consumer = Consumer()
    (answer,) = Endpoint([consumer], transactions=[ITI_10]).respond(bytes(encode_request(CHANGE)))
    assert consumer.seen == [CHANGE]
    assert read_acknowledgement(answer).code == "AA"


def test_the_message_is_that_of_the_framework() -> None:
    mixed = UpdateNotification(
        identifiers=(CX("E1", EAST), CX("W1", WEST), CX("E2", EAST)),
        control_id="N1",
        message_time=f"{NOW:%Y%m%d%H%M%S}",
    )
    assert encode_request(mixed).lines == [
        "MSH|^~\\&|||||20260101120000||ADT^A31^ADT_A05|N1|P|2.5||||||UNICODE UTF-8",
        "EVN||20260101120000",
        "PID|||E1^^^EAST&1.2.3.1&ISO~E2^^^EAST&1.2.3.1&ISO~W1^^^WEST&1.2.3.2&ISO|| ",
        "PV1||N",
    ]
    assert validate(encode_request(CHANGE)) == []


@pytest.mark.parametrize("pid", ["PID|||", "PID|||^^^EAST", "NTE|1"])
def test_a_notification_about_nobody_is_refused(pid: str) -> None:
    text = f"MSH|^~\\&|P|R|C|F|2026||ADT^A31^ADT_A05|N1|P|2.5\rEVN||2026\r{pid}\r"
    (answer,) = Endpoint([Consumer()], transactions=[ITI_10]).respond(text.encode())
    assert read_acknowledgement(answer).code == "AE"
    with pytest.raises(ValueError, match="every identifier"):
        UpdateNotification(identifiers=())


def test_without_a_consumer_it_is_not_supported() -> None:
    (answer,) = Endpoint([object()], transactions=[ITI_10]).respond(bytes(encode_request(CHANGE)))
    assert parse(answer).value("MSA-1") == "AR"
    with pytest.raises(ValueError, match="MSH-10"):
        encode_request(UpdateNotification(identifiers=(CX("1"),)))
