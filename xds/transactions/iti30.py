"""ITI-30 Patient Identity Management (ITI TF-2 3.30): ADT^A28, A31, A24, A37, A47 in HL7 v2.5.

Its merge, A40, differs from that of ITI-8 in nothing that is read; ``encode_request`` writes it in v2.5.
"""

from __future__ import annotations

from typing import Final

from xds.hl7v2.adt import write_feed
from xds.hl7v2.er7 import Message
from xds.patients.feed import IdentityFeed
from xds.transactions.base import Hl7v2, Hl7v2Transaction
from xds.transactions.iti8 import decode_request, explain, perform
from xds.vocab.actors import Actor
from xds.vocab.hl7 import FeedEvent

_VERSION: Final = "2.5"


def encode_request(feed: IdentityFeed, *, charset: str = "utf-8") -> Message:
    """The ADT message that says this in HL7 v2.5, for a Patient Identity Source. As that of ITI-8."""
    return write_feed(feed, version=_VERSION, charset=charset)


ITI_30 = Hl7v2Transaction(
    number="ITI-30",
    name="Patient Identity Management",
    initiators=(Actor.PATIENT_IDENTITY_SOURCE,),
    responders=(Actor.PATIENT_IDENTIFIER_CROSS_REFERENCE_MANAGER, Actor.DOCUMENT_REGISTRY),
    binding=Hl7v2(
        "ADT",
        frozenset(
            {
                FeedEvent.CREATE,
                FeedEvent.UPDATE_PERSON,
                FeedEvent.LINK,
                FeedEvent.UNLINK,
                FeedEvent.CHANGE_IDENTIFIER,
            }
        ),
        _VERSION,
    ),
    decode_request=decode_request,
    perform=perform,
    explain=explain,
)
