"""What actors need from outside, as Protocols; ``xds.stores`` implements them.

Three rules hold for every implementation:

* ``UnitOfWork.submit`` runs one piece of work, its checks *and* its writes, all or nothing. When its Future has a
  result, the data is on disk. Work is a module-level function or a ``functools.partial`` of one with picklable
  arguments, because with several server processes it runs in the one process that writes.
* Work may be run again from the start when a neighbour in its group failed: it must not keep state outside.
* What is staged is durable but invisible until a transaction refers to it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar, runtime_checkable

from xds.errors import RegistryError
from xds.metadata.registry_object import RegistryObject, Submission
from xds.patients.records import IdentityReader, IdentityWriter
from xds.vocab.ebrim import ObjectKind, Status

T = TypeVar("T")

PatientKey = int


# --------------------------------------------------------------------------- patients


@dataclass(frozen=True, slots=True)
class PatientRecord:
    """A patient identifier of the affinity domain as the store knows it (DESIGN: identities keep their history).

    ``tree`` holds the keys whose objects a query for this identifier reads: its own, and those merged into it.
    """

    key: PatientKey
    identifier: str  # wire form: id^^^&OID&ISO
    active: bool  # False once subsumed by a merge
    tree: tuple[PatientKey, ...]


# --------------------------------------------------------------------------- registry objects


@dataclass(slots=True)
class StoredObject:
    """A registered object as it lies in the store: its columns, and its ebRIM fragment with holes in it.

    ``ebxml.fragments.fill`` joins both to XML; ``ebxml.fragments.decode`` to a RegistryObject.
    """

    kind: ObjectKind
    entry_uuid: str  # urn:uuid:…
    patient: PatientKey
    patient_id: str  # the surviving identifier, wire form; for an Association the patient it lives with
    status: Status
    lid: str
    version: int
    fragment: bytes  # as encoded by ebxml.fragments; b"" when only references were asked for
    object_type: str = ""  # DocumentEntry only
    unique_id: str = ""  # not on Associations
    last_update_time: int | None = None  # Folder only: YYYYMMDDhhmmss
    association_type: str = ""  # Association only, and the next two
    source: str = ""
    target: str = ""
    # DocumentEntry only; what the ...AndContents filters read: "code^^scheme"
    format_code: str = ""
    confidentiality_codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """Who holds a uniqueId. Several DocumentEntries may share one when hash and size agree."""

    unique_id: str
    kind: ObjectKind
    patient: PatientKey
    entry_uuid: str
    hash: str | None  # DocumentEntry only, lower case
    size: int | None


@dataclass(frozen=True, slots=True)
class TimeRange:
    """``start <= attribute < end`` as YYYYMMDDhhmmss numbers; an object without the attribute matches every range."""

    attribute: str  # creation_time, service_start_time, service_stop_time, submission_time, last_update_time
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What a Find query selects. Everything given must hold; an empty filter is no filter.

    Codes are written ``code^^scheme``. Attributes for ``one_of``: class_code, type_code, practice_setting_code,
    healthcare_facility_type_code, format_code, content_type_code, source_id. Attributes for ``codes``: event_code,
    confidentiality_code, folder_code, reference_id; each tuple is an OR, several tuples of an attribute are an AND.
    """

    kind: ObjectKind
    patients: tuple[PatientKey, ...]
    statuses: tuple[Status, ...]
    object_types: tuple[str, ...] = ()
    one_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    none_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    codes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    codes_excluded: tuple[tuple[str, tuple[str, ...]], ...] = ()
    times: tuple[TimeRange, ...] = ()
    # LIKE patterns (% and _, case-sensitive, whole value), any of them; matched in Python, the same on every database
    author_persons: tuple[str, ...] = ()
    author_persons_excluded: tuple[str, ...] = ()
    author_institutions: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    reference_ids_like: tuple[tuple[str, ...], ...] = ()


