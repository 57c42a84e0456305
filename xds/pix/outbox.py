"""Who is to be told what has changed about whom: the outbox, for whoever sends ITI-10 (ITI TF-2 3.10; DESIGN D6).

The manager puts a row into it in the transaction that changes a person. A sender claims rows, sends what is so *now*,
and says what became of it::

    for message in outbox.claim(consumer):
        try:
            send(message.identifiers)
        except PeerUnreachable:
            outbox.postpone(message, seconds=30 * 2**message.attempts)
        else:
            outbox.delivered(message)

Of each person one notification is under way at a time, in order; several changes that nobody was told of yet are one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from xds.datatypes.hl7 import CX
from xds.datatypes.time import utc_now
from xds.patients.directory import Directory, identifiers_of_person
from xds.patients.domains import Domains
from xds.patients.records import Notification
from xds.pix.policy import Consumer
from xds.ports import Clock, Reader, Transaction, UnitOfWork


@dataclass(frozen=True, slots=True)
class DueNotification:
    """The identifiers of one person, of the domains the consumer cares for; those of a domain stand together."""

    number: int
    identifiers: tuple[CX, ...]
    attempts: int


class Outbox:
    """The outbox of a manager's store. ``xds.clients.notifier`` sends what is in it."""

    def __init__(self, store: UnitOfWork, *, domains: Domains, clock: Clock = utc_now) -> None:
        self.store = store
        self.domains = domains
        self.clock = clock

    def claim(self, consumer: Consumer, limit: int = 100) -> list[DueNotification]:
        """Take what is due for this consumer; what there is nothing to tell about any more is dropped."""
        if not self.waiting(1):  # a look costs nothing, a transaction the disk
            return []
        claimed = self.store.transaction(partial(_claim, consumer.name, self._now(), limit))
        due: list[DueNotification] = []
        for row in claimed:
            identifiers = self.store.read(partial(self._identifiers, consumer, row))
            if identifiers:
                due.append(DueNotification(row.number, identifiers, row.attempts))
            else:
                self.store.transaction(partial(_end, row.number))
        return due

    def delivered(self, notification: DueNotification) -> None:
        """The consumer has acknowledged it."""
        self.store.transaction(partial(_end, notification.number))

    def postpone(self, notification: DueNotification, *, seconds: int) -> None:
        """It did not get through: it is due again later."""
        self.store.transaction(partial(_return, notification.number, self._now() + seconds))

    def give_up(self, notification: DueNotification) -> None:
        """It cannot be delivered. Later ones about the same person wait until ``revive`` or ``drop``."""
        self.store.transaction(partial(_give_up, notification.number))

    def waiting(self, limit: int = 100) -> list[Notification]:
        """What nobody was told of yet, due or not, the oldest first; of all consumers."""
        return self.store.read(partial(_notifications, False, limit))

    def given_up(self, limit: int = 100) -> list[Notification]:
        """What was given up, the oldest first."""
        return self.store.read(partial(_notifications, True, limit))

    def revive(self, number: int) -> None:
        """Try one that was given up again."""
        self.store.transaction(partial(_return, number, self._now()))

    def drop(self, number: int) -> None:
        """Forget one that was given up."""
        self.store.transaction(partial(_end, number))

    def recover(self) -> None:
        """After a start: what a sender that is gone had claimed is due again."""
        self.store.transaction(_release)

    def _now(self) -> int:
        return int(self.clock().timestamp())

    def _identifiers(self, consumer: Consumer, row: Notification, reader: Reader) -> tuple[CX, ...]:
        found = reader.identities([row.identity])
        members = reader.persons([identity.group for identity in found]) if found else []
        directory = Directory(self.domains, reader)
        return tuple(cx for _, cx in identifiers_of_person(directory, members, consumer.domains))


def _claim(consumer: str, now: int, limit: int, transaction: Transaction) -> list[Notification]:
    return transaction.claim_notifications(consumer, now, limit)


def _end(number: int, transaction: Transaction) -> None:
    transaction.end_notification(number)


def _return(number: int, due: int, transaction: Transaction) -> None:
    transaction.return_notification(number, due)


def _give_up(number: int, transaction: Transaction) -> None:
    transaction.give_up_notification(number)


def _notifications(dead: bool, limit: int, reader: Reader) -> list[Notification]:
    return reader.notifications(dead=dead, limit=limit)


def _release(transaction: Transaction) -> None:
    transaction.release_notifications()
