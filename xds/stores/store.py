"""The store: one database and one folder of documents behind ``ports.UnitOfWork``."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from xds.errors import StoreUnavailable, XdsError
from xds.metadata.registry_object import RegistryObject
from xds.ports import PreparedObjects, Reader, Stage, StagedDocument, Transaction
from xds.stores import statements as sql
from xds.stores.documents import DocumentFiles
from xds.stores.reader import Session, SqlReader
from xds.stores.rows import prepare_objects
from xds.stores.statements import chunks, padded
from xds.stores.writer import Writer

T = TypeVar("T")

_FILES_AT_ONCE: Final = 64  # looked up in the wake of one commit


class Readers(Protocol):
    """Where snapshots come from."""

    def snapshot(self) -> AbstractContextManager[Session]: ...

    def close(self) -> None: ...


class SqlStore:
    """``ports.UnitOfWork``, made by :func:`xds.stores.open_store`. Thread-safe; usable as a context manager."""

    def __init__(
        self,
        *,
        url: str,
        writer: Writer,
        readers: Readers,
        documents: DocumentFiles,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self.url = url  # without password
        self.documents = documents
        self._writer = writer
        self._readers = readers
        self._in_doubt: deque[str] = deque()  # files of work that failed and may yet be found done
        self._on_close = on_close
        self._closed = threading.Lock()

    # ----------------------------------------------------------------- work

    def prepare(self, objects: Sequence[RegistryObject]) -> PreparedObjects:
        return prepare_objects(objects)

    def submit(self, work: Callable[[Transaction], T], prepared: PreparedObjects | None = None) -> Future[T]:
        doubtful = self._doubtful() if self._in_doubt else []
        try:
            future = self._writer.submit(work, prepared)
        except BaseException:
            self._in_doubt.extend(doubtful)
            raise
        if doubtful:
            future.add_done_callback(partial(self._resolve, doubtful))
        return future

    def transaction(self, work: Callable[[Transaction], T]) -> T:
        return self.submit(work).result()

    def read(self, work: Callable[[Reader], T]) -> T:
        with self._readers.snapshot() as session:
            return work(SqlReader(session, self.documents.locate))

    def identity(self) -> int:
        """The random number that tells this store from every other, and its documents folder from theirs."""
        with self._readers.snapshot() as session:
            [(number,)] = session.rows(session.statements.get(sql.identity_read), ())
            return int(number)

    # ----------------------------------------------------------------- documents

    def stage(self) -> Stage:
        return self.documents.stage()

    def discard(self, staged: StagedDocument, *, in_doubt: bool = False) -> None:
        if staged.path is None:
            return
        if not in_doubt:
            self._discard([staged.path])
        elif self._writer.in_order:
            self._in_doubt.append(staged.path)

    def _discard(self, paths: Sequence[str]) -> None:
        try:
            with self._readers.snapshot() as session:
                remove_unreferenced(self.documents, session, paths)
        except (StoreUnavailable, OSError):
            self._in_doubt.extend(paths)  # they cannot be looked up or removed now

    def _doubtful(self) -> list[str]:
        paths: list[str] = []
        with contextlib.suppress(IndexError):
            while len(paths) < _FILES_AT_ONCE:
                paths.append(self._in_doubt.popleft())
        return paths

    def _resolve(self, paths: list[str], later: Future[Any]) -> None:
        """When work that was submitted after those failures is on disk, what became of them is known."""
        if later.cancelled() or later.exception() is not None or not self._writer.settled:
            self._in_doubt.extend(paths)
        else:
            self._discard(paths)

    def sweep(self, *, older_than: float = 3600.0) -> list[str]:
        """Remove document files that a crash left behind; ``older_than`` in seconds. Returns their relative paths."""

        def referenced(paths: Collection[str]) -> Collection[str]:
            with self._readers.snapshot() as session:
                return referenced_paths(session, list(paths))

        return self.documents.sweep(referenced, older_than=older_than)

    def sweep_in_background(self) -> None:
        """``sweep`` in a thread of its own; a store that closes meanwhile ends it."""

        def run() -> None:
            with contextlib.suppress(XdsError, OSError):  # the next start sweeps again
                self.sweep()

        threading.Thread(target=run, name="xds-sweep", daemon=True).start()

    # ----------------------------------------------------------------- the end

    def close(self) -> None:
        """Finish queued work, then let go of everything. A second call does nothing."""
        if self._closed.acquire(blocking=False):
            self._writer.close()
            self._readers.close()
            self.documents.close()
            self._on_close()

    def __enter__(self) -> SqlStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def referenced_paths(session: Session, paths: Sequence[str]) -> set[str]:
    """Those of these document files that a document has."""
    found: set[str] = set()
    for part in chunks(paths):
        statement = session.statements.get(sql.document_paths, sql.places(len(part)))
        found.update(row[0] for row in session.rows(statement, padded(part)))
    return found


def remove_unreferenced(documents: DocumentFiles, session: Session, paths: Sequence[str]) -> None:
    """Unlink document files that no document has (any more)."""
    kept = referenced_paths(session, paths)
    for path in paths:
        if path not in kept:
            documents.remove(path)
