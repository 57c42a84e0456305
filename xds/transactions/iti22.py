"""ITI-22 Patient Demographics and Visit Query (ITI TF-2 3.22): QBP^ZV1^QBP_Q21, answered by RSP^ZV2^RSP_ZV2.

As ITI-21, with PV1 among the parameters and in the answer, one for each PID.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from xds.hl7v2 import queries
from xds.hl7v2.er7 import Message
from xds.hl7v2.queries import Envelope
from xds.patients.queries import DemographicsAnswer, DemographicsQuery
from xds.transactions import iti21
from xds.transactions.base import Hl7v2, Hl7v2Reply, Hl7v2Request, Hl7v2Transaction
from xds.transactions.iti21 import decode_response
from xds.vocab.actors import Actor

_QUERY: Final = ("QBP", "ZV1", "QBP_Q21")
_RESPONSE: Final = ("RSP", "ZV2", "RSP_ZV2")


def decode_request(request: Hl7v2Request) -> DemographicsQuery:
    """The question of a QBP^ZV1. Raises Hl7Rejected at the field that cannot be used."""
    return iti21.read_query(request, with_visits=True)


def encode_response(request: Hl7v2Request, answer: DemographicsAnswer, reply: Hl7v2Reply) -> bytes:
    """AA: OK with PID and PV1 for each record, or NF (ITI TF-2 3.22.4.2.2)."""
    return iti21.write_answer(request, answer, reply, _RESPONSE, with_visits=True)


def encode_failure(request: Hl7v2Request, reply: Hl7v2Reply) -> bytes | None:
    """As that of ITI-21."""
    return iti21.write_failure(request, reply, _RESPONSE)


def encode_request(query: DemographicsQuery, envelope: Envelope) -> Message:
    """The QBP^ZV1 that asks this."""
    return iti21.write_question(replace(query, with_visits=True), envelope, _QUERY)


ITI_22 = Hl7v2Transaction(
    number="ITI-22",
    name="Patient Demographics and Visit Query",
    initiators=(Actor.PATIENT_DEMOGRAPHICS_CONSUMER,),
    responders=(Actor.PATIENT_DEMOGRAPHICS_SUPPLIER,),
    binding=Hl7v2("QBP", frozenset({"ZV1"}), queries.VERSION),
    decode_request=decode_request,
    perform=iti21.perform,
    encode_response=encode_response,
    encode_failure=encode_failure,
    explain=iti21.explain,
)

__all__ = ["ITI_22", "decode_request", "decode_response", "encode_failure", "encode_request", "encode_response"]
