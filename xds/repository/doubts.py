"""A registry in another system: its answer may be lost, so what is under way is journalled (DESIGN: ITI-41 and ITI-42).

Documents become retrievable first (ITI TF-2, 3.41.4.1.3: a registry or consumer may fetch them at once). They are taken
back only when the registry refused them, or is known not to have them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from xds.errors import PeerUnreachable, RegistryError, RequestRejected, StoreUnavailable
from xds.metadata.identity import assign_uuids
from xds.metadata.registry_object import Submission
from xds.ports import Registrar, RegistryResponse, Transaction, UnitOfWork, Uptime
from xds.repository.documents import NewDocument, conflict
from xds.vocab.errors import ErrorCode

#: Notes by SubmissionSet.uniqueId: an ITI-42 was sent, its outcome is not known.
REGISTERING: Final = "iti-42"
#: Notes by DocumentEntry.uniqueId: several submissions brought these bytes, so none of them may take them back.
SHARED: Final = "shared-document"
#: A Failure with one of these says that the registry was in trouble, not that it has decided: it may have committed.
UNDECIDED: Final = frozenset(
    {ErrorCode.REGISTRY_BUSY, ErrorCode.REGISTRY_NOT_AVAILABLE, ErrorCode.REGISTRY_OUT_OF_RESOURCES}
)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of the submissions in doubt, by SubmissionSet.uniqueId."""

    registered: tuple[str, ...]
    absent: tuple[str, ...]
    open: tuple[str, ...]  # still not known
    unanswered: tuple[str, ...] = ()  # those of ``open`` that the registry was asked about in vain


def register_apart(
    store: UnitOfWork,
    registrar: Registrar,
    submission: Submission,
    documents: tuple[NewDocument, ...],
    now: datetime,
    uptime: Uptime,
) -> RegistryResponse:
    """Store, journal, register, settle. RequestRejected: XDSRegistryNotAvailable when the outcome is not known."""
    boot, up = uptime()
    attempt = {"time": now.timestamp(), "boot": boot, "up": up, "attempt": uuid.uuid4().hex}
    try:
        if unnamed := list(_unnamed(submission)):
            raise RequestRejected.of(unnamed)
        assign_uuids(submission)
        key = submission.submission_sets[0].unique_id or ""
        spare, mine, before = store.transaction(partial(_store, key, documents, attempt))
    except (RequestRejected, StoreUnavailable) as error:
        for document in documents:
            store.discard(document.staged, in_doubt=isinstance(error, StoreUnavailable))
        raise
    for index in spare:
        store.discard(documents[index].staged)
    try:
        response = registrar.register(submission)
    except RequestRejected as refused:
        # after an earlier attempt, or beside a later one, that other one may be registered: the doubt remains
        if not before and UNDECIDED.isdisjoint(error.code for error in refused.errors):
            with suppress(StoreUnavailable):
                store.transaction(partial(_take_back_unchanged, key, mine))
        raise
    except PeerUnreachable as error:
        raise RequestRejected(
            ErrorCode.REGISTRY_NOT_AVAILABLE, context="the registry gave no usable answer; the documents are kept"
        ) from error
    with suppress(StoreUnavailable):  # it is registered: what cannot be noted now is resolved later
        store.transaction(partial(_settle, key))
    return response


def resolve(
    store: UnitOfWork, is_registered: Callable[[str], bool], *, now: datetime, uptime: Uptime, older_than: float
) -> Resolved:
    """See ``DocumentRepository.resolve_doubts``."""
    registered: list[str] = []
    absent: list[str] = []
    still_open: list[str] = []
    unanswered: list[str] = []
    for key, content in store.read(lambda reader: reader.journal(REGISTERING)):
        if _age(json.loads(content), now, uptime) < older_than:
            still_open.append(key)
            continue
        try:
            known = is_registered(key)
        except PeerUnreachable:
            still_open.append(key)
            unanswered.append(key)
            continue
        store.transaction(partial(_settle, key) if known else partial(_take_back_unchanged, key, content))
        (registered if known else absent).append(key)
    return Resolved(tuple(registered), tuple(absent), tuple(still_open), tuple(unanswered))


def _age(note: dict[str, Any], now: datetime, uptime: Uptime) -> float:
    """Seconds since the note was made.

    By the time since the machine started, as long as it is the same start: a clock that is set forward must not make
    old what is under way. A note of another machine, or of before, has only the clock.
    """
    boot, up = uptime()
    if boot and note.get("boot") == boot:
        return up - float(note["up"])
    return now.timestamp() - float(note["time"])


def _unnamed(submission: Submission) -> Iterator[RegistryError]:
    """What has no uniqueId cannot be asked about, nor retrieved (ITI TF-3, 4.2.3.2.29 and 4.2.3.3.13)."""
    for made in (*submission.submission_sets, *submission.document_entries):
        if not made.unique_id:
            yield RegistryError(ErrorCode.REPOSITORY_METADATA_ERROR, f"{made.id} has no uniqueId", made.location)


# --------------------------------------------------------------------------- in the writer


def _note(transaction: Transaction, key: str) -> dict[str, Any] | None:
    return next((json.loads(c) for k, c in transaction.journal(REGISTERING) if k == key), None)


def _store(
    key: str, documents: tuple[NewDocument, ...], attempt: dict[str, Any], transaction: Transaction
) -> tuple[tuple[int, ...], bytes, bool]:
    """Makes the documents retrievable and notes it: which were stored before, the note, whether one was open."""
    before = _note(transaction, key)
    brought: list[str] = before["documents"] if before else []
    spare: list[int] = []
    errors: list[RegistryError] = []
    seen: set[str] = set()
    for index, document in enumerate(documents):
        if document.unique_id in seen:
            errors.append(RegistryError(ErrorCode.REPOSITORY_DUPLICATE_UNIQUE_ID_IN_MESSAGE, document.unique_id))
            continue
        seen.add(document.unique_id)
        stored = transaction.document(document.unique_id)
        if stored is None:
            transaction.insert_document(document.unique_id, document.mime_type, document.staged)
            brought.append(document.unique_id)
        elif (error := conflict(document, stored)) is not None:
            errors.append(error)
        else:
            spare.append(index)
            if document.unique_id not in brought:
                transaction.write_journal(SHARED, document.unique_id, b"")
    if errors:
        raise RequestRejected.of(errors)
    note = json.dumps({**attempt, "documents": brought}).encode()
    transaction.write_journal(REGISTERING, key, note)
    return tuple(spare), note, before is not None


def _settle(key: str, transaction: Transaction) -> None:
    transaction.erase_journal(REGISTERING, key)


def _take_back_unchanged(key: str, content: bytes, transaction: Transaction) -> None:
    """Only when nobody has begun the same submission again since: its attempt may be the one that is registered."""
    if any(note == (key, content) for note in transaction.journal(REGISTERING)):
        _take_back(key, transaction)


def _take_back(key: str, transaction: Transaction) -> None:
    note = _note(transaction, key)
    if note is None:
        return
    shared = {unique_id for unique_id, _ in transaction.journal(SHARED)}
    for unique_id in note["documents"]:
        if unique_id not in shared:
            transaction.delete_document(unique_id)
    transaction.erase_journal(REGISTERING, key)
