"""ITI-9 PIX Query (ITI TF-2 3.9): QBP^Q23^QBP_Q21, answered by RSP^K23^RSP_K23, in HL7 v2.5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from xds.datatypes.hl7 import CX
from xds.hl7v2 import queries
from xds.hl7v2.ack import refusal_of
from xds.hl7v2.er7 import Message, segment
from xds.hl7v2.errors import Hl7Rejected, Location, reject
from xds.hl7v2.queries import Envelope
from xds.hl7v2.segments import cx_content, read_cx, read_identifiers, together
from xds.patients.queries import CrossReferenceQuery, UnknownDomain, UnknownIdentifier
from xds.transactions.base import Hl7v2, Hl7v2Reply, Hl7v2Request, Hl7v2Transaction
from xds.vocab.actors import Actor
from xds.vocab.hl7 import Hl7ErrorCode

_QUERY: Final = ("QBP", "Q23", "QBP_Q21")
_RESPONSE: Final = ("RSP", "K23", "RSP_K23")
# the Framework's, and what HL7 v2.5 itself calls the query (5.4.2)
_NAMES: Final = ("IHE PIX Query", "Q23", "Get Corresponding IDs", "QRY_PIX_Q23")
_UNKNOWN: Final = Hl7ErrorCode.UNKNOWN_KEY_IDENTIFIER
# PID-5 of a response: an empty repetition, and one that says the name is a pseudonym (ITI TF-2 3.9.4.2.2.5)
_NO_NAME: Final = ["", ("", "", "", "", "", "", "S")]


# --------------------------------------------------------------------------- the manager's side


def decode_request(request: Hl7v2Request) -> CrossReferenceQuery:
    """The question of a QBP^Q23. Raises Hl7Rejected: 100 without QPD, 101 or 103 where its fields are not usable."""
    qpd = queries.read_qpd(request.message, _NAMES, request.tolerated)
    field = qpd[3]
    if len(field.repetitions) > 1:
        request.tolerated("QPD-3 repeated")
    identifier = read_cx(field)
    if not identifier.id:
        where = Location("QPD", 1, 3, 1, 1) if field else Location("QPD", 1, 3)
        raise reject(Hl7ErrorCode.REQUIRED_FIELD_MISSING, where, "QPD-3 has no identifier")
    if not identifier.assigning_authority:
        agreed = request.feed.assigning_authority
        if agreed is None:
            where = Location("QPD", 1, 3, 1, 4)
            raise reject(Hl7ErrorCode.REQUIRED_FIELD_MISSING, where, "QPD-3 has no assigning authority")
        identifier = replace(identifier, assigning_authority=agreed)
    return CrossReferenceQuery(identifier=identifier, domains=queries.read_domains(qpd[4], request.tolerated))


def perform(actors: Sequence[object], query: CrossReferenceQuery) -> Any:
    """Ask the Patient Identifier Cross-reference Manager: the first actor that has ``find_identifiers``."""
    for actor in actors:
        find = getattr(actor, "find_identifiers", None)
        if find is not None:
            return find(query)
    raise reject(Hl7ErrorCode.UNSUPPORTED_EVENT_CODE, Location("MSH", 1, 9, 1, 2), "there is no PIX manager here")


def encode_response(request: Hl7v2Request, identifiers: Sequence[CX], reply: Hl7v2Reply) -> bytes:
    """Cases 1, 2 and 6 of ITI TF-2 3.9.4.2.2.6: AA, with one PID when there are identifiers."""
    body: tuple[str, ...] = ()
    if identifiers:
        found = [cx_content(identifier) for identifier in together(identifiers)]
        body = (segment("PID", None, None, found, None, _NO_NAME, d=request.header.delimiters),)
    return _write(request, "OK" if identifiers else "NF", body, reply)


def encode_failure(request: Hl7v2Request, reply: Hl7v2Reply) -> bytes | None:
    """Cases 3, 4 and 5, and what cannot be read; None where a plain ACK is the answer."""
    if not queries.is_about_query(request.message, reply.errors):
        return None
    return _write(request, reply.code, (), reply)


def _write(request: Hl7v2Request, status: str, body: Sequence[str], reply: Hl7v2Reply) -> bytes:
    return queries.write_response(
        request.message,
        request.header,
        _RESPONSE,
        status,
        body,
        code=reply.code,
        errors=reply.errors,
        control_id=reply.control_id,
        time=reply.time,
        tolerate=request.tolerated,
    )


def explain(request: Hl7v2Request, error: BaseException) -> Hl7Rejected | None:
    """What the manager does not know, as ERR; of several domains the first is named (ITI TF-2 3.9.4.2.2.6, case 5)."""
    if isinstance(error, UnknownIdentifier):
        return reject(_UNKNOWN, Location("QPD", 1, 3, 1, 1), "the identifier is not known")
    if isinstance(error, UnknownDomain):
        if not error.ordinals:
            return reject(_UNKNOWN, Location("QPD", 1, 3, 1, 4), "the domain is not known")
        n = queries.repetition_of(request.message["QPD"][4], error.ordinals[0])
        return reject(_UNKNOWN, Location("QPD", 1, 4, n), "the domain is not known")
    return None


# --------------------------------------------------------------------------- the consumer's side


def encode_request(query: CrossReferenceQuery, envelope: Envelope, *, tag: str) -> Message:
    """The QBP^Q23 that asks this."""
    identifier, domains = cx_content(query.identifier), queries.domain_content(query.domains)
    return queries.write_query(envelope, _QUERY, segment("QPD", _NAMES[0], tag, identifier, domains))


def decode_response(data: bytes, query: Message) -> tuple[CX, ...]:
    """The identifiers in an answer to ``query``; none when the patient has none in the domains asked for.

    Raises UnknownIdentifier, UnknownDomain, PeerRejected for other refusals, PeerUnreachable when it is no answer.
    """
    answer = queries.read_response(data, query)
    if queries.accepted(answer):
        return tuple(cx for pid in answer.message.all("PID") for cx in read_identifiers(pid[3]))
    for where in queries.blamed(answer):
        if where[:3] == ("QPD", "1", "4"):
            raise UnknownDomain((int(where[3]) if len(where) > 3 and where[3].isdigit() else 1,))
        if where[:3] == ("QPD", "1", "3"):
            raise UnknownDomain() if where[4:5] == ("4",) else UnknownIdentifier("the identifier is not known")
    raise refusal_of(answer)


ITI_9 = Hl7v2Transaction(
    number="ITI-9",
    name="PIX Query",
    initiators=(Actor.PATIENT_IDENTIFIER_CROSS_REFERENCE_CONSUMER,),
    responders=(Actor.PATIENT_IDENTIFIER_CROSS_REFERENCE_MANAGER,),
    binding=Hl7v2("QBP", frozenset({"Q23"}), queries.VERSION),
    decode_request=decode_request,
    perform=perform,
    encode_response=encode_response,
    encode_failure=encode_failure,
    explain=explain,
)
