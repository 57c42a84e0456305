"""Connections to PostgreSQL: how they are made, how long they wait, and what became of one's COMMIT.

Errors of psycopg name values in their detail ("Key (identifier)=(…) already exists"): only SQLSTATE leaves here.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import psycopg
from psycopg import errors
from psycopg.abc import RV, PQGen
from psycopg.conninfo import conninfo_to_dict

from xds.errors import StoreUnavailable
from xds.stores.migrate import VERSION_QUERY

# seconds; whoever asked has an answer before most clients give up
PATIENCE: Final = 8.0  # of work for the database to come back, of a statement for an answer, of a read for its turn
CONNECT: Final = 3  # for a connection to be made, when the URL does not say connect_timeout
SILENT: Final = "the database does not answer"
UNREACHABLE: Final = "the database cannot be reached"


class Silence(psycopg.OperationalError):
    """The server took a statement and says nothing: it stands still, or the network swallows what it says."""


class PatientConnection(psycopg.Connection[Any]):
    """A connection that waits for ``patience`` seconds for the answer to a statement, then closes itself."""

    patience: float = PATIENCE

    def wait(self, gen: PQGen[RV], *args: Any, **kwargs: Any) -> RV:  # Any: what it takes differs between versions
        try:
            return super().wait(_until(time.monotonic() + self.patience, gen), *args, **kwargs)
        except Silence:
            self.close()
            raise


def _until(end: float, gen: PQGen[RV]) -> PQGen[RV]:
    """``gen``, which is woken several times a second, until it is done or the time is over."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > end:
                raise Silence("no answer in time")
            wanted = gen.send(ready)
    except StopIteration as done:
        result: RV = done.value
        return result


def connect(conninfo: str) -> PatientConnection:
    """A connection in the house's settings; transactions are begun and ended by hand."""
    settings: dict[str, Any] = {
        "connect_timeout": CONNECT,
        "application_name": "ihe-xds",
        **conninfo_to_dict(conninfo),
    }
    connection = PatientConnection.connect(**settings, autocommit=True)
    connection.cursor_factory = psycopg.RawCursor  # statements come with PostgreSQL's own parameters
    connection.prepare_threshold = 2
    connection.prepared_max = 500
    # an acknowledgement means it is on disk, whatever the server's default is
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
    )
    return connection


def version(conninfo: str) -> str | None:
    """The migration the tables are at; None when there are none."""
    try:
        with contextlib.closing(connect(conninfo)) as connection:
            row = connection.execute(VERSION_QUERY.encode()).fetchone()
    except errors.UndefinedTable:
        return None
    except psycopg.OperationalError as error:
        raise StoreUnavailable(f"{UNREACHABLE}: {error.sqlstate or 'no connection'}") from None
    return None if row is None else str(row[0])


def unavailable(error: psycopg.Error) -> StoreUnavailable:
    """The error for the caller: SQLSTATE only, because psycopg's texts quote values."""
    if isinstance(error, Silence | errors.ConnectionTimeout):
        return StoreUnavailable(SILENT)
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return StoreUnavailable(UNREACHABLE)
    return StoreUnavailable(f"the database failed: {error.sqlstate or type(error).__name__}")


class Contact:
    """Whether the server answers, as everybody in this process finds. Thread-safe."""

    def __init__(self) -> None:
        self.silent = False  # it said nothing to the last one who asked
        self._alone = threading.Lock()

    def note(self, error: BaseException) -> None:
        if isinstance(error, Silence | errors.ConnectionTimeout):
            self.silent = True

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Around the first statement of a transaction.

        A server that is silent is asked by one at a time, others would only wait with it: StoreUnavailable.
        """
        alone = self.silent
        if alone and not self._alone.acquire(blocking=False):
            raise StoreUnavailable(SILENT)
        try:
            yield
            self.silent = False
        except psycopg.Error as error:
            self.note(error)
            raise
        finally:
            if alone:
                self._alone.release()


# --------------------------------------------------------------------------- a COMMIT without an answer


class Fate(Enum):
    """What became of a transaction whose COMMIT got no answer."""

    COMMITTED = auto()
    NOTHING = auto()
    OPEN = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Begun:
    """A transaction's id, and the life of the server that gave it: it begins anew when the server crashes."""

    id: str
    life: str


def life_of_server(connection: psycopg.Connection[Any]) -> str:
    """The time since which it counts its statistics: a crash discards them, a shutdown does not."""
    row = connection.execute(b"SELECT stats_reset::text FROM pg_stat_bgwriter").fetchone()
    return str(row[0] if row else None)


def fate(begun: Begun, connection: psycopg.Connection[Any], life: str) -> Fate:
    """Ask on a new connection, to a server whose life is ``life`` now.

    Ids are not durable by themselves: a server that crashed before anything of a transaction was written gives its id
    to another one. So after a crash the id tells that nothing happened, but not that it was this transaction which did.
    """
    try:
        row = connection.execute(b"SELECT pg_xact_status($1::xid8)", (begun.id,)).fetchone()
    except errors.InvalidParameterValue:  # "in the future"
        return Fate.NOTHING
    status, same = row[0] if row else None, life == begun.life
    if status == "aborted":
        return Fate.NOTHING
    if status == "in progress":
        return Fate.OPEN if same else Fate.NOTHING
    return Fate.COMMITTED if status == "committed" and same else Fate.UNKNOWN
