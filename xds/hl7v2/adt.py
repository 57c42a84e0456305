"""The ADT messages of the PIX family ↔ :class:`~xds.patients.feed.IdentityFeed` (ITI TF-2 3.8.4, 3.30.4, 3.64.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from xds.datatypes.hl7 import CX, HD, XPN
from xds.hl7v2.er7 import NULL, Field, Message, Segment, message, segment
from xds.hl7v2.errors import Hl7Rejected, Location, reject
from xds.hl7v2.escapes import STANDARD
from xds.hl7v2.feeds import Feed
from xds.hl7v2.segments import (
    hd_content,
    read_cx,
    read_demographics,
    read_hd,
    read_identifiers,
    read_names,
    read_visit,
    write_mrg,
    write_pid,
    write_pv1,
)
from xds.hl7v2.times import instant, own_zone
from xds.patients.feed import FeedRejected, IdentityFeed, Refusal
from xds.patients.visit import Visit
from xds.vocab.hl7 import STRUCTURES, FeedEvent, Hl7ErrorCode, charset_of

Tolerate = Callable[[str], None]

# characters of CX.1: what XDS metadata has room for (ITI TF-3, table 4.2.3.1.7-2); HL7 v2.5 itself has 15
_MAX_ID: Final = 256
# more than any time zone that a sender leaves out or gets wrong
_AHEAD: Final = timedelta(days=1)
_NO_VISIT: Final = frozenset({FeedEvent.CREATE, FeedEvent.UPDATE_PERSON})  # PV1-2 is N: ITI TF-2 3.30.6.2.3

# what reading a feed tolerates, by the name of its counter; docs/reference/tolerances.md
TOLERATED: Final = {
    "MRG repeated in a merge": ("several MRG follow one PID; all of them end in it", "ITI TF-2, 3.8.4.2.2"),
    "PID repeated in a merge": ("the same PID stands before each MRG; all of them end in it", "ITI TF-2, 3.8.4.2.2"),
    "time not readable": ("EVN-2 or MSH-7 is no time; the other one counts", "HL7 v2.5, 2.A.79"),
    "time far in the future": ("an event is recorded more than a day ahead; it orders nothing", "ITI TF-2, C.2.4"),
}


# --------------------------------------------------------------------------- message → value


def read_feed(
    source: Message, event: FeedEvent, feed: Feed, *, received: datetime | None = None, tolerate: Tolerate
) -> IdentityFeed:
    """The event of an ADT message. Raises Hl7Rejected: 100 without PID or MRG, 101 without an identifier in them.

    ``received`` is now, by which times in the future are found.
    """
    pid = source["PID"]
    authority = feed.assigning_authority
    prior: tuple[CX, ...] = ()
    prior_names: tuple[XPN, ...] = ()
    linked: tuple[CX, ...] = ()
    visit: Visit | None = None
    pids = source.all("PID") if _has_several(source) else [pid]
    if event is FeedEvent.CHANGE_XAD_PID:
        _one(pids)
        identifiers, prior = _xad_pids(pid[3], source["MRG"][1])
    else:
        identifiers = _identifiers(pid[3], Location("PID", 1, 3), authority)
        if event.has_prior:
            _one_survivor(pids, identifiers, authority, tolerate)
            prior, prior_names = _prior(source, authority, tolerate)
        elif event.links:
            linked = _linked(pids, authority)
        else:
            _one(pids)
            pv1 = None if event in _NO_VISIT else source.find("PV1")
            visit = read_visit(pv1) if pv1 is not None else None
    msh, evn = source["MSH"], source.find("EVN")
    message_time, recorded_time = msh.text(7), evn.text(2) if evn else ""
    recorded_at = _recorded_at(recorded_time, message_time, feed, tolerate)
    ahead = recorded_at is not None and received is not None and recorded_at > received + _AHEAD
    if ahead:
        tolerate("time far in the future")
    return IdentityFeed(
        event=event,
        identifiers=identifiers,
        demographics=read_demographics(pid),
        prior_identifiers=prior,
        prior_names=prior_names,
        linked_identifiers=linked,
        visit=visit,
        sending_application=read_hd(msh[3]),
        sending_facility=read_hd(msh[4]),
        receiving_application=read_hd(msh[5]),
        receiving_facility=read_hd(msh[6]),
        control_id=str(msh[10]),
        message_time=message_time,
        recorded_time=recorded_time,
        occurred_time=evn.text(6) if evn else "",
        recorded_at=recorded_at,
        recorded_ahead=ahead,
    )


def _has_several(source: Message) -> bool:
    start = "PID" + source.delimiters.field
    return sum([line.startswith(start) for line in source.lines]) > 1


def _one(pids: list[Segment]) -> None:
    """A message is about one patient (ITI TF-2 C.2.5); a second one is not dropped in silence."""
    if len(pids) > 1:
        raise reject(Hl7ErrorCode.SEGMENT_SEQUENCE_ERROR, Location("PID", 2), "a message is about one patient")


def _identifiers(field: Field, where: Location, authority: HD | None) -> tuple[CX, ...]:
    """The identifiers of PID-3 or MRG-1: at least one is required (ITI TF-2 3.8.4.1.2.3, 3.8.4.2.2.4)."""
    found = read_identifiers(field)
    first = replace(where, repetition=1, component=1)
    if not found:
        problem = f"{where.segment}-{where.field} has no identifier"
        where = first if field and not field.is_null else where
        raise reject(Hl7ErrorCode.REQUIRED_FIELD_MISSING, where, problem)
    if any(len(cx.id) > _MAX_ID for cx in found):
        raise reject(Hl7ErrorCode.DATA_TYPE_ERROR, first, "the identifier is too long")
    if authority is None:
        return found
    return tuple(cx if cx.assigning_authority else replace(cx, assigning_authority=authority) for cx in found)


def _one_survivor(pids: list[Segment], survivor: tuple[CX, ...], authority: HD | None, tolerate: Tolerate) -> None:
    """One merge per message (ITI TF-2 3.8.4.2.2). HL7 lets PID and MRG repeat: read when all are of one patient."""
    for number, pid in enumerate(pids[1:], 2):
        if set(_identifiers(pid[3], Location("PID", number, 3), authority)) != set(survivor):
            raise reject(
                Hl7ErrorCode.SEGMENT_SEQUENCE_ERROR, Location("PID", number), "a message merges into one patient"
            )
    if len(pids) > 1:
        tolerate("PID repeated in a merge")


def _prior(source: Message, authority: HD | None, tolerate: Tolerate) -> tuple[tuple[CX, ...], tuple[XPN, ...]]:
    """What ends: the repetitions of MRG-1, and of further MRG segments as older systems send them."""
    first = source["MRG"]
    prior, names = _identifiers(first[1], Location("MRG", 1, 1), authority), read_names(first[7])
    further = source.all("MRG")[1:]
    for number, mrg in enumerate(further, 2):
        prior += _identifiers(mrg[1], Location("MRG", number, 1), authority)
    if further:
        tolerate("MRG repeated in a merge")
    return prior, names


def _linked(pids: list[Segment], authority: HD | None) -> tuple[CX, ...]:
    """The second of exactly two PID (ITI TF-2 3.30.6.6.2)."""
    if len(pids) != 2:
        where = Location("PID", 2 if len(pids) < 2 else 3)
        raise reject(Hl7ErrorCode.SEGMENT_SEQUENCE_ERROR, where, "a link is between two patients")
    return _identifiers(pids[1][3], Location("PID", 2, 3), authority)


def _xad_pids(pid_3: Field, mrg_1: Field) -> tuple[tuple[CX, ...], tuple[CX, ...]]:
    """PID-3: new XAD-PID, local id; MRG-1: previous XAD-PID, perhaps a subsumed local id (ITI TF-2 3.64.4.1.2).

    Their order is their meaning, and each has its authority in full.
    """
    return _placed(pid_3, Location("PID", 1, 3), 2), _placed(mrg_1, Location("MRG", 1, 1), 1)


def _placed(field: Field, where: Location, required: int) -> tuple[CX, ...]:
    found = [read_cx(repetition) for repetition in field.repetitions[:2]]
    while len(found) > required and not found[-1].id:
        found.pop()
    for n in range(1, max(required, len(found)) + 1):
        cx = found[n - 1] if n <= len(found) else CX()
        authority = cx.assigning_authority
        component = 0 if n > len(found) else 1 if not cx.id else 4
        if not (cx.id and authority.universal_id and authority.universal_id_type):
            problem = "an identifier with its assigning authority is required"
            raise reject(
                Hl7ErrorCode.REQUIRED_FIELD_MISSING, replace(where, repetition=n, component=component), problem
            )
        if len(cx.id) > _MAX_ID:
            where = replace(where, repetition=n, component=1)
            raise reject(Hl7ErrorCode.DATA_TYPE_ERROR, where, "the identifier is too long")
    return tuple(found)


def _recorded_at(recorded: str, sent: str, feed: Feed, tolerate: Tolerate) -> datetime | None:
    """EVN-2, or MSH-7 where that is missing or unreadable; a zone in MSH-7 holds for all times (HL7 v2.5 2.15.9.7)."""
    zone = feed.zone
    if sent and recorded and sent[-5:-4] in ("+", "-"):
        zone = own_zone(sent) or zone
    moment = instant(recorded, zone) if recorded else None
    if moment is None:
        moment = instant(sent, feed.zone) if sent else None
        if recorded or (sent and moment is None):
            tolerate("time not readable")
    return moment


# --------------------------------------------------------------------------- value → message


def write_feed(feed: IdentityFeed, *, version: str, charset: str = "utf-8") -> Message:
    """The ADT message that says this. ``charset`` is the Python codec to write; MSH-18 announces it.

    ``control_id`` and ``message_time`` must be set.
    """
    if not feed.control_id or not feed.message_time:
        raise ValueError("MSH-7 and MSH-10 are required")
    event = feed.event
    names = (feed.sending_application, feed.sending_facility, feed.receiving_application, feed.receiving_facility)
    msh = write_msh(
        ("ADT", event, STRUCTURES[event]), names, feed.message_time, feed.control_id, version=version, charset=charset
    )
    evn = segment("EVN", event, feed.recorded_time or feed.message_time, None, None, None, feed.occurred_time)
    pid = write_pid(feed.identifiers, feed.demographics)
    if event.has_prior:
        tail = [write_mrg(feed.prior_identifiers, feed.prior_names)]
    elif event.links:
        tail = [write_pid(feed.linked_identifiers)]
    else:
        tail = []
    if not tail or event is FeedEvent.MERGE_INFORMATION:  # PV1 is required there
        tail.append(write_pv1(feed.visit))
    return message(msh, evn, pid, *tail, d=STANDARD, charset=charset)


def write_msh(
    kind: tuple[str, str, str],
    names: tuple[HD, HD, HD, HD],
    time: str,
    control_id: str,
    *,
    version: str,
    charset: str = "utf-8",
) -> str:
    """The MSH of a message that we begin: ``names`` are MSH-3 to MSH-6."""
    announced = charset_of(charset) if charset != "ascii" else None
    head = (*map(hd_content, names), time, None, kind, control_id, "P", version)
    return segment("MSH", *head, *[None] * 5, announced)


# --------------------------------------------------------------------------- refusals

# reason of an actor → table 0357, and whether the identifier or its domain is to blame
_REFUSALS: Final[dict[Refusal, tuple[Hl7ErrorCode, int]]] = {
    Refusal.SELF_MERGE: (Hl7ErrorCode.DUPLICATE_KEY_IDENTIFIER, 1),
    Refusal.CYCLE: (Hl7ErrorCode.DUPLICATE_KEY_IDENTIFIER, 1),
    Refusal.UNKNOWN_SURVIVOR: (Hl7ErrorCode.UNKNOWN_KEY_IDENTIFIER, 1),
    Refusal.UNKNOWN_IDENTIFIER: (Hl7ErrorCode.UNKNOWN_KEY_IDENTIFIER, 1),
    Refusal.FOREIGN_DOMAIN: (Hl7ErrorCode.UNKNOWN_KEY_IDENTIFIER, 4),
    Refusal.SOURCE_NOT_ALLOWED: (Hl7ErrorCode.UNKNOWN_KEY_IDENTIFIER, 4),
    Refusal.ALREADY_SUBSUMED: (Hl7ErrorCode.UNKNOWN_KEY_IDENTIFIER, 1),
    Refusal.IDENTIFIER_TAKEN: (Hl7ErrorCode.DUPLICATE_KEY_IDENTIFIER, 1),
}


def refusal(event: FeedEvent, error: FeedRejected, source: Message | None = None) -> Hl7Rejected:
    """The answer to a feed that an actor refuses: AE, or AR for an event it does not support (ITI TF-2 3.30.6.4.4).

    With the message, ``source``, its place counts the repetitions and segments that say nothing, too.
    """
    text = str(error.reason)
    if error.reason is Refusal.NOT_SUPPORTED:
        return reject(Hl7ErrorCode.UNSUPPORTED_EVENT_CODE, Location("MSH", 1, 9, 1, 2), text)
    code, component = _REFUSALS[error.reason]
    name, sequence, field = "PID", 1, 3
    if error.prior:
        name, sequence, field = ("PID", 2, 3) if event.links else ("MRG", 1, 1)
    repetition = error.ordinal
    if source is not None and event is not FeedEvent.CHANGE_XAD_PID:  # whose places are fixed
        places = _places(source.all(name)[sequence - 1 :], sequence, field)
        sequence, repetition = places[error.ordinal - 1] if error.ordinal <= len(places) else (sequence, repetition)
    return reject(code, Location(name, sequence, field, repetition, component), text)


def _places(segments: list[Segment], first: int, field: int) -> list[tuple[int, int]]:
    """Segment and repetition of each identifier that was read."""
    return [
        (sequence, number)
        for sequence, one in enumerate(segments, first)
        for number, repetition in enumerate(one[field].repetitions, 1)
        if repetition[1].strip() not in ("", NULL)
    ]
