"""The PIX Manager's side of ITI-10: consumers are told which identifiers are one patient's now (ITI TF-2, 3.10)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from xds.clients.patients import Hl7Exchange, Parties
from xds.datatypes.hl7 import CX
from xds.errors import PeerUnreachable
from xds.hl7v2.ack import answer_to
from xds.patients.notification import UpdateNotification
from xds.pix.outbox import DueNotification, Outbox
from xds.pix.policy import Consumer
from xds.transactions import iti10
from xds.vocab.hl7 import AckCode

log = logging.getLogger("xds.pix")

_AT_ONCE: Final = 50
_FIRST_PAUSE: Final = 5  # seconds; doubled with each attempt, up to the longest
_LONGEST_PAUSE: Final = 600


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of the notifications of one call."""

    told: int = 0
    postponed: int = 0
    given_up: int = 0


class UpdateNotifier:
    """Sends what waits in the outbox for one of the consumers of a manager's policy.

    What is sent is true when it is sent, not when it was noted: changes that come quickly are told once. Of one person
    there is one message under way at a time, in order. AR, and no answer, is tried again, after 5 seconds and at last
    every 10 minutes, for as long as it takes. AE is given up, for the same content would be refused again; later
    changes of that person, and of nobody else, then wait for ``Outbox.revive``.

    Several processes may deliver for the same consumer. One that is killed may have sent what is then sent again.
    """

    def __init__(self, outbox: Outbox, consumer: Consumer, exchange: Hl7Exchange, parties: Parties) -> None:
        self._outbox = outbox
        self._consumer = consumer
        self._exchange = exchange
        self._parties = parties

    def deliver(self) -> Delivered:
        """Send what is due, at most 50 notifications. StoreUnavailable: nothing can be said of what was under way."""
        told = postponed = given_up = 0
        due = self._outbox.claim(self._consumer, _AT_ONCE)
        for place, notification in enumerate(due):
            try:
                code = self._tell(notification.identifiers)
            except PeerUnreachable as error:  # whoever did not answer is not asked for each of the others in turn
                log.info("consumer %s was not told: %s", self._consumer.name, type(error).__name__)
                self._postpone(due[place:])
                return Delivered(told, postponed + len(due) - place, given_up)
            if code is AckCode.AA:
                self._outbox.delivered(notification)
                told += 1
            elif code is AckCode.AR:
                self._postpone([notification])
                postponed += 1
            else:
                self._outbox.give_up(notification)
                given_up += 1
        return Delivered(told, postponed, given_up)

    def _postpone(self, notifications: Sequence[DueNotification]) -> None:
        for notification in notifications:
            pause = min(_FIRST_PAUSE << min(notification.attempts, 10), _LONGEST_PAUSE)
            self._outbox.postpone(notification, seconds=pause)

    def _tell(self, identifiers: tuple[CX, ...]) -> AckCode:
        e = self._parties.envelope()
        message = iti10.encode_request(
            UpdateNotification(
                identifiers=identifiers,
                sending_application=e.sending_application,
                sending_facility=e.sending_facility,
                receiving_application=e.receiving_application,
                receiving_facility=e.receiving_facility,
                control_id=e.control_id,
                message_time=e.time,
            ),
            charset=e.charset,
        )
        answer = answer_to(e.control_id, self._exchange(bytes(message)))
        if answer.accepted:
            return AckCode.AA
        log.warning("consumer %s answered a notification with %s", self._consumer.name, answer.code)
        return AckCode.AR if answer.code in (AckCode.AR, AckCode.CR) else AckCode.AE