class Reader(IdentityReader, Protocol):
    """Consistent reads on one snapshot: of registered objects, here, and of people's identities, in IdentityReader."""

    def patient(self, identifier: str) -> PatientRecord | None:
        """The record of a patient identifier in wire form, or None when it was never announced."""

    def find(self, criteria: Criteria, *, references: bool = False, limit: int | None = None) -> list[StoredObject]:
        """Objects that match, newest first (creation, submission or update time, then entryUUID).

        ``references`` leaves fragments out. At most ``limit`` objects are returned.
        """

    def by_uuid(self, entry_uuids: Collection[str], *, references: bool = False) -> list[StoredObject]:
        """The objects with these entryUUIDs, of any kind, in the order asked; unknown ones are left out."""

    def by_unique_id(
        self, kind: ObjectKind, unique_ids: Collection[str], *, references: bool = False
    ) -> list[StoredObject]:
        """The objects of this kind with these uniqueIds, in the order asked."""

    def claims(self, unique_ids: Collection[str]) -> dict[str, list[Claim]]:
        """Who holds each of these uniqueIds; ids nobody holds are absent."""

    def associations(
        self,
        *,
        sources: Collection[str] = (),
        targets: Collection[str] = (),
        types: Collection[str] = (),
        references: bool = False,
        limit: int | None = None,
    ) -> list[StoredObject]:
        """Associations whose source is in ``sources`` *or* whose target is in ``targets``; each once, stable order.

        Only those of ``types`` when given; at most ``limit`` of them.
        """

    def decode(self, stored: StoredObject) -> RegistryObject:
        """All metadata of an object that was read with its fragment; the opposite of ``prepare``."""

    def slot_values(self, stored: StoredObject, name: str) -> tuple[str, ...]:
        """The values of one Slot of such an object, at a tenth of what ``decode`` costs; empty when it has none."""

    def document(self, unique_id: str) -> StoredDocument | None:
        """The document stored under this uniqueId."""

    def journal(self, kind: str) -> list[tuple[str, bytes]]:
        """Key and content of every note of this kind that was not erased, oldest first (see ``write_journal``)."""


class Transaction(IdentityWriter, Reader, Protocol):
    """Reads and writes of one unit of work. It sees its own writes. What is about identities is in IdentityWriter."""

    def lock_patient(self, identifier: str, *, create: bool = False) -> PatientRecord | None:
        """As ``patient``, and nobody else changes this patient's objects or merges it until this work is done.

        ``create`` makes an unknown identifier known.
        """

    def announce(self, identifier: str) -> bool:
        """Make a patient identifier known (ITI-8); False when it was known already."""

    def prepare(self, objects: Sequence[RegistryObject]) -> PreparedObjects:
        """As ``UnitOfWork.prepare``, for objects that the work itself makes: a replacement joining folders."""

    def insert(self, prepared: PreparedObjects, patient: PatientKey) -> None:
        """Write new objects under a patient and claim their ids.

        Raises RequestRejected: XDSRegistryMetadataError for an entryUUID that exists, XDSDuplicateUniqueIdInRegistry,
        XDSNonIdenticalHash, XDSNonIdenticalSize. The versions of one logical object share their uniqueId, whoever's
        they are.
        """

    def set_status(self, entry_uuids: Collection[str], status: Status) -> None: ...

    def touch_folders(self, entry_uuids: Collection[str], now: int) -> None:
        """lastUpdateTime := max(now, previous + 1 s), so that it moves on every change."""

    def insert_document(self, unique_id: str, mime_type: str, staged: StagedDocument) -> None:
        """Make staged bytes retrievable under a uniqueId.

        Where the same bytes are stored already nothing changes, and the staged ones are removed after the commit.
        Raises RequestRejected for other bytes: XDSNonIdenticalHash, XDSNonIdenticalSize.
        """

    def delete_document(self, unique_id: str) -> None:
        """Make a document irretrievable; its bytes go after the commit, and only when nothing else refers to them."""

    def write_journal(self, kind: str, key: str, content: bytes) -> None:
        """Note work that is under way outside this store (ITI-42 to a remote registry), so that a restart finds it.

        A second note under the same kind and key replaces the first.
        """

    def erase_journal(self, kind: str, key: str) -> None:
        """The outcome is known: forget the note."""


@dataclass(frozen=True, slots=True)
class PreparedObjects:
    """Objects rendered for the store before any lock is taken; opaque and picklable."""

    rows: Any  # the store's own shape
    count: int


class UnitOfWork(Protocol):
    """The one door to what is stored (DESIGN: who owns the transaction)."""

    def prepare(self, objects: Sequence[RegistryObject]) -> PreparedObjects:
        """Render clean objects, with UUIDs assigned; pure computation, done in the caller's thread."""

    def submit(self, work: Callable[[Transaction], T], prepared: PreparedObjects | None = None) -> Future[T]:
        """Queue work for the writer; the Future resolves after the commit is on disk, or with the work's exception.

        ``prepared`` is what the work will insert: the writer gets it ready together with its neighbours'.
        Raises StoreUnavailable when the queue is full or the store is closing.
        """

    def transaction(self, work: Callable[[Transaction], T]) -> T:
        """``submit`` and wait."""

    def read(self, work: Callable[[Reader], T]) -> T:
        """Run reads on one snapshot, in the caller's thread."""

    def stage(self) -> Stage:
        """A place for the bytes of one document."""

    def discard(self, staged: StagedDocument, *, in_doubt: bool = False) -> None:
        """Forget staged bytes after their request failed, or was answered by bytes stored before.

        Looks first: a file that a committed transaction refers to is left alone. ``in_doubt``: the work that mentions
        them failed with StoreUnavailable, and may be found done yet; they go when the store knows that it is not.
        """

    def close(self) -> None: ...


