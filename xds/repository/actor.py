"""The Document Repository actor (ITI TF-1, 10.1.1.4): ITI-41 and ITI-43."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Final

from xds.datatypes.time import since_boot, utc_now
from xds.errors import RegistryError, RequestRejected, StoreUnavailable
from xds.metadata.requests import DocumentRequest, ProvidedDocuments, RetrievedDocument
from xds.ports import (
    Clock,
    PlannedRegistration,
    Reader,
    Registrar,
    RegistryResponse,
    StagedDocument,
    StoreRegistrar,
    Transaction,
    UnitOfWork,
    Uptime,
)
from xds.repository import doubts
from xds.repository.documents import CheckedDocument, NewDocument, accept, find
from xds.vocab.ebrim import ResponseStatus
from xds.vocab.errors import ErrorCode

#: repositoryUniqueId when nothing else is configured.
DEFAULT_REPOSITORY_UNIQUE_ID: Final = "1.3.6.1.4.1.21367.2026.1.1"


@dataclass(frozen=True, slots=True)
class RetrieveResult:
    """The answer to ITI-43: the documents that can be delivered, and an error for each of the others."""

    documents: tuple[RetrievedDocument, ...]
    errors: tuple[RegistryError, ...]

    @property
    def status(self) -> ResponseStatus:
        """ITI TF-2, 3.43.4.2.3: PartialSuccess when some are returned and some are not."""
        if not self.errors:
            return ResponseStatus.SUCCESS
        return ResponseStatus.PARTIAL_SUCCESS if self.documents else ResponseStatus.FAILURE


class DocumentRepository:
    """Keeps documents, and registers them: with the registry in this process, or with another system's. Thread-safe.

    ``registrar`` on the same ``store`` takes part in the transaction that makes the documents retrievable: both become
    visible together. With any other registrar the documents are stored first and what is under way is journalled; see
    ``resolve_doubts``. ``max_documents`` may be asked for in one ITI-43.
    """

    def __init__(
        self,
        store: UnitOfWork,
        registrar: Registrar,
        *,
        unique_id: str = DEFAULT_REPOSITORY_UNIQUE_ID,
        max_documents: int = 1_000,
        clock: Clock = utc_now,
        uptime: Uptime = since_boot,
    ) -> None:
        self.store = store
        self.registrar = registrar
        self.unique_id = unique_id
        self.max_documents = max_documents
        self.clock = clock
        self.uptime = uptime
        same_store = isinstance(registrar, StoreRegistrar) and registrar.store is store
        self._together = registrar if same_store and isinstance(registrar, StoreRegistrar) else None

    # ITI-41

    def submit(self, provided: ProvidedDocuments) -> Future[RegistryResponse]:
        """Provide and Register Document Set-b, ITI-41 (ITI TF-2, 3.41): the Future resolves when all is on disk.

        RequestRejected carries everything that was found wrong, raised here or by the Future; nothing is stored then,
        and the staged documents are discarded. The objects of the submission are changed: UUIDs, hash, size, ….
        """
        try:
            documents = accept(provided, self.unique_id)
            if self._together is not None:
                return self._submit_together(self._together.plan(provided.submission), documents)
        except BaseException:
            self._discard(provided.documents.values())
            raise
        return self._submit_apart(provided, documents)

    def provide_and_register(self, provided: ProvidedDocuments) -> RegistryResponse:
        """``submit`` and wait."""
        return self.submit(provided).result()

    def _submit_together(
        self, register: PlannedRegistration, documents: tuple[NewDocument, ...]
    ) -> Future[RegistryResponse]:
        answer = self.store.submit(partial(_provide, register, documents), register.prepared)
        if any(document.staged.path is not None for document in documents):
            answer.add_done_callback(partial(self._discard_refused, documents))
        return answer

    def _discard_refused(self, documents: tuple[NewDocument, ...], answer: Future[RegistryResponse]) -> None:
        if answer.cancelled() or (error := answer.exception()) is None:
            return
        for document in documents:
            self.store.discard(document.staged, in_doubt=not isinstance(error, RequestRejected))

    def _submit_apart(
        self, provided: ProvidedDocuments, documents: tuple[NewDocument, ...]
    ) -> Future[RegistryResponse]:
        """The registry is another system: this thread waits for it."""
        answer: Future[RegistryResponse] = Future()
        try:
            answer.set_result(
                doubts.register_apart(
                    self.store, self.registrar, provided.submission, documents, self.clock(), self.uptime
                )
            )
        except Exception as error:  # noqa: BLE001 - it goes to whoever holds the Future
            answer.set_exception(error)
        return answer

    def _discard(self, staged: Iterable[StagedDocument]) -> None:
        for document in staged:
            self.store.discard(document)

    def resolve_doubts(self, is_registered: Callable[[str], bool], *, older_than: float = 600.0) -> doubts.Resolved:
        """Settle the submissions whose outcome at a remote registry is not known, at start and now and then.

        ``is_registered`` tells whether the registry has a SubmissionSet with this uniqueId
        (GetSubmissionSetAndContents), or raises PeerUnreachable. What is younger than ``older_than`` seconds may be
        under way and is left alone.
        """
        return doubts.resolve(self.store, is_registered, now=self.clock(), uptime=self.uptime, older_than=older_than)

    # ITI-43

    def retrieve(self, requests: Sequence[DocumentRequest]) -> RetrieveResult:
        """Retrieve Document Set, ITI-43 (ITI TF-2, 3.43): every document that is returned can be delivered.

        RequestRejected with XDSTooManyResults above ``max_documents``.
        """
        if len(requests) > self.max_documents:
            raise RequestRejected(
                ErrorCode.TOO_MANY_RESULTS, context=f"at most {self.max_documents} documents in one request"
            )
        wanted = list(dict.fromkeys(r.document_unique_id for r in requests if r.repository_unique_id == self.unique_id))
        found = self.store.read(partial(_find_all, wanted)) if wanted else {}
        documents: list[RetrievedDocument] = []
        errors: list[RegistryError] = []
        for request in requests:
            content = found.get(request.document_unique_id)
            if request.repository_unique_id != self.unique_id:
                errors.append(_error(ErrorCode.UNKNOWN_REPOSITORY_ID, request, "is not kept in this repository"))
            elif content is None:
                errors.append(_error(ErrorCode.DOCUMENT_UNIQUE_ID, request, "is not known"))
            elif isinstance(content, StoreUnavailable):
                errors.append(_error(ErrorCode.REPOSITORY_ERROR, request, "cannot be read"))
            else:
                documents.append(
                    RetrievedDocument(
                        repository_unique_id=self.unique_id,
                        document_unique_id=request.document_unique_id,
                        mime_type=content.mime_type,
                        content=content,
                        home_community_id=request.home_community_id,
                    )
                )
        return RetrieveResult(tuple(documents), tuple(errors))


def _error(code: ErrorCode, request: DocumentRequest, problem: str) -> RegistryError:
    # ITI TF-2, 3.43.5: location is the documentUniqueId
    return RegistryError(code, f"document {request.document_unique_id} {problem}", request.document_unique_id)


def _find_all(unique_ids: Sequence[str], reader: Reader) -> dict[str, CheckedDocument | StoreUnavailable | None]:
    found: dict[str, CheckedDocument | StoreUnavailable | None] = {}
    for unique_id in unique_ids:
        try:
            found[unique_id] = find(reader, unique_id)
        except StoreUnavailable as error:
            found[unique_id] = error
    return found


# --------------------------------------------------------------------------- in the writer


def _provide(
    register: PlannedRegistration, documents: tuple[NewDocument, ...], transaction: Transaction
) -> RegistryResponse:
    """Metadata and documents in one transaction."""
    response = register(transaction)
    for document in documents:
        transaction.insert_document(document.unique_id, document.mime_type, document.staged)
    return response
