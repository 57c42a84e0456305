"""PostgreSQL: a bounded pool of threads, each with a connection that writes, and a pool of connections that read.

A piece of work is one transaction, READ COMMITTED, with the patient's row locked first: submissions for one patient,
and a merge of it, go one after the other; different patients meet only in the directory, where identifiers are claimed
in sorted order. Serialization failures and deadlocks run the work again. A connection lost before COMMIT changed
nothing, so the work runs again on a new one; lost at COMMIT the outcome is in doubt, and the transaction's id tells it
(see ``fate``).

A server that says nothing for some seconds is taken for lost like one that is gone. Work is held back, for a short
restart, but nobody waits for long; reads are refused at once.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors, pq
from sqlalchemy.engine import URL

from xds.errors import StoreUnavailable
from xds.ports import Clock, PatientRecord, PreparedObjects, Transaction
from xds.stores import statements as sql
from xds.stores.documents import DocumentFiles
from xds.stores.identities import PostgresIdentityLocks
from xds.stores.migrate import migrate
from xds.stores.postgres_connection import (
    PATIENCE,
    SILENT,
    UNREACHABLE,
    Begun,
    Contact,
    Fate,
    PatientConnection,
    Silence,
    connect,
    fate,
    life_of_server,
    unavailable,
    version,
)
from xds.stores.rows import Row
from xds.stores.schema import HEAD
from xds.stores.statements import Statement, Statements
from xds.stores.store import SqlStore, remove_unreferenced
from xds.stores.transaction import SqlTransaction, TableRows
from xds.stores.writer import QUEUE_SIZE, Job, JobQueue, Outcome, pack_what_they_insert, started

T = TypeVar("T")

WRITERS: Final = 8
READERS: Final = 16
_RETRIES: Final = 10
_LEAST: Final = 2.0  # seconds, for a statement of work that has waited for long already
_OUTCOME: Final = 3.0  # seconds, for the fate of a COMMIT that got no answer
_ROWS: Final = 16  # rows of one table in the combined INSERT
_CONFLICTS: Final = (errors.SerializationFailure, errors.DeadlockDetected)

_BEGIN: Final = b"BEGIN; SELECT pg_current_xact_id()::text"
_SNAPSHOT: Final = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


def open_postgres(
    url: URL, files: DocumentFiles, clock: Clock, *, writers: int = WRITERS, readers: int = READERS
) -> SqlStore:
    """The store in the PostgreSQL database at ``url``; its tables are made or migrated."""
    url = url.set(drivername="postgresql+psycopg")
    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
    if version(conninfo) != HEAD:
        migrate(url)
    statements, contact = Statements("postgresql"), Contact()
    return SqlStore(
        url=str(url),
        writer=PostgresWriter(conninfo, statements, files, clock, contact, threads=writers),
        readers=PostgresReaders(conninfo, statements, contact, limit=readers),
        documents=files,
    )


class PostgresSession:
    """``reader.Session`` on a psycopg connection."""

    __slots__ = ("_cursor", "statements")

    def __init__(self, connection: psycopg.Connection[Any], statements: Statements) -> None:
        self._cursor = connection.cursor(binary=True)  # bytea as it is, not as hexadecimal text
        self.statements = statements

    def rows(self, statement: Statement, parameters: Sequence[Any]) -> list[Any]:
        return self._cursor.execute(statement.encoded, parameters).fetchall()

    def run(self, statement: Statement, parameters: Sequence[Any]) -> None:
        self._cursor.execute(statement.encoded, parameters)


class PostgresTransaction(PostgresIdentityLocks, SqlTransaction):
    """``ports.Transaction`` among others: rows are locked, and few statements travel."""

    def lock_patient(self, identifier: str, *, create: bool = False) -> PatientRecord | None:
        locked = self._session.rows(self._statements.get(sql.patient_lock), (identifier,))
        # a statement of its own: what was committed while the lock was waited for is seen by the next statement only
        record = self.patient(identifier) if locked else None
        if record is None and create:
            self.announce(identifier)  # waits for whoever is creating it
            self._session.rows(self._statements.get(sql.patient_lock), (identifier,))
            record = self.patient(identifier)
        return record

    def _write(self, tables: Sequence[TableRows]) -> None:
        """Every table in one statement."""
        pending = [(table, list(rows)) for table, rows in tables]
        while pending:
            batch = [(table, rows[:_ROWS]) for table, rows in pending]
            shape = tuple((table, len(rows)) for table, rows in batch)
            values: Row = tuple(value for _, rows in batch for row in rows for value in row)
            self._session.rows(self._statements.insert(sql.rows_insert_all, shape), values)
            pending = [(table, rows[_ROWS:]) for table, rows in pending if len(rows) > _ROWS]


# --------------------------------------------------------------------------- reading


class PostgresReaders:
    """At most ``limit`` connections for snapshots; who finds none free waits."""

    def __init__(self, conninfo: str, statements: Statements, contact: Contact, *, limit: int) -> None:
        self._conninfo = conninfo
        self._statements = statements
        self._free: deque[psycopg.Connection[Any]] = deque()
        self._places = threading.BoundedSemaphore(limit)
        self._contact = contact
        self._closed = False

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[PostgresSession]:
        """A session whose reads all see one moment."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if not self._places.acquire(timeout=PATIENCE):
            raise StoreUnavailable("too many reads are waiting for the store")
        try:
            connection = self._begun()
            try:
                yield PostgresSession(connection, self._statements)
            except psycopg.Error as error:
                self._contact.note(error)
                raise unavailable(error) from None
            finally:
                self._give_back(connection)
        finally:
            self._places.release()

    def _begun(self) -> psycopg.Connection[Any]:
        """A connection inside a new snapshot."""
        try:
            with self._contact.asking():
                return self._opened()
        except psycopg.Error as error:
            raise unavailable(error) from None

    def _opened(self) -> psycopg.Connection[Any]:
        """One that died while it lay idle is replaced."""
        with contextlib.suppress(IndexError):
            while True:
                connection = self._free.pop()
                try:
                    connection.execute(_SNAPSHOT)
                except Silence:
                    raise
                except psycopg.OperationalError:
                    connection.close()
                else:
                    return connection
        connection = connect(self._conninfo)
        connection.execute(_SNAPSHOT)
        return connection

    def _give_back(self, connection: psycopg.Connection[Any]) -> None:
        try:
            connection.execute(b"COMMIT")
        except psycopg.Error:
            connection.close()
            return
        self._free.append(connection)
        if self._closed:
            self.close()

    def close(self) -> None:
        """Connections in use close when they are given back."""
        self._closed = True
        with contextlib.suppress(IndexError):
            while True:
                self._free.pop().close()


