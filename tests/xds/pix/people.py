"""Feeds, submissions and questions for the tests of the manager."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.xds.registry.build import BOTH, entry, query, submission
from xds.datatypes.hl7 import CX, HD, XPN
from xds.errors import RequestRejected
from xds.patients.demographics import Demographics
from xds.patients.feed import IdentityFeed
from xds.patients.queries import CrossReferenceQuery, UnknownIdentifier
from xds.pix import AppliedFeed, PatientIdentifierCrossReferenceManager
from xds.registry import DEFAULT_ASSIGNING_AUTHORITY as AFFINITY
from xds.registry import DocumentRegistry
from xds.transactions.applying import apply_feed
from xds.vocab.hl7 import FeedEvent

HOSPITAL_A = HD("HA", "1.2.3.1", "ISO")
HOSPITAL_B = HD("HB", "1.2.3.2", "ISO")
_numbers = count(1)


def x(id: str) -> CX:
    """An identifier of the affinity domain."""
    return CX.of(id, AFFINITY)


def a(id: str) -> CX:
    return CX(id, HOSPITAL_A)


def b(id: str) -> CX:
    return CX(id, HOSPITAL_B)


def person(family: str = "Fictitious", given: str = "Ada", **more: Any) -> Demographics:
    more.setdefault("birth_time", "19700102")
    return Demographics(names=(XPN(family, given),), **more)


def feed(event: FeedEvent, *identifiers: CX, **more: Any) -> IdentityFeed:
    more.setdefault("control_id", f"M{next(_numbers)}")
    more.setdefault("sending_application", HD("HIS"))
    if not (event.has_prior or event.links):
        more.setdefault("demographics", person())
    return IdentityFeed(event=event, identifiers=identifiers, **more)


@dataclass
class Region:
    """A manager and a registry on one store; a feed reaches both in one transaction."""

    manager: PatientIdentifierCrossReferenceManager
    registry: DocumentRegistry

    def send(self, event: FeedEvent, *identifiers: CX, **more: Any) -> AppliedFeed:
        return self.take(feed(event, *identifiers, **more))

    def take(self, message: IdentityFeed) -> AppliedFeed:
        applied = apply_feed([self.manager, self.registry], message)
        assert isinstance(applied, Future)
        first: AppliedFeed = applied.result()[0]
        return first

    def admit(self, *identifiers: CX, **more: Any) -> AppliedFeed:
        return self.send(FeedEvent.ADMIT, *identifiers, **more)

    def merge(self, subsumed: CX, survivor: CX, **more: Any) -> AppliedFeed:
        return self.send(FeedEvent.MERGE, survivor, prior_identifiers=(subsumed,), **more)

    def others(self, identifier: CX, *domains: HD) -> list[str] | None:
        """Ids in other domains, None when the identifier is unknown."""
        try:
            found = self.manager.find_identifiers(CrossReferenceQuery(identifier=identifier, domains=domains))
        except UnknownIdentifier:
            return None
        return [cx.id for cx in found]

    def submit(self, patient: CX) -> str | None:
        """Register a document; the error code when it is refused."""
        made = submission(entry(patient=wire(patient)))
        try:
            self.registry.register(made)
        except RequestRejected as error:
            return str(error.code)
        return None

    def documents(self, patient: CX) -> list[str]:
        """The patientIds of the documents that are found for this patient."""
        asked = query("FindDocuments", XDSDocumentEntryPatientId=wire(patient), XDSDocumentEntryStatus=BOTH)
        found = self.registry.query(asked)
        return [o.patient_id for o in found.objects]


def wire(identifier: CX) -> str:
    return str(CX(identifier.id, HD("", identifier.assigning_authority.universal_id, "ISO")))
