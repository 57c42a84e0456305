"""Where submissions go: to the repository in this process, or to another system's."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from xds.clients.documents import DocumentConsumer, DocumentSource
from xds.metadata.association import Association
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.requests import ProvidedDocuments
from xds.metadata.submission import build_submission
from xds.metadata.submission_set import SubmissionSet
from xds.ports import StagedDocument
from xds.repository.actor import DocumentRepository
from xds.vocab.ebrim import ObjectKind

Documents = Sequence[tuple[DocumentEntry, bytes]]


class Target(Protocol):
    """A repository and the registry behind it."""

    def submit(
        self, submission_set: SubmissionSet, documents: Documents, associations: Sequence[Association]
    ) -> Future[Any] | object:
        """ITI-41. Raises RequestRejected or PeerRejected, there or in the Future."""

    def registered(self, kind: ObjectKind, unique_id: str) -> str | None:
        """The entryUUID of what is registered under a uniqueId; None for nothing."""


class LocalTarget:
    """A Document Repository in this process, with its registry on the same store."""

    def __init__(self, repository: DocumentRepository) -> None:
        self._repository = repository

    def submit(
        self, submission_set: SubmissionSet, documents: Documents, associations: Sequence[Association]
    ) -> Future[Any]:
        submission = build_submission(submission_set, [entry for entry, _ in documents], (), associations)
        staged = {entry.entry_uuid: self._staged(content) for entry, content in documents}
        return self._repository.submit(ProvidedDocuments(submission, staged))

    def _staged(self, content: bytes) -> StagedDocument:
        stage = self._repository.store.stage()
        try:
            stage.write(content)
            return stage.finish()
        except BaseException:
            stage.discard()
            raise

    def registered(self, kind: ObjectKind, unique_id: str) -> str | None:
        found = self._repository.store.read(lambda reader: reader.by_unique_id(kind, [unique_id], references=True))
        return found[0].entry_uuid if found else None


class RemoteTarget:
    """Another system's repository, by ITI-41, and its registry, by ITI-18. Waits in the caller's thread."""

    def __init__(self, source: DocumentSource, consumer: DocumentConsumer) -> None:
        self._source = source
        self._consumer = consumer

    def submit(
        self, submission_set: SubmissionSet, documents: Documents, associations: Sequence[Association]
    ) -> object:
        return self._source.submit(submission_set, documents, associations=associations)

    def registered(self, kind: ObjectKind, unique_id: str) -> str | None:
        if kind is ObjectKind.SUBMISSION_SET:
            found = self._consumer.query(
                "GetSubmissionSetAndContents", return_type="ObjectRef", submission_set_unique_id=unique_id
            )
            return found.references[0].id if found.references else None
        found = self._consumer.query("GetDocuments", document_entry_unique_id=[unique_id])
        return found.document_entries[0].entry_uuid if found.document_entries else None
