"""SQLite: connections, and the one thread that writes (DESIGN: an acknowledgement means it is on disk).

The writer takes what waits, runs each piece of work in a savepoint of its own, and commits them together: one sync for
all of them. While that commit is under way the next group gathers. Futures resolve after COMMIT has returned.

* Work that raises, or breaks a constraint, is rolled back to its savepoint; its neighbours do not notice.
* An error that may have taken the whole transaction with it (disk full, I/O, out of memory) rolls the group back, and
  its members run again one by one: only those that fail alone are refused.
* A COMMIT that fails is in doubt. Each group counts ``store_state.group`` up; reading it tells what happened.

Checkpoints run in the writer's thread, between groups and after their Futures: a checkpoint beside a commit is what
older SQLite versions can corrupt a database with (the "WAL-reset" race, fixed in 3.51.3).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import Empty
from typing import Any, Final, TypeVar

from xds.errors import StoreUnavailable
from xds.ports import PreparedObjects, Transaction
from xds.stores import statements as sql
from xds.stores.migrate import VERSION_QUERY
from xds.stores.statements import Statement, Statements
from xds.stores.transaction import SqlTransaction
from xds.stores.writer import QUEUE_SIZE, Job, JobQueue, Outcome, pack_what_they_insert, started

T = TypeVar("T")

OLDEST_SQLITE: Final = (3, 35, 0)  # RETURNING
PAGE_SIZE: Final = 4096
_GROUP: Final = 256  # members of one commit
_BUSY: Final = 10.0  # seconds to wait for an operator's own connection
_CHECKPOINT_PAGES: Final = 2000  # 8 MB: some 20 ms of copying
_LONGEST_WAL: Final = 16_384  # pages (64 MB): from here on a checkpoint waits for readers
_IDLE: Final = 0.5  # seconds without work after which the WAL is brought in
_FATAL: Final = (sqlite3.OperationalError, sqlite3.InternalError, MemoryError)


_WRITER_PRAGMAS: Final = (
    f"page_size = {PAGE_SIZE}",  # before the first table exists
    "journal_mode = WAL",
    "synchronous = FULL",  # NORMAL may lose a commit that was acknowledged
    "foreign_keys = OFF",  # there are none
    f"wal_autocheckpoint = {4 * _CHECKPOINT_PAGES}",  # the writer decides; this is for when its estimate is far off
    f"journal_size_limit = {_LONGEST_WAL * PAGE_SIZE}",
    "cache_size = -65536",  # 64 MB: the inner pages of every index at tens of millions of rows
    "temp_store = MEMORY",
)
_READER_PRAGMAS: Final = (
    "query_only = ON",
    # Another connection's commit empties a reader's cache; refilling it from the kernel's costs 1 µs per page. A memory
    # map costs more (page faults: 260 against 150 µs for a query after each write) and turns I/O errors into signals.
    "cache_size = -8192",
    "mmap_size = 0",
    "temp_store = MEMORY",
)


def connect(path: str, *, read_only: bool) -> sqlite3.Connection:
    """A connection in the house's settings; transactions are begun and ended by hand."""
    uri = Path(path).absolute().as_uri() + ("?mode=ro" if read_only else "?mode=rwc")
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY, cached_statements=512
    )
    try:
        for pragma in _READER_PRAGMAS if read_only else _WRITER_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


class SqliteSession:
    """``reader.Session`` on an sqlite3 connection."""

    __slots__ = ("_execute", "statements")

    def __init__(self, connection: sqlite3.Connection, statements: Statements) -> None:
        self._execute = connection.execute
        self.statements = statements

    def rows(self, statement: Statement, parameters: Sequence[Any]) -> list[Any]:
        return self._execute(statement.text, parameters).fetchall()

    def run(self, statement: Statement, parameters: Sequence[Any]) -> None:
        self._execute(statement.text, parameters)


def version(path: str) -> str | None:
    """The migration the tables are at; None when they cannot be read, for whatever reason."""
    try:
        with contextlib.closing(connect(path, read_only=True)) as connection:
            row = connection.execute(VERSION_QUERY).fetchone()
    except sqlite3.DatabaseError:
        return None
    return None if row is None else str(row[0])


