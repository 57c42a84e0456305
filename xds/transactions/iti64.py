"""ITI-64 Notify XAD-PID Link Change (ITI TF-2 3.64): ADT^A43 in HL7 v2.5, from a PIX Manager to a Document Registry."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from xds.datatypes.hl7 import XPN
from xds.hl7v2.adt import write_feed
from xds.hl7v2.er7 import Message
from xds.patients.demographics import Demographics
from xds.patients.feed import IdentityFeed
from xds.transactions.base import Hl7v2, Hl7v2Transaction
from xds.transactions.iti8 import decode_request, explain, perform
from xds.vocab.actors import Actor
from xds.vocab.hl7 import FeedEvent

_VERSION: Final = "2.5"
_NO_NAME: Final = Demographics(names=(XPN(" "),))  # PID-5 is one space: ITI TF-2 3.64.4.1.2


def encode_request(feed: IdentityFeed, *, charset: str = "utf-8") -> Message:
    """The message that says this; the sending application (MSH-3) is the OID of the PIX Manager."""
    return write_feed(replace(feed, demographics=_NO_NAME), version=_VERSION, charset=charset)


ITI_64 = Hl7v2Transaction(
    number="ITI-64",
    name="Notify XAD-PID Link Change",
    initiators=(Actor.PATIENT_IDENTIFIER_CROSS_REFERENCE_MANAGER,),
    responders=(Actor.DOCUMENT_REGISTRY,),
    binding=Hl7v2("ADT", frozenset({FeedEvent.CHANGE_XAD_PID}), _VERSION),
    decode_request=decode_request,
    perform=perform,
    explain=explain,
)