# --------------------------------------------------------------------------- writing


class PostgresWriter:
    """Threads that take work from one queue, each with a connection of its own."""

    in_order = True  # as soon as it is settled

    def __init__(
        self,
        conninfo: str,
        statements: Statements,
        files: DocumentFiles,
        clock: Clock,
        contact: Contact,
        *,
        threads: int,
        queue_size: int = QUEUE_SIZE,
    ) -> None:
        self._queue = JobQueue(queue_size)
        self._workers = [_Worker(conninfo, statements, files, clock, contact) for _ in range(threads)]
        self._threads = [
            threading.Thread(target=worker.work, args=(self._queue,), daemon=True, name=f"xds-writer-{n}")
            for n, worker in enumerate(self._workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[Transaction], T], prepared: PreparedObjects | None = None) -> Future[T]:
        return self._queue.put(work, prepared)

    @property
    def settled(self) -> bool:
        """No COMMIT without an answer may be carried out yet."""
        return not any(worker.doubts for worker in self._workers)

    def close(self) -> None:
        """Finish what is queued, close the connections."""
        if self._queue.close(len(self._threads)):
            for thread in self._threads:
                thread.join()


class _Lost(Exception):
    """The connection was lost before COMMIT: nothing happened."""


class _NotBegun(_Lost):
    """There was none to begin with."""


