"""What a repository checks of documents on their way in and out (ITI TF-2, 3.41.4.1.3 and 3.43.4.1.3)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields

from xds.errors import RegistryError, RequestRejected, StoreUnavailable
from xds.metadata.registry_object import RegistryObject
from xds.metadata.requests import ProvidedDocuments
from xds.ports import Reader, StagedDocument, StoredDocument
from xds.vocab.ebrim import DocumentEntryType, SlotName
from xds.vocab.errors import ErrorCode


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document with what ITI-43 needs of its metadata."""

    unique_id: str
    mime_type: str
    staged: StagedDocument


# --------------------------------------------------------------------------- in


def accept(provided: ProvidedDocuments, repository_unique_id: str) -> tuple[NewDocument, ...]:
    """Checks an ITI-41 request and completes its metadata: repositoryUniqueId, hash, size (ITI TF-2, 3.41.4.1.3).

    RequestRejected with every finding; the metadata is unchanged then.
    """
    errors = list(problems(provided))
    if errors:
        raise RequestRejected.of(errors)
    accepted = []
    for entry in provided.submission.document_entries:
        staged: StagedDocument = provided.documents[entry.id]
        # 3.41.4.1.3: a submitted repositoryUniqueId is overwritten
        entry.slots[SlotName.REPOSITORY_UNIQUE_ID] = [repository_unique_id]
        entry.slots[SlotName.HASH] = [staged.hash]
        entry.slots[SlotName.SIZE] = [str(staged.size)]
        accepted.append(NewDocument(entry.unique_id or "", entry.mime_type or "application/octet-stream", staged))
    return tuple(accepted)


def problems(provided: ProvidedDocuments) -> Iterator[RegistryError]:
    """What a repository has against an ITI-41 request by itself, without its store (ITI TF-2, 3.41.4.1.3)."""
    entries = provided.submission.document_entries
    if len(provided.submission.submission_sets) != 1:
        yield RegistryError(ErrorCode.REPOSITORY_METADATA_ERROR, "a submission has one SubmissionSet")
    for repeated in provided.repeated:
        yield RegistryError(ErrorCode.REPOSITORY_METADATA_ERROR, f"several documents have the id {repeated}", repeated)
    for entry in entries:
        if entry.object_type == DocumentEntryType.ON_DEMAND:
            # an On-Demand DocumentEntry has no document to provide: it is registered by ITI-61
            yield RegistryError(
                ErrorCode.REPOSITORY_METADATA_ERROR, f"{entry.id} is an On-Demand DocumentEntry", entry.location
            )
        elif entry.id not in provided.documents:
            yield RegistryError(ErrorCode.MISSING_DOCUMENT, f"no document for {entry.id}", entry.location)
        else:
            yield from _content_findings(entry, provided.documents[entry.id])
    ids = {entry.id for entry in entries}
    for document_id in provided.documents:
        if document_id not in ids:
            yield RegistryError(
                ErrorCode.MISSING_DOCUMENT_METADATA, f"no DocumentEntry for document {document_id}", document_id
            )


def _content_findings(entry: RegistryObject, staged: StagedDocument) -> Iterator[RegistryError]:
    """3.41.4.1.3: a submitted hash or size that does not fit the bytes is refused."""
    submitted_hash, submitted_size = entry.slot(SlotName.HASH), entry.slot(SlotName.SIZE)
    if submitted_hash and submitted_hash.strip().lower() != staged.hash:
        yield RegistryError(
            ErrorCode.REPOSITORY_METADATA_ERROR,
            f"{entry.id}: hash is {submitted_hash}, of the document received {staged.hash}",
            entry.location,
        )
    if submitted_size and submitted_size.strip() != str(staged.size):
        yield RegistryError(
            ErrorCode.REPOSITORY_METADATA_ERROR,
            f"{entry.id}: size is {submitted_size}, of the document received {staged.size}",
            entry.location,
        )


def conflict(document: NewDocument, stored: StoredDocument) -> RegistryError | None:
    """None when the stored bytes are the same: no error, and not stored again (ITI TF-2, 3.41.4.1.3)."""
    if stored.size != document.staged.size:
        return RegistryError(ErrorCode.NON_IDENTICAL_SIZE, document.unique_id)
    if stored.hash != document.staged.hash:
        return RegistryError(ErrorCode.NON_IDENTICAL_HASH, document.unique_id)
    return None


# --------------------------------------------------------------------------- out


class CheckedDocument(StoredDocument):
    """A stored document whose bytes are compared with its hash as they leave.

    The last chunk is held back until the hash is known to be right, so damaged bytes never look like a whole document.
    """

    __slots__ = ()

    def chunks(self, size: int = 256 * 1024) -> Iterator[bytes]:
        """The bytes in pieces of at most ``size``; StoreUnavailable when they are not what was stored."""
        digest, length, held = hashlib.sha1(usedforsecurity=False), 0, b""
        for piece in StoredDocument.chunks(self, size):
            digest.update(piece)
            length += len(piece)
            if held:
                yield held
            held = piece
        if length != self.size or digest.hexdigest() != self.hash:
            raise StoreUnavailable("a stored document is damaged")
        if held:
            yield held


def find(reader: Reader, unique_id: str) -> CheckedDocument | None:
    """The document, present and of the right size, or None when it is not stored here (DESIGN: documents are streams).

    StoreUnavailable when it should be here and cannot be delivered.
    """
    stored = reader.document(unique_id)
    if stored is None:
        return None
    if stored.path is not None:
        try:
            with open(stored.path, "rb") as file:
                present = os.fstat(file.fileno()).st_size
        except OSError as error:
            raise StoreUnavailable("the file of a stored document cannot be read") from error
        if present != stored.size:
            raise StoreUnavailable("the file of a stored document has another size")
    return CheckedDocument(*(getattr(stored, field.name) for field in fields(StoredDocument)))
