"""The initiating actors of PIX and PDQ over HL7 v2: Patient Identity Source, PIX Consumer, PDQ Consumer.

Each takes an exchange, which sends a message and gives back its answer; over MLLP that is a client's::

    with MllpClient("pix.example.org", 2575) as client:
        pix = PixConsumer(client.exchange, Parties(application="EHR", receiving_application="PIX"))
        pix.identifiers(CX.of("4711", "1.2.3"), [HD.oid("1.2.4")])

What is asked of each answer: that it names our message (MSA-2) and our query (QAK-1). A peer that refuses raises
PeerRejected, or the exception of ``xds.patients.queries`` that says what it does not know; one that does not answer, or
answers something else, PeerUnreachable. Then a feed may have been applied or not: sending it again does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Protocol, Self

from xds.datatypes.hl7 import CX, HD
from xds.datatypes.time import utc_now
from xds.errors import PeerRejected, XdsError
from xds.hl7v2.ack import Acknowledgement, answer_to, refusal_of
from xds.hl7v2.control import control_ids as new_control_ids
from xds.hl7v2.control import time_of
from xds.hl7v2.er7 import Message
from xds.hl7v2.queries import Envelope
from xds.patients.demographics import Demographics
from xds.patients.feed import IdentityFeed
from xds.patients.notification import UpdateNotification
from xds.patients.queries import (
    CrossReferenceQuery,
    DemographicsAnswer,
    DemographicsQuery,
    PatientCriteria,
    PatientRecord,
)
from xds.patients.visit import Visit
from xds.ports import Clock
from xds.transactions import iti8, iti9, iti21, iti22, iti30, iti64
from xds.vocab.hl7 import FeedEvent

Identifiers = CX | Sequence[CX]
_NOBODY: Final = Demographics()


class Hl7Exchange(Protocol):
    """Sends one HL7 v2 message and returns the answer to it. Raises PeerUnreachable when there is none."""

    def __call__(self, message: bytes, /) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Who speaks with whom: MSH-3 and MSH-4 are ours, MSH-5 and MSH-6 (``receiving_…``) the peer's.

    By the latter a demographics supplier knows which of its sources is asked (ITI TF-2 3.21.4.1.2.1). ``charset`` is
    the Python codec to write; MSH-18 announces it.
    """

    application: HD | str
    facility: HD | str = ""
    receiving_application: HD | str = ""
    receiving_facility: HD | str = ""
    charset: str = "utf-8"
    clock: Clock = utc_now
    control_ids: Callable[[], str] = field(default_factory=new_control_ids)

    def __post_init__(self) -> None:
        "".encode(self.charset)  # LookupError for a name that is no codec

    def envelope(self) -> Envelope:
        """What a new message of ours needs."""
        return Envelope(
            sending_application=_hd(self.application),
            sending_facility=_hd(self.facility),
            receiving_application=_hd(self.receiving_application),
            receiving_facility=_hd(self.receiving_facility),
            control_id=self.control_ids(),
            time=time_of(self.clock()),
            charset=self.charset,
        )


def _hd(value: HD | str) -> HD:
    return HD(value) if isinstance(value, str) else value


def _acknowledged(exchange: Hl7Exchange, message: Message) -> Acknowledgement:
    answer = answer_to(message.control_id, exchange(bytes(message)))
    if not answer.accepted:
        raise refusal_of(answer)
    return answer


def _tuple(identifiers: Identifiers) -> tuple[CX, ...]:
    return (identifiers,) if isinstance(identifiers, CX) else tuple(identifiers)


# --------------------------------------------------------------------------- Patient Identity Source


