"""ITI-21 Patient Demographics Query (ITI TF-2 3.21): QBP^Q22^QBP_Q21, answered by RSP^K22^RSP_K21, in HL7 v2.5.

And what ITI-22 shares with it: pages by RCP-2 and DSC, and QCN^J01, by which a consumer gives up what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from xds.datatypes.hl7 import HD
from xds.hl7v2 import queries
from xds.hl7v2.ack import Acknowledgement, refusal_of
from xds.hl7v2.adt import write_msh
from xds.hl7v2.criteria import criteria_content, read_criteria
from xds.hl7v2.er7 import Message, Segment, message, segment
from xds.hl7v2.errors import Hl7Error, Hl7Rejected, Location, reject
from xds.hl7v2.queries import Envelope
from xds.hl7v2.segments import read_demographics, read_hd, read_identifiers, read_visit, write_pid, write_pv1
from xds.patients.queries import (
    DemographicsAnswer,
    DemographicsQuery,
    PatientRecord,
    UnknownContinuation,
    UnknownDomain,
)
from xds.transactions.base import Hl7v2, Hl7v2Reply, Hl7v2Request, Hl7v2Transaction
from xds.vocab.actors import Actor
from xds.vocab.hl7 import Hl7ErrorCode

_QUERY: Final = ("QBP", "Q22", "QBP_Q21")
_RESPONSE: Final = ("RSP", "K22", "RSP_K21")
# the Framework's; that of ITI-22 in the field; what HL7 v2.5 itself calls the query, and published tests as well
NAMES: Final = ("IHE PDQ Query", "IHE PDVQ Query", "Q22", "Find Candidates", "ZV1")
_UNKNOWN: Final = Hl7ErrorCode.UNKNOWN_KEY_IDENTIFIER


# --------------------------------------------------------------------------- the supplier's side


def decode_request(request: Hl7v2Request) -> DemographicsQuery:
    """The question of a QBP^Q22. Raises Hl7Rejected at the field that cannot be used."""
    return read_query(request, with_visits=False)


def read_query(request: Hl7v2Request, *, with_visits: bool) -> DemographicsQuery:
    """The question of ITI-21, or of ITI-22 when ``with_visits``."""
    source = request.message
    qpd = queries.read_qpd(source, NAMES, request.tolerated)
    return DemographicsQuery(
        criteria=read_criteria(qpd[3], request.tolerated, visits=with_visits),
        domains=queries.read_domains(qpd[8], request.tolerated),
        limit=queries.read_limit(source),
        pointer=queries.read_pointer(source),
        with_visits=with_visits,
        tag=str(qpd[2]),
        requester=_requester(source),
    )


def _requester(source: Message) -> tuple[HD, HD]:
    msh = source["MSH"]
    return read_hd(msh[3]), read_hd(msh[4])


def _supplier(actors: Sequence[object]) -> Any:
    """The Patient Demographics Supplier: the first actor that can ``find`` and ``cancel``."""
    for actor in actors:
        if hasattr(actor, "find") and hasattr(actor, "cancel"):
            return actor
    where = Location("MSH", 1, 9, 1, 2)
    raise reject(Hl7ErrorCode.UNSUPPORTED_EVENT_CODE, where, "there is no demographics supplier here")


def perform(actors: Sequence[object], query: DemographicsQuery) -> Any:
    """Ask the Patient Demographics Supplier."""
    return _supplier(actors).find(query)


def encode_response(request: Hl7v2Request, answer: DemographicsAnswer, reply: Hl7v2Reply) -> bytes:
    """AA: OK with a PID for each record, or NF (ITI TF-2 3.21.4.2.2)."""
    return write_answer(request, answer, reply, _RESPONSE, with_visits=False)


def write_answer(
    request: Hl7v2Request,
    answer: DemographicsAnswer,
    reply: Hl7v2Reply,
    kind: tuple[str, str, str],
    *,
    with_visits: bool,
) -> bytes:
    """The response of ITI-21, or that of ITI-22 with a PV1 for each PID."""
    d = request.header.delimiters
    body = []
    for record in answer.records:
        body.append(write_pid(record.identifiers, record.demographics, d))
        if with_visits:
            body.append(write_pv1(record.visit, d))
        if record.confidence is not None:
            body.append(segment("QRI", f"{record.confidence:.4g}", d=d))
    if answer.pointer:
        body.append(segment("DSC", answer.pointer, "I", d=d))
    shown, first = len(answer.records), not queries.read_pointer(request.message)
    left = "0" if not answer.pointer else str(answer.total - shown) if first else ""
    hits = (str(answer.total), str(shown), left)
    return _write(request, "OK" if answer.records else "NF", body, reply, kind, hits)


def encode_failure(request: Hl7v2Request, reply: Hl7v2Reply) -> bytes | None:
    """Case 3 of ITI TF-2 3.21.4.2.2.8, and what cannot be read; None where a plain ACK is the answer."""
    return write_failure(request, reply, _RESPONSE)


def write_failure(request: Hl7v2Request, reply: Hl7v2Reply, kind: tuple[str, str, str]) -> bytes | None:
    """The refusal of ITI-21 or ITI-22."""
    if not queries.is_about_query(request.message, reply.errors):
        return None
    return _write(request, reply.code, (), reply, kind)


def _write(
    request: Hl7v2Request,
    status: str,
    body: Sequence[str],
    reply: Hl7v2Reply,
    kind: tuple[str, str, str],
    hits: Sequence[str] = (),
) -> bytes:
    return queries.write_response(
        request.message,
        request.header,
        kind,
        status,
        body,
        code=reply.code,
        errors=reply.errors,
        hits=hits,
        control_id=reply.control_id,
        time=reply.time,
        tolerate=request.tolerated,
    )


def explain(request: Hl7v2Request, error: BaseException) -> Hl7Rejected | None:
    """What the supplier does not know: one ERR for each domain of QPD-8, or the pointer of DSC."""
    if isinstance(error, UnknownContinuation):
        return reject(_UNKNOWN, Location("DSC", 1, 1), "there is no such continuation, or no longer")
    if isinstance(error, UnknownDomain):
        field = request.message["QPD"][8]
        places = [queries.repetition_of(field, ordinal) for ordinal in error.ordinals]
        where = [Location("QPD", 1, 8, n) for n in places] or [Location("QPD", 1, 3)]
        return Hl7Rejected([Hl7Error(_UNKNOWN, place, "the domain is not known") for place in where])
    return None


# --------------------------------------------------------------------------- giving up


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A QCN^J01: what is kept for this query of this requester is no longer wanted (ITI TF-2 3.21.4.3)."""

    requester: tuple[HD, HD]
    tag: str


