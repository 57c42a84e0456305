"""ITI-8 Patient Identity Feed (ITI TF-2 3.8): ADT^A01, A04, A05, A08, A40 in HL7 v2.3.1.

A28 and A31 of ITI-30 (3.30) say the same in HL7 v2.5 and are taken as well. Every actor of the server that has an
``apply_feed`` gets every event: the Document Registry, and the Patient Identifier Cross-reference Manager.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Any, Final

from xds.datatypes.hl7 import CX, HD, XPN
from xds.hl7v2.er7 import Field, Message, message, segment
from xds.hl7v2.errors import Location, reject
from xds.hl7v2.escapes import STANDARD
from xds.hl7v2.segments import (
    read_demographics,
    read_hd,
    read_identifiers,
    read_names,
    write_mrg,
    write_pid,
)
from xds.patients.feed import IdentityFeed
from xds.transactions.base import Hl7v2, Hl7v2Request, Hl7v2Transaction
from xds.vocab.actors import Actor
from xds.vocab.hl7 import STRUCTURES, FeedEvent, Hl7ErrorCode, charset_of

# characters of CX.1: what XDS metadata has room for (ITI TF-3, table 4.2.3.1.7-2); HL7 v2.5 itself has 15
_MAX_ID: Final = 256
# read into the value, but no actor here merges yet: refused rather than acknowledged without effect
_NOT_PERFORMED: Final = frozenset({FeedEvent.MERGE})


# --------------------------------------------------------------------------- message → value


def decode_request(request: Hl7v2Request) -> IdentityFeed:
    """The event of an ADT message. Raises Hl7Rejected: 100 without PID or MRG, 101 without an identifier in them."""
    source, header = request.message, request.header
    event = FeedEvent(header.trigger)
    pid = source["PID"]
    authority = request.feed.assigning_authority
    prior: tuple[CX, ...] = ()
    prior_names: tuple[XPN, ...] = ()
    if event.merges:
        mrg = source["MRG"]
        prior, prior_names = _identifiers(mrg[1], "MRG", 1, authority), read_names(mrg[7])
    msh, evn = source["MSH"], source.find("EVN")
    return IdentityFeed(
        event=event,
        identifiers=_identifiers(pid[3], "PID", 3, authority),
        demographics=read_demographics(pid),
        prior_identifiers=prior,
        prior_names=prior_names,
        sending_application=read_hd(msh[3]),
        sending_facility=read_hd(msh[4]),
        receiving_application=read_hd(msh[5]),
        receiving_facility=read_hd(msh[6]),
        control_id=str(msh[10]),
        message_time=msh.text(7),
        recorded_time=evn.text(2) if evn else "",
        occurred_time=evn.text(6) if evn else "",
    )


def _identifiers(field: Field, name: str, number: int, authority: HD | None) -> tuple[CX, ...]:
    """The identifiers of PID-3 or MRG-1: at least one is required (ITI TF-2 3.8.4.1.2.3, 3.8.4.2.2.4)."""
    found = read_identifiers(field)
    if not found:
        where = Location(name, 1, number, 1, 1) if field and not field.is_null else Location(name, 1, number)
        raise reject(Hl7ErrorCode.REQUIRED_FIELD_MISSING, where, f"{name}-{number} has no identifier")
    if any(len(cx.id) > _MAX_ID for cx in found):
        raise reject(Hl7ErrorCode.DATA_TYPE_ERROR, Location(name, 1, number, 1, 1), "the identifier is too long")
    if authority is None:
        return found
    return tuple(cx if cx.assigning_authority else replace(cx, assigning_authority=authority) for cx in found)


# --------------------------------------------------------------------------- value → message


def encode_request(feed: IdentityFeed, *, charset: str = "utf-8") -> Message:
    """The ADT message that says this, for a Patient Identity Source.

    ``charset`` is the Python codec to write; MSH-18 announces it. ``control_id`` and ``message_time`` must be set.
    """
    if not feed.control_id or not feed.message_time:
        raise ValueError("MSH-7 and MSH-10 are required")
    event = feed.event
    version = "2.5" if event in _ITI_30 else ITI_8.binding.version
    msh = segment(
        "MSH",
        *map(
            _hd,
            (feed.sending_application, feed.sending_facility, feed.receiving_application, feed.receiving_facility),
        ),
        feed.message_time,
        None,
        ("ADT", event, STRUCTURES[event]),
        feed.control_id,
        "P",
        version,
        *[None] * 5,
        charset_of(charset) if charset != "ascii" else None,
    )
    evn = segment("EVN", event, feed.recorded_time or feed.message_time, None, None, None, feed.occurred_time)
    tail = (write_mrg(feed.prior_identifiers, feed.prior_names),) if event.merges else (segment("PV1", "1", "N"),)
    return message(msh, evn, write_pid(feed.identifiers, feed.demographics), *tail, d=STANDARD, charset=charset)


_ITI_30: Final = frozenset({FeedEvent.CREATE, FeedEvent.UPDATE_PERSON})


def _hd(value: HD) -> tuple[str, str, str]:
    return value.namespace_id, value.universal_id, value.universal_id_type


# --------------------------------------------------------------------------- actors


def perform(actors: Sequence[object], feed: IdentityFeed) -> list[Any] | Future[list[Any]]:
    """Hand the event to ``apply_feed`` of every actor that has one, in order; what each did.

    An actor may return a Future that is done when the effect is on disk; then so do we: done when all are. The first
    failure is the failure of the whole.
    """
    if feed.event in _NOT_PERFORMED:
        raise reject(Hl7ErrorCode.UNSUPPORTED_EVENT_CODE, Location("MSH", 1, 9, 1, 2), "merging is not supported")
    receivers = [getattr(actor, "apply_feed", None) for actor in actors]
    results = [apply_feed(feed) for apply_feed in receivers if apply_feed is not None]
    pending = [(n, result) for n, result in enumerate(results) if isinstance(result, Future)]
    if not pending:
        return results
    together = _Together(results, len(pending))
    for n, result in pending:
        result.add_done_callback(partial(together.settle, n))
    return together.whole


class _Together:
    """One Future for several results, some of which are Futures. It refers to none of these, as they refer to it."""

    def __init__(self, results: Sequence[Any], pending: int) -> None:
        self.whole: Future[list[Any]] = Future()
        self.whole.set_running_or_notify_cancel()
        self._results = [None if isinstance(result, Future) else result for result in results]
        self._failed = False
        self._pending = pending
        self._lock = Lock()

    def settle(self, n: int, done: Future[Any]) -> None:
        error = CancelledError() if done.cancelled() else done.exception()
        with self._lock:
            if self._failed:
                return
            if error is None:
                self._results[n] = done.result()
            self._failed = error is not None
            self._pending -= 1
            waiting = self._pending > 0
        if error is not None:
            self.whole.set_exception(error)
        elif not waiting:
            self.whole.set_result(self._results)


ITI_8 = Hl7v2Transaction(
    number="ITI-8",
    name="Patient Identity Feed",
    initiators=(Actor.PATIENT_IDENTITY_SOURCE,),
    responders=(Actor.PATIENT_IDENTIFIER_CROSS_REFERENCE_MANAGER, Actor.DOCUMENT_REGISTRY),
    binding=Hl7v2("ADT", frozenset(FeedEvent), "2.3.1"),
    decode_request=decode_request,
    perform=perform,
)
