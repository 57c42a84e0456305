"""A transaction as a row: who starts it, who answers, by which binding, and its three functions.

``decode_request`` turns what came over the wire into the actor's argument, ``perform`` is the actor's method (it may
return a Future: the answer is then ready when the data is on disk), ``encode_response`` turns the result into bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from xds.errors import RegistryError
from xds.hl7v2.er7 import Message
from xds.hl7v2.errors import Hl7Error, Hl7Rejected
from xds.hl7v2.feeds import Feed
from xds.hl7v2.segments import Header
from xds.ports import Include, Later, OutgoingPart, Stage, StagedDocument
from xds.vocab.actors import Actor
from xds.vocab.hl7 import AckCode


@dataclass(frozen=True, slots=True)
class Soap:
    """WS-Addressing actions of request and response (ITI TF-2 Appendix V)."""

    action: str
    response_action: str
    body: str  # Clark name of the request element
    answer: str  # Clark name of the response element
    operation: str  # the name in the WSDL (ITI TF-2 Appendix V.2.2)
    mtom: bool = False  # the transaction is defined with MTOM; a plain request is still answered, plainly


@dataclass(frozen=True, slots=True)
class SoapRequest:
    """What a SOAP adapter hands to ``decode_request``."""

    body: Any  # the lxml element inside soap:Body, parsed by ebxml.xml
    parts: Mapping[str, StagedDocument]  # MTOM parts by Content-ID, already staged
    stage: Callable[[], Stage]  # for documents that stand inline as base64


@dataclass(frozen=True, slots=True)
class SoapAnswer:
    """What ``encode_response`` gives back: the element for soap:Body as pieces of XML, and the parts it includes.

    The pieces use the prefixes of ``ebxml.xml.PREFIXES``, which the envelope declares. When the answer goes out
    without MTOM, the adapter replaces each :class:`Include` by the base64 of its part. With a :class:`Later` the length
    is not known, and what goes wrong while that is made breaks the connection.
    """

    body: Sequence[bytes | Include | Later]
    parts: Sequence[OutgoingPart] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One IHE transaction. The adapters find it by its action (SOAP) or its trigger (HL7 v2)."""

    number: str
    name: str
    initiators: tuple[Actor, ...]
    responders: tuple[Actor, ...]
    binding: Soap
    decode_request: Callable[[SoapRequest], Any]
    perform: Callable[[Any, Any], Any]
    encode_response: Callable[[Any], SoapAnswer]
    # the answer to a request that was refused or failed, in the transaction's own response element
    encode_failure: Callable[[Sequence[RegistryError]], SoapAnswer]
    # the code for a fault of ours: XDSRegistryError or XDSRepositoryError
    internal_error: str = field(default="XDSRegistryError")


@dataclass(frozen=True, slots=True)
class Hl7v2:
    """How an HL7 v2 transaction is recognised: MSH-9.1, and the triggers (MSH-9.2) it answers (ITI TF-2 C.2)."""

    message_type: str
    triggers: frozenset[str]
    version: str  # MSH-12 that we send; received are all of version 2


def _uncounted(what: str, peer: str) -> None:
    """Nobody counts what is tolerated."""


@dataclass(frozen=True, slots=True)
class Hl7v2Request:
    """What an HL7 v2 adapter hands to ``decode_request``."""

    message: Message
    header: Header
    feed: Feed  # what was agreed with the sender
    received: datetime | None = None  # None: what it says about the future cannot be judged
    note: Callable[[str, str], None] = _uncounted

    def tolerated(self, what: str) -> None:
        """Note that something was taken which is not as the Framework says (docs/reference/tolerances.md)."""
        self.note(what, self.header.sending_application[:40])


@dataclass(frozen=True, slots=True)
class Hl7v2Reply:
    """What the answer to an HL7 v2 query needs besides its content: MSA-1 and ERR, MSH-10 and MSH-7."""

    control_id: str
    time: str
    code: AckCode = AckCode.AA
    errors: Sequence[Hl7Error] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hl7v2Transaction:
    """One IHE transaction over HL7 v2.

    ``perform`` takes all actors of the server, and those that take part in the transaction act; like ``decode_request``
    it raises Hl7Rejected to answer with AE or AR, and may return a Future. ``explain`` makes an Hl7Rejected of what
    actors raise in their own words.

    The result is answered by an ACK; in a query ``encode_response`` writes the response instead, and ``encode_failure``
    that to a query which is refused or fails, or None to leave it at an ACK.
    """

    number: str
    name: str
    initiators: tuple[Actor, ...]
    responders: tuple[Actor, ...]
    binding: Hl7v2
    decode_request: Callable[[Hl7v2Request], Any]
    perform: Callable[[Sequence[object], Any], Any]
    encode_response: Callable[[Hl7v2Request, Any, Hl7v2Reply], bytes] | None = None
    encode_failure: Callable[[Hl7v2Request, Hl7v2Reply], bytes | None] | None = None
    explain: Callable[[Hl7v2Request, BaseException], Hl7Rejected | None] | None = None


__all__ = [
    "Hl7v2",
    "Hl7v2Reply",
    "Hl7v2Request",
    "Hl7v2Transaction",
    "Include",
    "Soap",
    "SoapAnswer",
    "SoapRequest",
    "Transaction",
]