class PatientIdentitySource:
    """Feeds a PIX Manager or Document Registry (ITI-8), or in HL7 v2.5 with ``management`` (ITI-30).

    Each call returns the acknowledgement, by which the peer says that it has the event. Identifiers are one or several
    of one patient.
    """

    def __init__(self, exchange: Hl7Exchange, parties: Parties, *, management: bool = False) -> None:
        self._exchange = exchange
        self._parties = parties
        self._management = management

    def announce(
        self,
        identifiers: Identifiers,
        demographics: Demographics,
        *,
        event: FeedEvent | None = None,
        visit: Visit | None = None,
    ) -> Acknowledgement:
        """A patient is registered: A28, or by ITI-8 the event that led to it (A04; A01 when there is a visit)."""
        usual = FeedEvent.ADMIT if visit else FeedEvent.REGISTER
        event = event or (FeedEvent.CREATE if self._management else usual)
        if not event.creates:
            raise ValueError(f"{event} does not announce a patient")
        return self.send(
            IdentityFeed(event=event, identifiers=_tuple(identifiers), demographics=demographics, visit=visit)
        )

    def update(
        self, identifiers: Identifiers, demographics: Demographics, *, visit: Visit | None = None
    ) -> Acknowledgement:
        """The demographics are these now, all of them: A08, or A31."""
        event = FeedEvent.UPDATE_PERSON if self._management else FeedEvent.UPDATE
        return self.send(
            IdentityFeed(event=event, identifiers=_tuple(identifiers), demographics=demographics, visit=visit)
        )

    def merge(self, survivor: Identifiers, prior: Identifiers, demographics: Demographics = _NOBODY) -> Acknowledgement:
        """``prior`` ends and ``survivor`` stands for it from now on: A40. The demographics are not changed by it."""
        return self.send(
            IdentityFeed(
                event=FeedEvent.MERGE,
                identifiers=_tuple(survivor),
                prior_identifiers=_tuple(prior),
                demographics=demographics,
            )
        )

    def change_identifier(self, identifier: CX, prior: CX, demographics: Demographics = _NOBODY) -> Acknowledgement:
        """The patient with ``prior`` has ``identifier`` instead: A47 (ITI-30)."""
        return self.send(
            IdentityFeed(
                event=FeedEvent.CHANGE_IDENTIFIER,
                identifiers=(identifier,),
                prior_identifiers=(prior,),
                demographics=demographics,
            )
        )

    def link(self, one: Identifiers, other: Identifiers) -> Acknowledgement:
        """Both are one person, whose records stay apart: A24 (ITI-30)."""
        return self._between(FeedEvent.LINK, one, other)

    def unlink(self, one: Identifiers, other: Identifiers) -> Acknowledgement:
        """They are not one person, or no longer known to be: A37 (ITI-30)."""
        return self._between(FeedEvent.UNLINK, one, other)

    def _between(self, event: FeedEvent, one: Identifiers, other: Identifiers) -> Acknowledgement:
        return self.send(IdentityFeed(event=event, identifiers=_tuple(one), linked_identifiers=_tuple(other)))

    def send(self, feed: IdentityFeed) -> Acknowledgement:
        """Any event; what the feed leaves empty of names, MSH-10 and times is filled in."""
        e = self._parties.envelope()
        feed = replace(
            feed,
            sending_application=feed.sending_application or e.sending_application,
            sending_facility=feed.sending_facility or e.sending_facility,
            receiving_application=feed.receiving_application or e.receiving_application,
            receiving_facility=feed.receiving_facility or e.receiving_facility,
            control_id=feed.control_id or e.control_id,
            message_time=feed.message_time or e.time,
        )
        return _acknowledged(self._exchange, self._write(feed))

    def _write(self, feed: IdentityFeed) -> Message:
        if feed.event in iti64.ITI_64.binding.triggers:
            return iti64.encode_request(feed, charset=self._parties.charset)
        if feed.event in iti30.ITI_30.binding.triggers or (self._management and feed.event is FeedEvent.MERGE):
            return iti30.encode_request(feed, charset=self._parties.charset)
        return iti8.encode_request(feed, charset=self._parties.charset)


# --------------------------------------------------------------------------- PIX Consumer


