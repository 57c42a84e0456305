"""Targets for what reads messages about patients: feeds, queries, and the answers that a consumer gets."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from tests.evidence.fuzz import mutate
from tests.xds.transactions.managers import EAST, NOW, PEOPLE, RECORDS, WEST, Manager, Supplier
from xds.datatypes.hl7 import HD
from xds.errors import MalformedMessage, XdsError
from xds.hl7v2.adt import read_feed, write_feed
from xds.hl7v2.er7 import parse
from xds.hl7v2.errors import Hl7Rejected
from xds.hl7v2.feeds import Feed
from xds.hl7v2.queries import Envelope
from xds.hl7v2.segments import read_header
from xds.patients.feed import IdentityFeed
from xds.patients.queries import CrossReferenceQuery, DemographicsQuery, PatientCriteria
from xds.patients.visit import Visit
from xds.transactions import iti9, iti21, iti22
from xds.vocab.hl7 import FeedEvent
from xds_mllp.endpoint import Endpoint

_TRIGGERS: Final = frozenset(FeedEvent)
_WORDS: Final = [
    b"\rPID|||",
    b"\rMRG|",
    b"\rPV1|1|I|",
    b"\rEVN|",
    b"\rQPD|IHE PIX Query|T|",
    b"\rQPD|IHE PDQ Query|T|",
    b"\rRCP|I|1^RD",
    b"\rDSC|P1|I",
    b"\rQAK|T|OK",
    b"\rERR||QPD^1^8^2|204",
    b"\rQRI|",
    b"@PID.3.1^",
    b"@PID.3.4^A&1.2&ISO",
    b"@PID.3.4.2^",
    b"@PID.5.1.1^",
    b"@PID.7^1980",
    b"@PID.8^F",
    b"@PID.18.1^",
    b"@PV1.7.2.1^",
    b"@PV1.3.2^",
    b"^^^EAST&1.2.3.1&ISO",
    b"^^^&1.2.3.2&ISO",
    b"QBP^Q23^QBP_Q21",
    b"QBP^Q22^QBP_Q21",
    b"QBP^ZV1^QBP_Q21",
    b"QCN^J01^QCN_J01",
    b"20260101115900+0800",
    b'""',
    b"~",
    b"^",
    b"&",
    b"|",
    b"\\T\\",
    b"\\X0D\\",
    b"*",
    "韦".encode(),
]


class Feeds:
    """What a feed says is said again when it is written."""

    def __init__(self) -> None:
        first, second = RECORDS[:2]
        self._corpus = [
            bytes(
                write_feed(
                    IdentityFeed(
                        event=event,
                        identifiers=(*first.identifiers[:1], *PEOPLE[0][1:2]),
                        demographics=first.demographics,
                        prior_identifiers=second.identifiers * 2 if event.has_prior else (),
                        linked_identifiers=second.identifiers if event.links else (),
                        visit=first.visit,
                        control_id="C1",
                        message_time="20260101120000",
                    ),
                    version="2.5",
                )
            )
            for event in FeedEvent
        ]

    def look_at(self, n: int, r: random.Random) -> str:
        data = mutate.damaged(r, r.choice(self._corpus), self._corpus, _WORDS)
        try:
            message = parse(data)
            header = read_header(message)
        except MalformedMessage:
            return "malformed"
        if header.trigger not in _TRIGGERS:
            return "another trigger"
        event = FeedEvent(header.trigger)
        try:
            feed = self._read(data, event)
        except (Hl7Rejected, MalformedMessage) as error:
            return type(error).__name__
        once = self._again(feed, event)
        if (once.identifiers, once.prior_identifiers, once.linked_identifiers, once.demographics) != (
            feed.identifiers,
            feed.prior_identifiers,
            feed.linked_identifiers,
            feed.demographics,
        ):
            raise AssertionError("a feed that is written and read again says something else")
        if once != self._again(once, event):
            raise AssertionError("a feed changes each time it is written")
        return "merge" if event.has_prior else "link" if event.links else "feed"

    def _again(self, feed: IdentityFeed, event: FeedEvent) -> IdentityFeed:
        feed = replace(feed, control_id=feed.control_id or "1", message_time=feed.message_time or "2026")
        return self._read(bytes(write_feed(feed, version="2.5")), event)

    @staticmethod
    def _read(data: bytes, event: FeedEvent) -> IdentityFeed:
        return read_feed(parse(data), event, Feed(), received=NOW, tolerate=lambda what: None)

    def settle(self) -> None:
        """Nothing stays."""


class PatientQueries:
    """Every query has an answer that names it and echoes its QPD; every answer, a consumer's value or our exception."""

    def __init__(self) -> None:
        envelope = Envelope(sending_application=HD("CON"), control_id="Q1", time="20260101")
        people = PatientCriteria(
            family_name="Vermeulen",
            identifiers=RECORDS[0].identifiers,
            birth_time="1980",
            visit=RECORDS[0].visit or Visit(),
        )
        asked = DemographicsQuery(criteria=people, domains=(EAST, HD("X")), limit=1, with_visits=True)
        everybody = DemographicsQuery(criteria=PatientCriteria(family_name="Vermeulen"), domains=(EAST, WEST), tag="T")
        self._queries = [
            iti9.encode_request(CrossReferenceQuery(identifier=PEOPLE[0][0], domains=(WEST, EAST)), envelope, tag="T"),
            iti9.encode_request(CrossReferenceQuery(identifier=PEOPLE[0][1]), envelope, tag="T"),
            iti21.encode_request(everybody, envelope),
            iti21.encode_request(replace(everybody, limit=1, pointer="P1"), envelope),
            iti22.encode_request(asked, envelope),
            iti22.encode_request(replace(everybody, limit=2), envelope),
        ]
        self._corpus = [*map(bytes, self._queries), bytes(iti21.encode_cancellation("T", envelope))]
        self._endpoint = Endpoint([])
        self.settle()
        self._answers = [self._endpoint.respond(data)[0] for data in self._corpus[:-1]]

    def settle(self) -> None:
        """A supplier that keeps nothing yet."""
        self._endpoint = Endpoint([Manager(), Supplier()])

    def look_at(self, n: int, r: random.Random) -> str:
        return self._consume(r) if n % 3 == 0 else self._ask(r)

    def _ask(self, r: random.Random) -> str:
        data = mutate.damaged(r, r.choice(self._corpus), self._corpus, _WORDS)
        answers = self._endpoint.respond(data)
        if len(answers) != 1:
            return "no answer"
        try:
            answer = parse(answers[0])
        except MalformedMessage:
            return "not in its character set"  # the header is echoed as it came
        kind = answer.value("MSH-9.1")
        if kind == "RSP":
            asked = parse(data)
            if answer["QPD"].line != asked["QPD"].line or answer.value("MSA-2") != str(asked["MSH"][10]):
                raise AssertionError("the answer is not to this query")
            if answer.value("QAK-2") not in ("OK", "NF", "AE", "AR"):
                raise AssertionError("the answer has no status")
        return f"{kind} {answer.value('MSA-1')} {answer.value('QAK-2')}"

    def _consume(self, r: random.Random) -> str:
        number = r.randrange(len(self._answers))
        data = mutate.damaged(r, self._answers[number], self._answers, _WORDS)
        read = iti9.decode_response if number < 2 else iti21.decode_response
        try:
            read(data, self._queries[number])
        except XdsError as error:
            return f"consumer: {type(error).__name__}"
        return "consumer: read"
