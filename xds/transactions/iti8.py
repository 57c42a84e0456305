"""ITI-8 Patient Identity Feed (ITI TF-2 3.8): ADT^A01, A04, A05, A08, A40 in HL7 v2.3.1.

A18, A34 and A36, by which older systems merge, are taken as well. Every actor of the server that takes
feeds gets them: the Document Registry, and the Patient Identifier Cross-reference Manager.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Final

from xds.hl7v2.adt import read_feed, refusal, write_feed
from xds.hl7v2.er7 import Message
from xds.hl7v2.errors import Hl7Rejected
from xds.patients.feed import FeedRejected, IdentityFeed
from xds.transactions.applying import apply_feed
from xds.transactions.base import Hl7v2, Hl7v2Request, Hl7v2Transaction
from xds.vocab.actors import Actor
from xds.vocab.hl7 import FeedEvent

_VERSION: Final = "2.3.1"


# --------------------------------------------------------------------------- message ↔ value


def decode_request(request: Hl7v2Request) -> IdentityFeed:
    """The event of an ADT message. Raises Hl7Rejected: 100 without PID or MRG, 101 without an identifier in them."""
    return read_feed(
        request.message,
        FeedEvent(request.header.trigger),
        request.feed,
        received=request.received,
        tolerate=request.tolerated,
    )


def encode_request(feed: IdentityFeed, *, charset: str = "utf-8") -> Message:
    """The ADT message that says this in HL7 v2.3.1, for a Patient Identity Source.

    ``charset`` is the Python codec to write; MSH-18 announces it. ``control_id`` and ``message_time`` must be set.
    """
    return write_feed(feed, version=_VERSION, charset=charset)


def explain(request: Hl7v2Request, error: BaseException) -> Hl7Rejected | None:
    """The refusal of an actor as the answer: AE or AR, code and location."""
    if not isinstance(error, FeedRejected):
        return None
    return refusal(FeedEvent(request.header.trigger), error, request.message)


# --------------------------------------------------------------------------- actors


def perform(actors: Sequence[object], feed: IdentityFeed) -> list[Any] | Future[list[Any]]:
    """Hand the event to every actor that takes it; what each did."""
    return apply_feed(actors, feed)


ITI_8 = Hl7v2Transaction(
    number="ITI-8",
    name="Patient Identity Feed",
    initiators=(Actor.PATIENT_IDENTITY_SOURCE,),
    responders=(Actor.PATIENT_IDENTIFIER_CROSS_REFERENCE_MANAGER, Actor.DOCUMENT_REGISTRY),
    binding=Hl7v2(
        "ADT",
        frozenset(
            {
                FeedEvent.ADMIT,
                FeedEvent.REGISTER,
                FeedEvent.PREADMIT,
                FeedEvent.UPDATE,
                FeedEvent.MERGE,
                FeedEvent.MERGE_INFORMATION,
                FeedEvent.MERGE_IDENTIFIER,
                FeedEvent.MERGE_IDENTIFIER_AND_ACCOUNT,
            }
        ),
        _VERSION,
    ),
    decode_request=decode_request,
    perform=perform,
    explain=explain,
)
