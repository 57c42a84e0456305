"""What the queries over HL7 v2 have in common: QPD, RCP, DSC and the RSP that answers (ITI TF-2 3.9, 3.21, 3.22).

A responder reads liberally and echoes QPD unchanged; every departure is told to ``tolerate`` by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from xds.datatypes.hl7 import HD, NOBODY
from xds.errors import PeerRejected, PeerUnreachable
from xds.hl7v2.ack import Acknowledgement, answer_to, write_answer
from xds.hl7v2.adt import write_msh
from xds.hl7v2.er7 import Content, Field, Message, Segment, message, segment
from xds.hl7v2.errors import Hl7Error, Location, reject
from xds.hl7v2.segments import Header, hd_content, read_cx
from xds.vocab.hl7 import AckCode, Hl7ErrorCode

Tolerate = Callable[[str], None]

VERSION: Final = "2.5"
_REQUIRED: Final = Hl7ErrorCode.REQUIRED_FIELD_MISSING
_NOT_IN_TABLE: Final = Hl7ErrorCode.TABLE_VALUE_NOT_FOUND

# what reading a query tolerates, by the name of its counter; docs/reference/tolerances.md
TOLERATED: Final = {
    "query name": ("the name of a query is written in another way", "ITI TF-2, 3.9.4.1.2.2"),
    "no query tag": ("QPD-2 is empty; so is QAK-1 of the answer", "ITI TF-2, 3.9.4.1.2.2"),
    "no RCP": ("the query does not say how it wants its answer; it gets it at once", "ITI TF-2, 3.9.4.1.2.3"),
    "query priority": ("RCP-1 is not I; the answer comes at once", "ITI TF-2, 3.9.4.1.2.3"),
    "QPD-3 repeated": ("QPD-3 repeats; the first one is looked up", "ITI TF-2, 3.9.4.1.2.2"),
    "domain in component 1": ("a domain stands in component 1 instead of 4", "ITI TF-2, 3.9.4.1.2.2"),
    "parameter name": ("a parameter lacks @, or the component it means", "ITI TF-2, 3.21.4.1.2.3"),
    "parameter without value": ("a parameter is empty or null; it is left out", "ITI TF-2, 3.21.4.1.2.3"),
    "characters lost in an answer": ("the sender's character set does not have them; they are ?", "ITI TF-2, C.2.2"),
}


# --------------------------------------------------------------------------- reading a query


def read_qpd(source: Message, names: Sequence[str], tolerate: Tolerate) -> Segment:
    """The QPD of a query with one of these names; 100 without it, 101 and 103 for its name.

    The first of ``names`` is that of the Framework. MSH-9 has decided which query this is, so that a name in another
    spelling, or in the wrong component, does no harm.
    """
    qpd = source["QPD"]
    name = qpd[1]
    given = [text.strip() for text in name.texts(3)]
    if given[0] != names[0]:
        if not any(given):
            raise reject(_REQUIRED, Location("QPD", 1, 1), "QPD-1, the name of the query, is required")
        if not {_folded(text) for text in given} & {_folded(text) for text in names}:
            raise reject(_NOT_IN_TABLE, Location("QPD", 1, 1, 1, 1), f"QPD-1 is {names[0]} here")
        tolerate("query name")
    if not qpd.raw(2):
        tolerate("no query tag")
    rcp = source.find("RCP")
    if rcp is None:
        tolerate("no RCP")
    elif rcp.text(1) != "I":
        tolerate("query priority")
    return qpd


def _folded(name: str) -> str:
    return name.replace(" ", "").replace("_", "").upper()


def read_domains(field: Field, tolerate: Tolerate) -> tuple[HD, ...]:
    """The domains of QPD-4 or QPD-8: each a CX that has its component 4 only. Empty repetitions say nothing."""
    domains = []
    for repetition in field.repetitions:
        cx = read_cx(repetition)
        if cx.assigning_authority:
            domains.append(cx.assigning_authority)
        elif any(parts := repetition.subcomponents(1)):
            tolerate("domain in component 1")
            domains.append(HD(*parts[:3]))
    return tuple(domains)


def repetition_of(field: Field, ordinal: int) -> int:
    """The repetition of the field that gave the domain with this position in ``read_domains``."""
    repetitions = enumerate(field.repetitions, 1)
    said = [n for n, r in repetitions if read_cx(r).assigning_authority or any(r.subcomponents(1))]
    return said[ordinal - 1]


def read_limit(source: Message) -> int | None:
    """RCP-2, the records of one page: ``n^RD``, n > 0 (ITI TF-2 3.21.4.1.2.5)."""
    rcp = source.find("RCP")
    if rcp is None or not rcp.raw(2):
        return None
    number, unit = (text.strip() for text in rcp[2].texts(2))
    if not number:
        return None
    if not (number.isascii() and number.isdigit() and len(number) < 10 and int(number)):
        raise reject(
            Hl7ErrorCode.DATA_TYPE_ERROR, Location("RCP", 1, 2, 1, 1), "a number of records above 0 is required"
        )
    if unit not in ("", "RD"):
        raise reject(_NOT_IN_TABLE, Location("RCP", 1, 2, 1, 2), "the quantity is counted in RD, records")
    return int(number)


def read_pointer(source: Message) -> str:
    """DSC-1, which continues an earlier answer; "" for a new query."""
    dsc = source.find("DSC")
    return dsc.text(1) if dsc is not None else ""


# --------------------------------------------------------------------------- writing a response


def write_response(
    source: Message,
    header: Header,
    kind: tuple[str, str, str],
    status: str,
    body: Sequence[str] = (),
    *,
    code: AckCode = AckCode.AA,
    errors: Sequence[Hl7Error] = (),
    hits: Sequence[str] = (),
    control_id: str,
    time: str,
    tolerate: Tolerate,
) -> bytes:
    """MSH MSA [ERR] QAK QPD and the segments of ``body``. ``hits`` are QAK-4 to QAK-6; QPD is echoed as it came."""
    d, qpd = header.delimiters, source["QPD"]
    qak = f"QAK{d.field}{qpd.raw(2)}{d.field}{status}"
    if hits:
        qak = d.field.join((qak, qpd.raw(1), *hits)).rstrip(d.field)
    return write_answer(
        header,
        d.component.join(kind) if d.component else kind[0],
        code,
        errors,
        control_id=control_id,
        time=time,
        body=(qak, qpd.line, *body),
        lossy=lambda: tolerate("characters lost in an answer"),
    )


def is_about_query(source: Message, errors: Sequence[Hl7Error]) -> bool:
    """Whether a refusal is told in a response: not when MSH is to blame, nor when there is no QPD to echo (C.2.3)."""
    where = errors[0].location if errors else None
    return source.find("QPD") is not None and not (where is not None and where.segment == "MSH")


# --------------------------------------------------------------------------- a consumer's side


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What a consumer's message needs besides its query: MSH-3 to MSH-7, MSH-10, and the codec to write."""

    sending_application: HD = NOBODY
    sending_facility: HD = NOBODY
    receiving_application: HD = NOBODY
    receiving_facility: HD = NOBODY
    control_id: str
    time: str
    charset: str = "utf-8"

    @property
    def names(self) -> tuple[HD, HD, HD, HD]:
        """MSH-3 to MSH-6."""
        return self.sending_application, self.sending_facility, self.receiving_application, self.receiving_facility