# --------------------------------------------------------------------------- reading


class SqliteReaders:
    """Read-only connections: as many as there are readers at once, kept for the next ones."""

    def __init__(self, path: str, statements: Statements) -> None:
        self._path = path
        self._statements = statements
        self._free: deque[sqlite3.Connection] = deque()
        self._closed = False

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[SqliteSession]:
        """A session whose reads all see one moment."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        try:
            connection = self._free.pop()
        except IndexError:
            connection = _opened(self._path)
        try:
            connection.execute("BEGIN")
            yield SqliteSession(connection, self._statements)
        except sqlite3.DatabaseError as error:
            raise unavailable(error) from error
        finally:
            self._give_back(connection)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("COMMIT")
        except sqlite3.Error:
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


def _opened(path: str) -> sqlite3.Connection:
    try:
        return connect(path, read_only=True)
    except sqlite3.Error as error:
        raise unavailable(error) from error


# --------------------------------------------------------------------------- writing


class GroupLost(Exception):
    """The transaction of a group is gone, and with it what its members had done."""


class InDoubt(Exception):
    """A COMMIT failed and the database cannot be asked whether it happened."""


class SqliteWriter:
    """The one thread that writes. ``begin`` makes the transaction object of one piece of work."""

    settled = True
    in_order = True  # what a failed COMMIT left in the WAL is overwritten by the next one

    def __init__(
        self,
        path: str,
        statements: Statements,
        begin: Callable[[SqliteSession], SqlTransaction],
        *,
        released: Callable[[SqliteSession, Sequence[str]], None],
        queue_size: int = QUEUE_SIZE,
    ) -> None:
        self._connection = connect(path, read_only=False)
        self._session = SqliteSession(self._connection, statements)
        self._begin = begin
        self._released = released
        self._queue = JobQueue(queue_size)
        self._group_update = statements.get(sql.group_update)
        self._superfluous: list[str] = []
        self._checkpoint = Checkpoints(self._connection)
        # What a predecessor could not sync may stand in the WAL all the same, and commits behind it would be lost with
        # it: copied into the database it is synced anew.
        self._checkpoint.copy()
        self._thread = threading.Thread(target=self._work, name="xds-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Transaction], T], prepared: PreparedObjects | None = None) -> Future[T]:
        return self._queue.put(work, prepared)

    def close(self) -> None:
        """Finish what is queued, bring the WAL in, close."""
        if self._queue.close():
            self._thread.join()
            self._connection.close()

    # ----------------------------------------------------------------- the thread

    def _work(self) -> None:
        ended = False
        while not ended:
            try:
                job = self._queue.get(_IDLE if self._checkpoint.wanted else None)
            except Empty:
                self._checkpoint.run()
                continue
            if job is None:
                break
            more, ended = self._queue.drain(_GROUP - 1)
            self._perform([job, *more])
            job, more = None, []  # a group must not stay alive until the next one comes
            self._checkpoint.run_when_due()
        self._checkpoint.run()

    def _perform(self, group: list[Job]) -> None:
        jobs = started(group)
        self._superfluous = []
        try:
            pack_what_they_insert(jobs)
            outcomes = self._outcomes(jobs)
        except BaseException as error:  # noqa: BLE001 - nobody else would tell those who wait
            self._roll_back()
            outcomes = [Outcome(job, error=error) for job in jobs]
            self._superfluous = []
        for outcome in outcomes:
            outcome.tell()
        if self._superfluous:
            with contextlib.suppress(sqlite3.Error, OSError):  # the sweep finds what stays
                self._released(self._session, self._superfluous)

    def _outcomes(self, jobs: list[Job]) -> list[Outcome]:
        if not jobs:
            return []
        try:
            return self._attempt(jobs)
        except GroupLost as lost:
            if len(jobs) == 1:
                return [Outcome(jobs[0], error=unavailable(lost.__cause__))]
        except InDoubt as doubt:
            return [Outcome(job, error=unavailable(doubt.__cause__, in_doubt=True)) for job in jobs]
        return [outcome for job in jobs for outcome in self._outcomes([job])]

    def _attempt(self, jobs: list[Job]) -> list[Outcome]:
        superfluous: list[str] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            number = self._read_number() + 1
            outcomes = [self._member(job, superfluous) for job in jobs]
            self._session.run(self._group_update, (number,))
        except (sqlite3.Error, MemoryError) as error:
            self._roll_back()
            raise GroupLost from error
        except GroupLost:
            self._roll_back()
            raise
        self._commit(number)
        self._superfluous += superfluous
        return outcomes

    def _member(self, job: Job, superfluous: list[str]) -> Outcome:
        """Run one piece of work in its savepoint."""
        execute = self._connection.execute
        execute("SAVEPOINT member")
        try:
            transaction = self._begin(self._session)
            value = job.work(transaction)
        except _FATAL as error:
            raise GroupLost from error
        except Exception as error:
            if not self._connection.in_transaction:
                raise GroupLost from error
            execute("ROLLBACK TO member")
            execute("RELEASE member")
            if isinstance(error, sqlite3.Error):
                return Outcome(job, error=unavailable(error))
            return Outcome(job, error=error)
        if not self._connection.in_transaction:
            raise GroupLost  # the work swallowed an error that rolled everything back
        execute("RELEASE member")
        superfluous += transaction.superfluous
        self._checkpoint.content += transaction.content_written
        return Outcome(job, value)

    def _commit(self, number: int) -> None:
        try:
            self._connection.execute("COMMIT")
        except (sqlite3.Error, MemoryError) as error:
            self._roll_back()
            if not self._happened(number, error):
                raise GroupLost from error

    def _happened(self, number: int, error: BaseException) -> bool:
        """Whether the COMMIT of group ``number``, which failed, took place all the same."""
        try:
            if self._read_number() != number:
                return False
            # it is there, but was it synced? one more commit, behind it in the same file, says so
            self._connection.execute("BEGIN IMMEDIATE")
            self._session.run(self._group_update, (number,))
            self._connection.execute("COMMIT")
        except (sqlite3.Error, MemoryError):
            self._roll_back()
            raise InDoubt from error
        return True

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _read_number(self) -> int:
        rows = self._session.rows(self._session.statements.get(sql.group_read), ())
        return int(rows[0][0])


class Checkpoints:
    """When the WAL is copied into the database, and how much at a time.

    SQLite does not tell Python how long the WAL is; rows changed and bytes of documents written are a fair estimate,
    and each checkpoint corrects it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._changes = connection.total_changes
        self._pages_per_change = 2.0
        self.content = 0  # bytes of documents written since the last checkpoint

    @property
    def wanted(self) -> bool:
        return self._connection.total_changes != self._changes

    def run_when_due(self) -> None:
        changes = self._connection.total_changes - self._changes
        if changes * self._pages_per_change + self.content / PAGE_SIZE >= _CHECKPOINT_PAGES:
            self.run()

    def run(self) -> None:
        """Copy what no reader needs any more; when the WAL has grown too long, wait for readers (each is short)."""
        changes = self._connection.total_changes - self._changes
        if not changes:
            return
        pages, copied = self.copy()
        if pages and copied == pages:
            self._pages_per_change = max(0.5, (pages - self.content / PAGE_SIZE) / changes)
        self._changes = self._connection.total_changes
        self.content = 0

    def copy(self) -> tuple[int, int]:
        """How many pages the WAL has, and how many of them are in the database now."""
        pages = copied = 0
        # copying that fails loses nothing: the next one does it
        with contextlib.suppress(sqlite3.Error):
            _, pages, copied = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if pages > _LONGEST_WAL:
                self._connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        return pages, copied


def unavailable(error: BaseException | None, *, in_doubt: bool = False) -> StoreUnavailable:
    """The error for the caller. SQLite's own texts name tables and columns, never values."""
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    if in_doubt:
        return StoreUnavailable(f"the database failed ({name}) and cannot say whether the work is done")
    return StoreUnavailable(f"the database failed: {name}")


def ensure_usable(path: str) -> None:
    """The folder of the database, private to the user, and an SQLite that is new enough."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        needed = ".".join(str(part) for part in OLDEST_SQLITE)
        raise StoreUnavailable(f"SQLite {sqlite3.sqlite_version} is too old: {needed} is needed")
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # the sidecar files take over its permissions