# --------------------------------------------------------------------------- documents


@dataclass(frozen=True, slots=True)
class StagedDocument:
    """Bytes that are safe but invisible. Small ones travel in ``content``, large ones lie in the file ``path``."""

    size: int
    hash: str  # SHA-1, lower-case hex
    content: bytes | None = None
    path: str | None = None  # relative to the document store
    packed: bytes | None = None  # ``content`` compressed for the store, when that is worth it; nobody else's affair


class Stage(Protocol):
    """Takes the bytes of one document as they come; counts and hashes them on the way. Not thread-safe."""

    def write(self, data: bytes | memoryview) -> None: ...

    @property
    def size(self) -> int: ...

    def finish(self) -> StagedDocument:
        """All bytes are here: large ones are synced, renamed and their directory synced. May block on the disk."""

    def discard(self) -> None:
        """Forget the bytes, before or after ``finish``; what a transaction refers to must not be discarded."""


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document that can be delivered."""

    unique_id: str
    mime_type: str
    size: int
    hash: str
    content: bytes | None = None
    path: str | None = None  # absolute path of the file when ``content`` is None

    def chunks(self, size: int = 256 * 1024) -> Iterator[bytes]:
        """The bytes, in pieces of at most ``size``."""
        if self.content is not None:
            yield self.content
            return
        assert self.path is not None
        with open(self.path, "rb") as file:
            while piece := file.read(size):
                yield piece


# --------------------------------------------------------------------------- others


@dataclass(frozen=True, slots=True)
class RegistryResponse:
    """Outcome of ITI-41, 42: Success when no entry of ``errors`` is an Error (ITI TF-3, 4.2.4)."""

    errors: tuple[RegistryError, ...] = ()


class Registrar(Protocol):
    """Repository → registry: the registry in this process, or another system's ITI-42 endpoint."""

    def register(self, submission: Submission) -> RegistryResponse:
        """Raises RequestRejected with the registry's errors, PeerUnreachable when the outcome is not known."""


class PlannedRegistration(Protocol):
    """Work that registers a submission, and what it will insert."""

    @property
    def prepared(self) -> PreparedObjects: ...

    def __call__(self, transaction: Transaction) -> RegistryResponse: ...


@runtime_checkable
class StoreRegistrar(Registrar, Protocol):
    """The registry in this process: its part of a submission can run in the caller's own transaction."""

    store: UnitOfWork

    def plan(self, submission: Submission) -> PlannedRegistration:
        """Check a submission, assign its UUIDs, render it; the picklable work that is returned registers it.

        Raises RequestRejected with every finding that needs no store; the work raises it with those that do.
        The objects of ``submission`` are changed: UUIDs, status, lid, version.
        """


class Clock(Protocol):
    def __call__(self) -> datetime:
        """The time now, aware, in UTC."""


class Uptime(Protocol):
    """Which start of the machine this is, and the seconds since: time that no clock can turn."""

    def __call__(self) -> tuple[str, float]: ...


class Exchange(Protocol):
    """Client → peer: sends one request, returns the answer. ``xds_soap.client`` implements it."""

    def __call__(self, request: OutgoingRequest) -> IncomingResponse: ...


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A SOAP body to send: ``body`` is the XML of the element inside soap:Body, ``parts`` its MTOM attachments."""

    action: str
    body: bytes
    mtom: bool = False
    parts: Sequence[OutgoingPart] = ()


@dataclass(frozen=True, slots=True)
class OutgoingPart:
    """One MTOM part; ``content_id`` without brackets is what the body's xop:Include refers to."""

    content_id: str
    content_type: str
    chunks: Iterable[bytes]
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Include:
    """Stands in a body where a part belongs: xop:Include with MTOM, base64 text without."""

    part: OutgoingPart


@dataclass(frozen=True, slots=True)
class Later:
    """Stands in a body for XML that is made while it is sent, because all of it at once would be too much to hold."""

    make: Callable[[], Iterator[bytes]]

    @property
    def size(self) -> None:
        """Not known before it is made."""
        return None

    def chunks(self) -> Iterator[bytes]:
        return self.make()


@dataclass(frozen=True, slots=True)
class IncomingResponse:
    """The answer: ``body`` is the parsed element inside soap:Body (an lxml element), ``parts`` what came with it."""

    body: Any
    parts: Mapping[str, StagedDocument]  # by Content-ID
