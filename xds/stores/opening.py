"""Opening a store by URL."""

from __future__ import annotations

import os
from functools import partial
from typing import Final
from urllib.parse import unquote, urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from xds.datatypes.time import utc_now
from xds.errors import StoreUnavailable
from xds.ports import Clock
from xds.stores import sqlite
from xds.stores.documents import DocumentFiles
from xds.stores.files import FileLock
from xds.stores.migrate import migrate
from xds.stores.reader import Session
from xds.stores.schema import HEAD
from xds.stores.statements import Statements
from xds.stores.store import SqlStore, remove_unreferenced
from xds.stores.transaction import SqlTransaction
from xds.stores.writer import Writer
from xds.stores.writer_process import RemoteWriter, SharedWriter

LOCK_SUFFIX: Final = ".lock"


def open_store(
    database: str | os.PathLike[str],
    *,
    documents: str | os.PathLike[str],
    clock: Clock = utc_now,
    sweep: bool = True,
    shared: bool = False,
    writer: bool = True,
) -> SqlStore:
    """The store at ``database``: ``sqlite:///…`` or a path, ``postgresql+psycopg://…``. Tables are made or migrated.

    ``documents`` is the folder for document files: a path, or a ``file:///…`` URL. ``sweep`` looks in the background
    for files a crash left there. StoreUnavailable says what is wrong.

    An SQLite store belongs to one process, the writer; a second one that opens it is refused. With ``shared`` the
    writer takes work from other processes, and these open the same store with ``writer=False``: they read by
    themselves and hand their work over. On PostgreSQL every process is its own writer and neither makes a difference.
    """
    url = _database_url(database)
    files = DocumentFiles(documents_folder(documents))
    try:
        if url.get_backend_name() == "sqlite":
            path = sqlite_path(url)
            store = _own_sqlite(path, files, clock, shared=shared) if writer else _join_sqlite(path, files)
        else:
            from xds.stores.postgres import open_postgres

            store = open_postgres(url, files, clock)
    except BaseException:
        files.close()
        raise
    try:
        files.belong_to(store.identity())
    except BaseException:
        store.close()
        raise
    if sweep and writer:
        store.sweep_in_background()
    return store


def _own_sqlite(path: str, files: DocumentFiles, clock: Clock, *, shared: bool) -> SqlStore:
    sqlite.ensure_usable(path)
    lock = _own(path)
    try:
        if sqlite.version(path) != HEAD:
            migrate(URL.create("sqlite+pysqlite", database=path))
        statements = Statements("sqlite")
        writer: Writer = sqlite.SqliteWriter(
            path,
            statements,
            partial(begin, files, clock),
            released=partial(remove_unreferenced, files),
        )
        if shared:
            writer = SharedWriter(writer, path)
    except BaseException:
        lock.release()
        raise
    readers = sqlite.SqliteReaders(path, statements)
    return SqlStore(url=f"sqlite:///{path}", writer=writer, readers=readers, documents=files, on_close=lock.release)


def begin(files: DocumentFiles, clock: Clock, session: Session) -> SqlTransaction:
    return SqlTransaction(session, files.locate, clock)


def _join_sqlite(path: str, files: DocumentFiles) -> SqlStore:
    """The store of a process that is not the writer."""
    writer = RemoteWriter(path)
    try:
        if sqlite.version(path) != HEAD:
            raise StoreUnavailable(f"the store {path} was opened by another version of this library")
    except BaseException:
        writer.close()
        raise
    readers = sqlite.SqliteReaders(path, Statements("sqlite"))
    return SqlStore(url=f"sqlite:///{path}", writer=writer, readers=readers, documents=files)


def _own(path: str) -> FileLock:
    try:
        return FileLock(path + LOCK_SUFFIX)
    except BlockingIOError:
        raise StoreUnavailable(
            f"another process has the store {path} open: stop it, or give this one a data folder of its own"
        ) from None
    except OSError as error:
        raise StoreUnavailable(f"the store {path} cannot be locked: {error.strerror}") from error


def _database_url(database: str | os.PathLike[str]) -> URL:
    text = os.fspath(database)
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        url = make_url(text)
    except ArgumentError:
        raise StoreUnavailable(
            "the database is neither a path nor a URL like sqlite:///… or postgresql+psycopg://…"
        ) from None
    backend = url.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise StoreUnavailable(f"no store for {backend}: use sqlite:///… or postgresql+psycopg://…")
    return url


def sqlite_path(url: URL) -> str:
    if not url.database or url.database == ":memory:":
        raise StoreUnavailable("a store in memory would lose what it has acknowledged: give it a file")
    return os.path.abspath(url.database)


def documents_folder(documents: str | os.PathLike[str]) -> str:
    text = os.fspath(documents)
    if "://" not in text:
        return text
    parts = urlsplit(text)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise StoreUnavailable("documents are kept in a folder: a path or file:///…")
    return unquote(parts.path)