class _Worker:
    """One thread's connection and how it runs a piece of work."""

    def __init__(
        self, conninfo: str, statements: Statements, files: DocumentFiles, clock: Clock, contact: Contact
    ) -> None:
        self._contact = contact
        self._conninfo = conninfo
        self._statements = statements
        self._files = files
        self._begin = partial(PostgresTransaction, locate=files.locate, clock=clock)
        self._connection: PatientConnection | None = None
        self._life = ""  # of the server, when it was connected to
        self.doubts: list[Begun] = []  # COMMITs that the server may carry out yet

    def work(self, queue: JobQueue) -> None:
        while (job := queue.get()) is not None:
            for begun in started([job]):
                self._perform(begun)
            del job  # it must not stay alive until the next one comes
        self._drop()

    def _perform(self, job: Job) -> None:
        superfluous: list[str] = []
        try:
            pack_what_they_insert([job])  # before locks are taken
            value = self._run(job, superfluous)
        except psycopg.Error as error:
            Outcome(job, error=unavailable(error)).tell()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to whoever submitted the work
            Outcome(job, error=error).tell()
        else:
            Outcome(job, value).tell()
            self._look_up_doubts()
        if superfluous:
            with contextlib.suppress(psycopg.Error, OSError):  # the sweep finds what stays
                remove_unreferenced(self._files, PostgresSession(self._open(), self._statements), superfluous)

    def _run(self, job: Job, superfluous: list[str]) -> Any:
        """Run the work until it is committed or refused."""
        end = job.submitted + PATIENCE
        attempt = 0
        while attempt < _RETRIES:
            try:
                return self._attempt(job, superfluous, max(_LEAST, end - time.monotonic()))
            except _CONFLICTS:
                attempt += 1
                time.sleep(random.uniform(0, 0.002 * 2**attempt))  # noqa: S311 - who meets again should not
            except _Lost as lost:
                self._drop()
                attempt += not isinstance(lost, _NotBegun)
                if time.monotonic() > end:
                    raise StoreUnavailable(SILENT if self._contact.silent else UNREACHABLE) from None
                time.sleep(random.uniform(0.05, 0.25))  # noqa: S311
        raise StoreUnavailable("the database does not let this work through: it was tried again and again")

    def _attempt(self, job: Job, superfluous: list[str], patience: float) -> Any:
        try:
            with self._contact.asking():
                connection = self._open()
                connection.patience = patience
                cursor = connection.execute(_BEGIN)
        except (psycopg.OperationalError, StoreUnavailable) as error:
            raise _NotBegun from error
        cursor.nextset()
        begun = Begun(cursor.fetchone()[0], self._life)  # type: ignore[index]  # one row, always
        transaction = self._begin(PostgresSession(connection, self._statements))
        try:
            value = job.work(transaction)
        except BaseException as error:
            self._contact.note(error)
            self._roll_back(connection)
            if isinstance(error, psycopg.OperationalError) and connection.closed:
                raise _Lost from error
            raise
        if not self._commit(connection, begun):
            raise _Lost
        superfluous += transaction.superfluous
        return value

    def _commit(self, connection: psycopg.Connection[Any], begun: Begun) -> bool:
        """Whether the transaction is committed; False when it is certain that it is not."""
        if connection.info.transaction_status != pq.TransactionStatus.INTRANS:
            self._roll_back(connection)  # the work swallowed an error: COMMIT would roll back and say nothing
            raise StoreUnavailable("the work went on after the database had refused a statement")
        try:
            connection.execute(b"COMMIT")
        except _CONFLICTS:
            raise
        except psycopg.OperationalError as error:
            self._contact.note(error)
            if not connection.closed:
                raise
            return self._happened(begun)
        return True

    def _happened(self, begun: Begun) -> bool:
        """Whether a transaction whose COMMIT got no answer took place: ask until the server knows."""
        end = time.monotonic() + _OUTCOME
        while (found := self._ask(begun)) is Fate.OPEN and time.monotonic() < end:
            time.sleep(0.1)
        if found is Fate.OPEN:
            self.doubts.append(begun)
        if found in (Fate.OPEN, Fate.UNKNOWN):
            raise StoreUnavailable("the connection to the database was lost: whether the work is done is not known")
        return found is Fate.COMMITTED

    def _ask(self, begun: Begun) -> Fate:
        """OPEN as well when the server cannot be asked."""
        try:
            self._drop()
            return fate(begun, self._open(), self._life)
        except psycopg.Error:
            return Fate.OPEN

    def _look_up_doubts(self) -> None:
        """After work that was done: the server can be asked."""
        if self.doubts:
            self.doubts = [begun for begun in self.doubts if self._ask(begun) is Fate.OPEN]

    def _open(self) -> PatientConnection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._conninfo)
            self._life = life_of_server(self._connection)
        return self._connection

    def _roll_back(self, connection: psycopg.Connection[Any]) -> None:
        try:
            connection.execute(b"ROLLBACK")
        except psycopg.Error:
            connection.close()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
