"""The PIX Manager's side of ITI-10: consumers are told which identifiers are one patient's now (ITI TF-2, 3.10)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from xds.clients.patients import Hl7Exchange, Parties
from xds.datatypes.hl7 import CX
from xds.errors import PeerUnreachable
from xds.hl7v2.ack import answer_to
from xds.patients.directory import Directory, identifiers_of_person
from xds.patients.notification import UpdateNotification
from xds.patients.records import Notification
from xds.pix import PatientIdentifierCrossReferenceManager
from xds.pix.policy import Consumer
from xds.ports import Reader, Transaction
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
    returned: int = 0  # to be tried again
    given_up: int = 0

    @property
    def idle(self) -> bool:
        """Nothing was due."""
        return not (self.told or self.returned or self.given_up)


class UpdateNotifier:
    """Sends what waits in the outbox of a manager's store for one of the consumers of its policy.

    What is sent is true when it is sent, not when it was noted: changes that come quickly are told once. Of one person
    there is one message under way at a time, in order. AR, and no answer, is tried again, after 5 seconds and at last
    every 10 minutes, for as long as it takes. AE is given up, for the same content would be refused again; later
    changes of that person, and of nobody else, then wait for ``retry_notifications`` of the manager.

    Several processes may deliver for the same consumer. One that is killed may have sent what is then sent again.
    """

    def __init__(
        self,
        manager: PatientIdentifierCrossReferenceManager,
        consumer: Consumer,
        exchange: Hl7Exchange,
        parties: Parties,
    ) -> None:
        self._manager = manager
        self._consumer = consumer
        self._exchange = exchange
        self._parties = parties

    def deliver(self) -> Delivered:
        """Send what is due, at most 50 notifications. StoreUnavailable: nothing can be said of what was under way."""
        store, now = self._manager.store, int(self._parties.clock().timestamp())
        if not store.read(_anything):  # a look costs nothing, a transaction the disk
            return Delivered()
        claimed = store.transaction(partial(_claim, self._consumer.name, now))
        outcomes: list[tuple[Notification, AckCode]] = []
        try:
            for notification in claimed:
                outcomes.append((notification, self._tell(notification)))
        except PeerUnreachable as error:  # whoever did not answer is not asked for each of the others in turn
            log.info("consumer %s was not told: %s", self._consumer.name, type(error).__name__)
            outcomes += ((notification, AckCode.AR) for notification in claimed[len(outcomes) :])
        if outcomes:
            store.transaction(partial(_settle, outcomes, int(self._parties.clock().timestamp())))
        codes = [code for _, code in outcomes]
        return Delivered(codes.count(AckCode.AA), codes.count(AckCode.AR), codes.count(AckCode.AE))

    def _tell(self, notification: Notification) -> AckCode:
        identifiers = self._manager.store.read(partial(self._identifiers, notification))
        if not identifiers:  # the person has none any more that the consumer knows
            return AckCode.AA
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

    def _identifiers(self, notification: Notification, reader: Reader) -> tuple[CX, ...]:
        """The person's identifiers now, of the consumer's domains (ITI TF-2 3.10.4.1.2)."""
        found = reader.identities([notification.identity])
        members = reader.persons({identity.group for identity in found}) if found else []
        directory = Directory(self._manager.domains, reader)
        return tuple(cx for _, cx in identifiers_of_person(directory, members, self._consumer.domains))


def _anything(reader: Reader) -> bool:
    return bool(reader.notifications(limit=1))


def _claim(consumer: str, now: int, transaction: Transaction) -> list[Notification]:
    return transaction.claim_notifications(consumer, now, _AT_ONCE)


def _settle(outcomes: Sequence[tuple[Notification, AckCode]], now: int, transaction: Transaction) -> None:
    for notification, code in outcomes:
        if code is AckCode.AA:
            transaction.end_notification(notification.number)
        elif code is AckCode.AR:
            pause = min(_FIRST_PAUSE << min(notification.attempts, 10), _LONGEST_PAUSE)
            transaction.return_notification(notification.number, now + pause)
        else:
            transaction.give_up_notification(notification.number)