def decode_cancellation(request: Hl7v2Request) -> Cancellation:
    """QID-1 is the query tag. Raises Hl7Rejected: 100 without QID, 101 without the tag."""
    tag = str(request.message["QID"][1])
    if not tag:
        raise reject(Hl7ErrorCode.REQUIRED_FIELD_MISSING, Location("QID", 1, 1), "QID-1, the query tag, is required")
    return Cancellation(_requester(request.message), tag)


def cancel(actors: Sequence[object], cancellation: Cancellation) -> Any:
    """Tell the supplier; that nothing is held is no error."""
    return _supplier(actors).cancel(cancellation.requester, cancellation.tag)


# --------------------------------------------------------------------------- the consumer's side


def encode_request(query: DemographicsQuery, envelope: Envelope) -> Message:
    """The QBP^Q22 that asks this. The requester is who ``envelope`` says sends it."""
    return write_question(query, envelope, _QUERY)


def write_question(query: DemographicsQuery, envelope: Envelope, kind: tuple[str, str, str]) -> Message:
    """The query of ITI-21 or ITI-22."""
    domains = queries.domain_content(query.domains)
    qpd = segment("QPD", NAMES[0], query.tag, criteria_content(query.criteria), None, None, None, None, domains)
    return queries.write_query(envelope, kind, qpd, limit=query.limit, pointer=query.pointer)


def encode_cancellation(tag: str, envelope: Envelope) -> Message:
    """The QCN^J01 for the query with this tag."""
    e = envelope
    msh = write_msh(
        ("QCN", "J01", "QCN_J01"), e.names, e.time, e.control_id, version=queries.VERSION, charset=e.charset
    )
    return message(msh, segment("QID", tag, NAMES[0]), charset=e.charset)


def decode_response(data: bytes, query: Message) -> DemographicsAnswer:
    """The records in an answer to ``query``, of ITI-21 or ITI-22.

    Raises UnknownDomain, UnknownContinuation, PeerRejected for other refusals, PeerUnreachable when it is no answer.
    """
    answer = queries.read_response(data, query)
    if queries.accepted(answer):
        records = tuple(_records(answer.message))
        total = answer.message["QAK"].text(4)
        return DemographicsAnswer(
            records=records,
            total=int(total) if total.isascii() and total.isdigit() else len(records),
            pointer=queries.read_pointer(answer.message),
        )
    raise _refusal(answer)


def _refusal(answer: Acknowledgement) -> Exception:
    blamed = queries.blamed(answer)
    domains = [where[3] for where in blamed if where[:3] == ("QPD", "1", "8") and len(where) > 3]
    if domains and all(map(str.isdigit, domains)):
        return UnknownDomain(tuple(map(int, domains)))
    if any(where[0] == "DSC" for where in blamed):
        return UnknownContinuation("there is no such continuation, or no longer")
    return refusal_of(answer)


def _records(source: Message) -> list[PatientRecord]:
    """Every PID with the PV1 and QRI that follow it."""
    groups: list[dict[str, Segment]] = []
    for part in source.segments:
        if part.id == "PID":
            groups.append({"PID": part})
        elif groups and part.id in ("PV1", "QRI"):
            groups[-1].setdefault(part.id, part)
    return [_record(group) for group in groups]


def _record(group: dict[str, Segment]) -> PatientRecord:
    pid = group["PID"]
    return PatientRecord(
        identifiers=read_identifiers(pid[3]),
        demographics=read_demographics(pid),
        visit=read_visit(group["PV1"]) if "PV1" in group else None,
        confidence=_number(group["QRI"].text(1)) if "QRI" in group else None,
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


ITI_21 = Hl7v2Transaction(
    number="ITI-21",
    name="Patient Demographics Query",
    initiators=(Actor.PATIENT_DEMOGRAPHICS_CONSUMER,),
    responders=(Actor.PATIENT_DEMOGRAPHICS_SUPPLIER,),
    binding=Hl7v2("QBP", frozenset({"Q22"}), queries.VERSION),
    decode_request=decode_request,
    perform=perform,
    encode_response=encode_response,
    encode_failure=encode_failure,
    explain=explain,
)

CANCEL_QUERY = Hl7v2Transaction(
    number="ITI-21",
    name="Patient Demographics Query: cancel",
    initiators=(Actor.PATIENT_DEMOGRAPHICS_CONSUMER,),
    responders=(Actor.PATIENT_DEMOGRAPHICS_SUPPLIER,),
    binding=Hl7v2("QCN", frozenset({"J01"}), queries.VERSION),
    decode_request=decode_cancellation,
    perform=cancel,
)
