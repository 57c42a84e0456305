"""ITI-10 PIX Update Notification (ITI TF-2 3.10): ADT^A31^ADT_A05 in HL7 v2.5, from a PIX Manager to a consumer.

A31 is also a feed (ITI-30), so that a listener is either a consumer's or a manager's: ``ITI_10`` is not among the
transactions of ``xds serve``. For an engine with a listener of its own::

    endpoint = Endpoint([consumer], transactions=[ITI_10])      # consumer.update_identifiers(notification)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from xds.datatypes.hl7 import XPN
from xds.hl7v2.adt import write_msh
from xds.hl7v2.er7 import Message, message, segment
from xds.hl7v2.errors import Location, reject
from xds.hl7v2.segments import read_hd, read_identifiers, together, write_pid, write_pv1
from xds.patients.demographics import Demographics
from xds.patients.notification import UpdateNotification
from xds.transactions.base import Hl7v2, Hl7v2Request, Hl7v2Transaction
from xds.vocab.actors import Actor
from xds.vocab.hl7 import STRUCTURES, FeedEvent, Hl7ErrorCode

_VERSION: Final = "2.5"
_EVENT: Final = FeedEvent.UPDATE_PERSON
_NO_NAME: Final = Demographics(names=(XPN(" "),))  # PID-5 is one space: ITI TF-2 3.10.4.1.2


# --------------------------------------------------------------------------- the manager's side


def encode_request(notification: UpdateNotification, *, charset: str = "utf-8") -> Message:
    """MSH EVN PID PV1: PID-3 and nothing else about the patient. ``control_id`` and ``message_time`` must be set."""
    n = notification
    if not n.control_id or not n.message_time:
        raise ValueError("MSH-7 and MSH-10 are required")
    names = (n.sending_application, n.sending_facility, n.receiving_application, n.receiving_facility)
    kind = ("ADT", _EVENT, STRUCTURES[_EVENT])
    return message(
        write_msh(kind, names, n.message_time, n.control_id, version=_VERSION, charset=charset),
        segment("EVN", None, n.recorded_time or n.message_time),
        write_pid(together(n.identifiers), _NO_NAME),
        write_pv1(None),
        charset=charset,
    )


# --------------------------------------------------------------------------- the consumer's side


def decode_request(request: Hl7v2Request) -> UpdateNotification:
    """The notification of an ADT^A31. Raises Hl7Rejected: 100 without PID, 101 without an identifier in it."""
    source = request.message
    identifiers = read_identifiers(source["PID"][3])
    if not identifiers:
        raise reject(Hl7ErrorCode.REQUIRED_FIELD_MISSING, Location("PID", 1, 3), "PID-3 has no identifier")
    msh, evn = source["MSH"], source.find("EVN")
    return UpdateNotification(
        identifiers=identifiers,
        sending_application=read_hd(msh[3]),
        sending_facility=read_hd(msh[4]),
        receiving_application=read_hd(msh[5]),
        receiving_facility=read_hd(msh[6]),
        control_id=str(msh[10]),
        message_time=msh.text(7),
        recorded_time=evn.text(2) if evn else "",
    )


def perform(actors: Sequence[object], notification: UpdateNotification) -> Any:
    """Tell the consumer: the first actor that has ``update_identifiers``. It may return a Future."""
    for actor in actors:
        update = getattr(actor, "update_identifiers", None)
        if update is not None:
            return update(notification)
    raise reject(Hl7ErrorCode.UNSUPPORTED_EVENT_CODE, Location("MSH", 1, 9, 1, 2), "there is no PIX consumer here")


ITI_10 = Hl7v2Transaction(
    number="ITI-10",
    name="PIX Update Notification",
    initiators=(Actor.PATIENT_IDENTIFIER_CROSS_REFERENCE_MANAGER,),
    responders=(Actor.PATIENT_IDENTIFIER_CROSS_REFERENCE_CONSUMER,),
    binding=Hl7v2("ADT", frozenset({_EVENT}), _VERSION),
    decode_request=decode_request,
    perform=perform,
)
