"""What the tests of ITI-64 share: three patients, documents of local identifiers, and the message that moves them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tests.xds.registry.build import (
    APPROVED,
    AUTHORITY,
    BOTH,
    OTHER_PATIENT,
    PATIENT,
    entry,
    query,
    submission,
)
from xds.datatypes.hl7 import CX, HD
from xds.ebxml import fragments
from xds.metadata.registry_object import RegistryObject
from xds.patients.feed import IdentityFeed
from xds.ports import StoredObject
from xds.registry import AppliedFeed, DocumentRegistry
from xds.vocab.ebrim import AssociationType, DocumentEntryType, ObjectKind, SlotName, Status
from xds.vocab.hl7 import FeedEvent

NEW, OLD, THIRD = OTHER_PATIENT, PATIENT, f"P3^^^&{AUTHORITY}&ISO"
STRANGER = f"P9^^^&{AUTHORITY}&ISO"
LOCAL, SUBSUMED, OTHER_LOCAL = "L1^^^&1.2.3&ISO", "L0^^^&1.2.3&ISO", "M5^^^&1.2.3&ISO"
MANAGER = HD("1.2.3.99")
DE, SS, FD = ObjectKind.DOCUMENT_ENTRY, ObjectKind.SUBMISSION_SET, ObjectKind.FOLDER
HAS_MEMBER = AssociationType.HAS_MEMBER.value


def change(
    new: str = NEW, local: str = LOCAL, previous: str = OLD, subsumed: str = "", sender: HD = MANAGER
) -> IdentityFeed:
    return IdentityFeed(
        event=FeedEvent.CHANGE_XAD_PID,
        identifiers=(CX.parse(new), CX.parse(local)),
        prior_identifiers=tuple(CX.parse(text) for text in (previous, subsumed) if text),
        sending_application=sender,
    )


@dataclass(frozen=True)
class World:
    """A registry that knows three patients."""

    registry: DocumentRegistry

    def announce(self, identifier: str) -> None:
        feed = IdentityFeed(event=FeedEvent.ADMIT, identifiers=(CX.parse(identifier),))
        self.registry.apply_feed(feed).result()

    def merge(self, subsumed: str, survivor: str) -> None:
        self.registry.apply_feed(
            IdentityFeed(
                event=FeedEvent.MERGE, identifiers=(CX.parse(survivor),), prior_identifiers=(CX.parse(subsumed),)
            )
        ).result()

    def put(self, *objects: RegistryObject) -> tuple[str, ...]:
        """Register objects; the ids they got."""
        self.registry.register(submission(*objects))
        return tuple(o.id for o in objects)

    def change(self, **given: str) -> AppliedFeed:
        return self.registry.apply_feed(change(**given)).result()

    def ask(self, name: str, **parameters: object) -> list[StoredObject]:
        return list(self.registry.query(query(name, **parameters)).objects)

    def refs(self, name: str, **parameters: object) -> list[StoredObject]:
        return list(self.registry.query(query(name, leaf=False, **parameters)).objects)

    def entries(self, patient: str, statuses: Collection[str] = (APPROVED,)) -> list[StoredObject]:
        asked = {"XDSDocumentEntryPatientId": patient, "XDSDocumentEntryStatus": list(statuses)}
        return self.ask("FindDocuments", XDSDocumentEntryType=list(DocumentEntryType), **asked)

    def folders(self, patient: str, statuses: Collection[str] = (APPROVED,)) -> list[StoredObject]:
        return self.ask("FindFolders", XDSFolderPatientId=patient, XDSFolderStatus=list(statuses))

    def sets(self, patient: str) -> list[StoredObject]:
        return self.ask("FindSubmissionSets", XDSSubmissionSetPatientId=patient, XDSSubmissionSetStatus=[APPROVED])

    def all(self, patient: str) -> list[tuple[str, Status, int, str]]:
        every = {f"XDS{kind}Status": list(BOTH) for kind in ("DocumentEntry", "SubmissionSet", "Folder", "Association")}
        found = self.refs("GetAll", patientId=patient, **every)
        return sorted((o.entry_uuid, o.status, o.version, o.lid) for o in found)

    def now(self, uuid: str) -> StoredObject:
        """The last version of the object whose first one has this id, or the Association that has it."""
        [found] = self.registry.store.read(lambda reader: reader.by_uuid([uuid]))
        if found.kind is DE:
            [found] = self.refs("GetDocuments", XDSDocumentEntryLogicalID=[uuid])
        elif found.kind is FD:
            [found] = self.refs("GetFolders", XDSFolderLogicalID=[uuid])
        return found

    def links(self, uuid: str, *, statuses: Collection[Status] = (Status.APPROVED,)) -> list[StoredObject]:
        found = self.registry.store.read(lambda reader: reader.associations(sources=[uuid], targets=[uuid]))
        return [a for a in found if a.status in statuses]

    def related(self, uuid: str) -> list[tuple[str, str, str]]:
        """The Approved relationships between an entry and others."""
        links = self.links(uuid)
        return sorted((a.association_type, a.source, a.target) for a in links if a.association_type != HAS_MEMBER)

    def content(self, folder: str) -> set[str]:
        objects = self.ask("GetFolderAndContents", XDSFolderEntryUUID=folder)
        return {o.entry_uuid for o in objects if o.kind is DE}

    def decoded(self, uuid: str) -> RegistryObject:
        [found] = self.registry.store.read(lambda reader: reader.by_uuid([uuid]))
        return fragments.decode(found)


def document(id: str = "Document01", local: str = LOCAL, **given: object) -> RegistryObject:
    slots = {SlotName.SOURCE_PATIENT_ID.value: [local]}
    return entry(id, slots=slots, **given)  # type: ignore[arg-type]