def write_query(
    envelope: Envelope, kind: tuple[str, str, str], qpd: str, *, limit: int | None = None, pointer: str = ""
) -> Message:
    """MSH QPD RCP [DSC]."""
    e = envelope
    msh = write_msh(kind, e.names, e.time, e.control_id, version=VERSION, charset=e.charset)
    rcp = segment("RCP", "I", (str(limit), "RD") if limit is not None else None)
    dsc = segment("DSC", pointer, "I") if pointer else ""
    return message(msh, qpd, rcp, dsc, charset=e.charset)


def domain_content(domains: Sequence[HD]) -> Content:
    """QPD-4 or QPD-8."""
    return [("", "", "", hd_content(domain)) for domain in domains]


def read_response(data: bytes, query: Message) -> Acknowledgement:
    """The answer to a query of ours, or PeerUnreachable when it is none: no HL7, another message's or tag's.

    It may be an ACK, by which a peer refuses what it does not do; see ``accepted``.
    """
    answer = answer_to(query.control_id, data)
    qak = answer.message.find("QAK")
    tag = query["QPD"].raw(2) if "QPD" in query else ""
    if qak is not None and qak.raw(1) not in ("", tag):
        raise PeerUnreachable("the answer belongs to another query")
    return answer


def accepted(answer: Acknowledgement) -> bool:
    """Whether the query was performed, found something or not. Raises PeerRejected when there is no response in it."""
    qak = answer.message.find("QAK")
    status = qak.text(2) if qak is not None else ""
    if answer.accepted and status in ("OK", "NF"):
        return True
    if answer.accepted and qak is None:
        raise PeerRejected("the peer acknowledged the query and did not answer it")
    return False


def blamed(answer: Acknowledgement) -> list[tuple[str, ...]]:
    """The locations of unknown keys (204), as their components without the empty ones at the end."""
    component = answer.message.delimiters.component
    unknown = (e.location for e in answer.errors if e.code == Hl7ErrorCode.UNKNOWN_KEY_IDENTIFIER)
    return [tuple(where.replace(component, "^").rstrip("^").split("^")) for where in unknown if where]
