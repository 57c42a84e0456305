"""A message becomes a submission: one SubmissionSet, and a DocumentEntry for each document in it.

Where an attribute comes from (HL7 v2.5, chapters 7 and 9):

======================== =================================================== ======================================
attribute                MDM                                                 ORU
======================== =================================================== ======================================
patientId                the PID-3 of the affinity domain                    the same
sourcePatientId, -Info   another PID-3 with an OID, else that; PID-5, 7, 8, 11 the same
uniqueId                 TXA-12                                              OBR-3 with OBX-1 and OBX-3
creationTime             TXA-6, TXA-4, MSH-7                                 OBR-22, OBR-7, MSH-7
serviceStartTime, -Stop  TXA-4                                               OBR-7, OBR-8
author                   TXA-9, TXA-5                                        OBR-16, OBR-32
legalAuthenticator       TXA-22                                              OBR-32
title                    TXA-25                                              OBX-3.2, OBR-4.2
======================== =================================================== ======================================

What the header of a CDA document says about uniqueId, title and language wins, and it fills what the message leaves
out. Identifiers that are no OIDs become OIDs below 2.25 which follow from them, so that the same message says the same.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from xds.bridge.content import Content, documents
from xds.bridge.mapping import Lookup, Mapping, Place, Sender
from xds.clients.cda import metadata_from_cda
from xds.datatypes.hl7 import CX
from xds.datatypes.ids import is_oid
from xds.datatypes.time import dtm_number
from xds.errors import MalformedMessage, MessageTooLarge
from xds.hl7v2.er7 import Message, Repetition, Segment
from xds.hl7v2.errors import Location, reject
from xds.hl7v2.segments import Header, read_identifiers
from xds.metadata.common import Author, Code, SourcePatientInfo
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.submission_set import SubmissionSet
from xds.transactions.base import Hl7v2Request
from xds.vocab.ebrim import AssociationType
from xds.vocab.hl7 import Hl7ErrorCode

_MAX_TITLE: Final = 128
_TIME: Final = re.compile(r"(\d{4,14})(?:\.\d+)?([+-]\d{4})?\Z", re.ASCII)
_RELATIONS: Final = {
    "T06": AssociationType.APND,  # addendum
    "T08": AssociationType.RPLC,  # edit
    "T10": AssociationType.RPLC,  # replacement
}


@dataclass(frozen=True, slots=True)
class Bridged:
    """A message on its way to ITI-41. ``parent`` is the uniqueId of a registered document, related by ``relation``."""

    submission_set: SubmissionSet
    documents: tuple[tuple[DocumentEntry, bytes], ...]
    relation: AssociationType | None = None
    parent: str | None = None


class Bridge:
    """Makes submissions of messages. ``domain`` is the OID of the affinity domain. Thread-safe."""

    def __init__(self, mapping: Mapping, domain: str) -> None:
        self.mapping = mapping
        self.domain = domain

    def convert(self, request: Hl7v2Request) -> Bridged | None:
        """The submission in a message; None for an ORU without a document. Raises Hl7Rejected."""
        sender = self.mapping.of(request.header.sending_application, request.header.sending_facility)
        if sender is None:
            raise reject(
                Hl7ErrorCode.TABLE_VALUE_NOT_FOUND, Location("MSH", 1, 3), "no mapping names this sender as one"
            )
        reading = _Reading(request, sender, self.domain)
        return reading.document_message() if request.header.message_type == "MDM" else reading.results()


class _Reading:
    """One message, while it is read."""

    def __init__(self, request: Hl7v2Request, sender: Sender, domain: str) -> None:
        self.message: Message = request.message
        self.header: Header = request.header
        self.feed = request.feed
        self.sender = sender
        self.domain = domain
        self.pid = request.message["PID"]
        self.patient_id, self.source_id = self._patient()

    # ----------------------------------------------------------------- MDM

    def document_message(self) -> Bridged:
        txa = self.message["TXA"]
        observations = list(enumerate(self.message.all("OBX"), 1))
        found = documents(observations, text=True)
        if not found:
            raise reject(Hl7ErrorCode.REQUIRED_FIELD_MISSING, Location("OBX", 1, 5), "the message has no document")
        if len(found) > 1:
            raise reject(
                Hl7ErrorCode.DATA_TYPE_ERROR, Location("OBX", found[1].number, 5), "an MDM message has one document"
            )
        if not txa.text(12):
            raise reject(Hl7ErrorCode.REQUIRED_FIELD_MISSING, Location("TXA", 1, 12), "the document has no number")
        entry = self._entry(
            found[0],
            unique_id=self._unique_id(txa[12]),
            segments={"TXA": txa},
            creation=(txa.text(6), txa.text(4)),
            start=txa.text(4),
            stop="",
            authors=(txa[9], txa[5]),
            authenticator=txa[22],
            title=txa.text(25),
        )
        relation = _RELATIONS.get(self.header.trigger)
        parent = None
        if relation is not None:
            if not txa.text(13):
                raise reject(Hl7ErrorCode.REQUIRED_FIELD_MISSING, Location("TXA", 1, 13), "the parent has no number")
            parent = self._unique_id(txa[13])
        return self._bridged([entry], relation, parent)

    # ----------------------------------------------------------------- ORU

    def results(self) -> Bridged | None:
        entries = []
        for order, observations in self._orders():
            for found in documents(observations, text=False):
                observation = found.observation
                number = f"{order.text(3)}|{observation.text(1)}|{observation.text(3)}"
                digest = hashlib.sha256(found.data).hexdigest()
                entries.append(
                    self._entry(
                        found,
                        unique_id=self._made_oid(f"{number}|{digest}"),
                        segments={"OBR": order, "OBX": observation},
                        creation=(order.text(22), order.text(7)),
                        start=order.text(7),
                        stop=order.text(8),
                        authors=(order[16], order[32]),
                        authenticator=order[32],
                        title=observation[3][2] or order[4][2],
                    )
                )
        return self._bridged(entries, None, None) if entries else None

    def _orders(self) -> Iterator[tuple[Segment, list[tuple[int, Segment]]]]:
        """Each OBR with its OBX segments, which are numbered through the message."""
        order: Segment | None = None
        observations: list[tuple[int, Segment]] = []
        number = 0
        for segment in self.message.segments:
            if segment.id == "OBR":
                if order is not None:
                    yield order, observations
                order, observations = segment, []
            elif segment.id == "OBX":
                number += 1
                observations.append((number, segment))
        if order is None:
            raise reject(Hl7ErrorCode.SEGMENT_SEQUENCE_ERROR, Location("OBR"), "OBR is missing")
        yield order, observations

    # ----------------------------------------------------------------- the objects

    def _bridged(
        self, entries: Sequence[tuple[DocumentEntry, bytes]], relation: AssociationType | None, parent: str | None
    ) -> Bridged:
        contents = hashlib.sha256("|".join(entry.unique_id for entry, _ in entries).encode()).hexdigest()
        submission_set = SubmissionSet(
            patient_id=self.patient_id,
            source_id=self.sender.source_id,
            content_type_code=self._code("content_type_code", {}),
            # the same message again is the same submission
            unique_id=self._made_oid(f"set|{self.header.control_id}|{contents}"),
            submission_time=self._time(self.message["MSH"].text(7)) or None,
            author=entries[0][0].author,
        )
        return Bridged(submission_set, tuple(entries), relation, parent)

    def _entry(
        self,
        found: Content,
        *,
        unique_id: str,
        segments: dict[str, Segment],
        creation: Sequence[str],
        start: str,
        stop: str,
        authors: Sequence[Repetition],
        authenticator: Repetition,
        title: str,
    ) -> tuple[DocumentEntry, bytes]:
        times = [self._time(text) for text in (*creation, self.message["MSH"].text(7))]
        attributes: dict[str, Any] = {
            "patient_id": self.patient_id,
            "source_patient_id": self.source_id,
            "source_patient_info": self._demographics(),
            "unique_id": unique_id,
            "mime_type": found.mime_type,
            "creation_time": next((time for time in times if time), None),
            "service_start_time": self._time(start) or None,
            "service_stop_time": self._time(stop) or None,
            "language_code": self.sender.language,
            "author": self._author(authors),
            "legal_authenticator": _person(authenticator),
            "title": title[:_MAX_TITLE] or None,
        }
        for name in self.sender.codes.keys() - {"content_type_code"}:
            attributes[name] = self._code(name, segments)
        if found.is_cda:
            attributes = self._with_header(attributes, found)
        if not attributes["title"] and isinstance(attributes["type_code"], Code):
            attributes["title"] = attributes["type_code"].name
        return DocumentEntry(**{name: value for name, value in attributes.items() if value}), found.data

    def _with_header(self, attributes: dict[str, Any], found: Content) -> dict[str, Any]:
        """What the header of a CDA document adds, and where it knows better."""
        try:
            header = metadata_from_cda(found.data, time_zone=self.sender.time_zone).attributes
        except (MalformedMessage, MessageTooLarge) as error:
            where = Location("OBX", found.number, 5)
            raise reject(Hl7ErrorCode.DATA_TYPE_ERROR, where, f"the CDA document cannot be read: {error}") from None
        said = {name: value for name, value in attributes.items() if value}
        better = {name: header[name] for name in ("unique_id", "title", "language_code") if name in header}
        return {**attributes, **header, **said, **better}

    def _code(self, name: str, segments: dict[str, Segment]) -> Code | None:
        rule = self.sender.codes[name]
        if not isinstance(rule, Lookup):
            return rule
        value = self._at(rule.place, segments)
        code = rule.table.get(value, rule.default)
        if code is None:
            place = Location(rule.place.segment, 1, rule.place.field)
            raise reject(Hl7ErrorCode.TABLE_VALUE_NOT_FOUND, place, f"the mapping has no {name} for this value")
        return code

    def _at(self, place: Place, segments: dict[str, Segment]) -> str:
        segment = segments.get(place.segment) or self.message.find(place.segment)
        return segment[place.field][place.component].strip() if segment else ""

    # ----------------------------------------------------------------- parts

    def _patient(self) -> tuple[CX, CX]:
        """The identifier in the affinity domain, and the one at the source."""
        known = self.feed.assigning_authority
        identifiers = []
        for cx in read_identifiers(self.pid[3]):
            authority = cx.assigning_authority
            if known and (
                not authority or (not authority.universal_id and authority.namespace_id == known.namespace_id)
            ):
                authority = known
            identifiers.append((cx.id, authority.universal_id))
        inside = [id_ for id_, oid in identifiers if oid == self.domain]
        if len(set(inside)) != 1:
            problem = "has no identifier" if not inside else "has several identifiers"
            raise reject(
                Hl7ErrorCode.UNKNOWN_KEY_IDENTIFIER, Location("PID", 1, 3), f"PID-3 {problem} of the affinity domain"
            )
        outside = [(id_, oid) for id_, oid in identifiers if oid != self.domain and is_oid(oid)]
        source, oid = outside[0] if outside else (inside[0], self.domain)
        return CX.parse(f"{inside[0]}^^^&{self.domain}&ISO"), CX.parse(f"{source}^^^&{oid}&ISO")

    def _demographics(self) -> SourcePatientInfo:
        values = [f"PID-3|{self.source_id}"]
        for number in (5, 7, 8, 11):
            first = self.pid[number]
            if first and not first.is_null:
                values.append(f"PID-{number}|{first.raw}")
        return SourcePatientInfo.parse(values)

    def _author(self, candidates: Sequence[Repetition]) -> Author | None:
        person = next((person for person in map(_person, candidates) if person), None)
        institution = self.sender.institution
        if person is None and institution is None:
            return Author(institutions=self.header.sending_facility or self.header.sending_application)
        return Author(person=person, institutions=institution or ())

    def _time(self, text: str) -> str:
        """A TS as DTM in UTC (ITI TF-3, table 4.2.3.1.7-2); "" for what is no time."""
        match = _TIME.match(text.strip())
        if match is None or dtm_number(digits := match[1][: len(match[1]) - len(match[1]) % 2]) is None:
            return ""
        zone = self._zone(match[2])
        if zone is None or len(digits) < 12:
            return digits  # a day stays a day
        moment = datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=zone).astimezone(UTC)
        return f"{moment:%Y%m%d%H%M%S}"[: len(digits)]

    def _zone(self, offset: str | None) -> Any:
        if offset is None:
            return self.sender.time_zone
        minutes = int(offset[1:3]) * 60 + int(offset[3:])
        return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes)) if minutes < 24 * 60 else None

    def _unique_id(self, number: Repetition) -> str:
        """A document number (EI) as an OID."""
        identifier, oid = number[1].strip(), number[3].strip()
        if is_oid(identifier):
            return identifier
        if is_oid(oid) and is_oid(joined := f"{oid}.{identifier}"):
            return joined
        return self._made_oid(f"{oid or number[2].strip()}|{identifier}")

    def _made_oid(self, text: str) -> str:
        """An OID below 2.25 (ITU-T X.667) that follows from a text and its sender."""
        names = f"{self.header.sending_application}|{self.header.sending_facility}|{self.sender.source_id}|{text}"
        return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, names).int}"


def _person(field_: Repetition) -> str | None:
    """XCN as far as DTM of signing and the like do not follow: id, names, degree, assigning authority."""
    parts = [part.replace("\\S\\", " ") for part in field_.components[:9]]
    text = "^".join(parts).rstrip("^")
    return text if text.strip("^ ") and text != '""' else None
