"""The store: one database and one folder of documents behind ``ports.UnitOfWork``."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from xds.errors import XdsError
from xds.metadata.registry_object import RegistryObject
from xds.ports import PreparedObjects, Reader, Stage, StagedDocument, Transaction
from xds.stores import statements as sql
from xds.stores.documents import DocumentFiles
from xds.stores.reader import Session, SqlReader
from xds.stores.rows import prepare_objects
from xds.stores.statements import chunks, padded
from xds.stores.writer import Writer

T = TypeVar("T")


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
        self._on_close = on_close
        self._closed = threading.Lock()

    # ----------------------------------------------------------------- work

    def prepare(self, objects: Sequence[RegistryObject]) -> PreparedObjects:
        return prepare_objects(objects)

    def submit(self, work: Callable[[Transaction], T], prepared: PreparedObjects | None = None) -> Future[T]:
        return self._writer.submit(work, prepared)

    def transaction(self, work: Callable[[Transaction], T]) -> T:
        return self._writer.submit(work).result()

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

    def discard(self, staged: StagedDocument) -> None:
        if staged.path is not None:
            with self._readers.snapshot() as session:
                remove_unreferenced(self.documents, session, [staged.path])

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