class PixConsumer:
    """Asks a PIX Manager for the identifiers of a patient in other domains (ITI-9).

    ``on_update`` is called with what a manager says has changed (ITI-10). The messages come to a listener of ours:
    ``Endpoint([consumer], transactions=[ITI_10])``; it is acknowledged when the call returns.
    """

    def __init__(
        self,
        exchange: Hl7Exchange,
        parties: Parties,
        *,
        on_update: Callable[[UpdateNotification], None] | None = None,
    ) -> None:
        self._exchange = exchange
        self._parties = parties
        if on_update is not None:
            self.update_identifiers = on_update  # what ITI_10 looks for

    def identifiers(self, identifier: CX, domains: Sequence[HD] = ()) -> tuple[CX, ...]:
        """The identifiers of this patient in these domains, or in all; none when there are none.

        Raises UnknownIdentifier and UnknownDomain (ITI TF-2 3.9.4.2.2.6, cases 3 to 5).
        """
        query = CrossReferenceQuery(identifier=identifier, domains=tuple(domains))
        envelope = self._parties.envelope()
        message = iti9.encode_request(query, envelope, tag=envelope.control_id)
        return iti9.decode_response(self._exchange(bytes(message)), message)


# --------------------------------------------------------------------------- PDQ Consumer


class PdqConsumer:
    """Asks a Patient Demographics Supplier who somebody is (ITI-21), with visits (ITI-22)."""

    def __init__(self, exchange: Hl7Exchange, parties: Parties) -> None:
        self._exchange = exchange
        self._parties = parties

    def search(
        self,
        criteria: PatientCriteria,
        domains: Sequence[HD] = (),
        *,
        page: int | None = None,
        with_visits: bool = False,
    ) -> Search:
        """Everybody who fits, ``page`` records at a time; None leaves the size to the supplier. Nothing is sent yet."""
        e = self._parties.envelope()
        query = DemographicsQuery(
            criteria=criteria,
            domains=tuple(domains),
            limit=page,
            with_visits=with_visits,
            tag=e.control_id,
            requester=(e.sending_application, e.sending_facility),
        )
        return Search(self, query)

    def find(
        self, criteria: PatientCriteria, domains: Sequence[HD] = (), *, with_visits: bool = False
    ) -> tuple[PatientRecord, ...]:
        """Everybody who fits, whatever number of answers that takes.

        Raises UnknownDomain with the positions in ``domains``, and UnknownContinuation when the supplier gave up the
        rest while we read.
        """
        answers = self.search(criteria, domains, with_visits=with_visits)
        return tuple(record for answer in answers for record in answer.records)

    def ask(self, query: DemographicsQuery) -> DemographicsAnswer:
        """One query, one answer. To continue, the same query with the pointer of the last answer and the same tag."""
        encode = iti22.encode_request if query.with_visits else iti21.encode_request
        message = encode(query, self._parties.envelope())
        return iti21.decode_response(self._exchange(bytes(message)), message)

    def cancel(self, tag: str) -> None:
        """The rest of the answer to this query is not wanted (QCN^J01)."""
        _acknowledged(self._exchange, iti21.encode_cancellation(tag, self._parties.envelope()))


class Search:
    """The answers to one query, page by page: an iterator. As a context manager it gives up what was not fetched."""

    def __init__(self, consumer: PdqConsumer, query: DemographicsQuery) -> None:
        self._consumer = consumer
        self._query: DemographicsQuery | None = query
        self._kept = False  # the supplier keeps something for us
        self._pointers: set[str] = set()

    def __iter__(self) -> Iterator[DemographicsAnswer]:
        return self

    def __next__(self) -> DemographicsAnswer:
        if self._query is None:
            raise StopIteration
        answer = self._consumer.ask(self._query)
        if answer.pointer in self._pointers:
            self._query = None
            raise PeerRejected("the pages of the answer lead in a circle")
        self._pointers.add(answer.pointer)
        self._kept = bool(answer.pointer)
        self._query = replace(self._query, pointer=answer.pointer) if answer.pointer else None
        return answer

    def cancel(self) -> None:
        """Give up the rest; nothing is sent when there is none."""
        query, self._query = self._query, None
        if query is not None and self._kept:
            self._kept = False
            self._consumer.cancel(query.tag)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with suppress(XdsError):  # a query that nobody continues ends by itself: ITI TF-2 3.21.4.3
            self.cancel()
