"""What only SQLite has: the group commit, and what happens when the disk does not take it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.xds.stores.support import (
    PATIENT,
    entry,
    find,
    no_file_longer_than,
    register,
    registering,
    stage,
    submission_set,
)
from xds.errors import RequestRejected, StoreUnavailable
from xds.ports import Transaction
from xds.stores import SqlStore
from xds.stores.sqlite import connect


def wait_work(entered: threading.Event, gate: threading.Event, transaction: Transaction) -> None:
    entered.set()
    gate.wait(30)


class Held:
    """Holds the writer, so that what is submitted meanwhile becomes one group."""

    def __init__(self, store: SqlStore) -> None:
        self._gate, entered = threading.Event(), threading.Event()
        self._job = store.submit(partial(wait_work, entered, self._gate))
        assert entered.wait(30)

    def release(self) -> None:
        self._gate.set()
        self._job.result()


@contextlib.contextmanager
def one_group(store: SqlStore) -> Iterator[None]:
    held = Held(store)
    yield
    held.release()


def groups(store: SqlStore) -> int:
    with contextlib.closing(connect(store.url.removeprefix("sqlite:///"), read_only=True)) as connection:
        number: int = connection.execute("SELECT number FROM store_state WHERE name = 'group'").fetchone()[0]
        return number


def integrity(store: SqlStore) -> str:
    with contextlib.closing(connect(store.url.removeprefix("sqlite:///"), read_only=True)) as connection:
        result: str = connection.execute("PRAGMA integrity_check").fetchone()[0]
        return result


# --------------------------------------------------------------------------- groups


def test_what_waits_is_committed_together(sqlite_store: SqlStore) -> None:
    before = groups(sqlite_store)
    with one_group(sqlite_store):
        futures = [sqlite_store.submit(registering([entry(f"1.{n}")])) for n in range(50)]
    for future in futures:
        future.result()
    assert groups(sqlite_store) == before + 2  # the one that was held, and the fifty
    assert len(find(sqlite_store)) == 50


def test_a_member_that_fails_takes_none_of_its_neighbours_with_it(sqlite_store: SqlStore) -> None:
    def broken(transaction: Transaction) -> None:
        registering([entry("2.1")])(transaction)
        raise KeyError("a bug")

    def breaks_a_constraint(transaction: Transaction) -> None:
        registering([entry("2.2")])(transaction)
        session: Any = transaction._session  # type: ignore[attr-defined]
        session._execute("INSERT INTO patient (identifier, state, created) VALUES (NULL, 1, 1)")

    with one_group(sqlite_store):
        good = [sqlite_store.submit(registering([entry("1.1")]))]
        bad = [
            sqlite_store.submit(registering([entry("2.0"), entry("1.1", size=9)])),  # in conflict with its neighbour
            sqlite_store.submit(broken),
            sqlite_store.submit(breaks_a_constraint),
        ]
        good.append(sqlite_store.submit(registering([entry("1.2")])))
        cancelled = sqlite_store.submit(registering([entry("2.3")]))
        assert cancelled.cancel()
    for future in good:
        future.result()
    errors = [future.exception() for future in bad]
    assert [type(error) for error in errors] == [RequestRejected, KeyError, StoreUnavailable]
    assert sorted(o.unique_id for o in find(sqlite_store)) == ["1.1", "1.2"]
    assert sqlite_store.read(lambda r: r.claims(["2.0", "2.1", "2.2", "2.3"])) == {}


def test_work_that_swallows_an_error_which_ended_the_transaction_is_not_believed(sqlite_store: SqlStore) -> None:
    def swallow(transaction: Transaction) -> str:
        session: Any = transaction._session  # type: ignore[attr-defined]
        session._execute("ROLLBACK")  # as SQLite itself does when the disk is full
        return "fine"

    with one_group(sqlite_store):
        good = sqlite_store.submit(registering([entry("1.1")]))
        bad = sqlite_store.submit(swallow)
    good.result()  # it ran again, alone
    assert isinstance(bad.exception(), StoreUnavailable)
    assert [o.unique_id for o in find(sqlite_store)] == ["1.1"]


def test_a_full_queue_refuses_and_says_so(sqlite_store: SqlStore) -> None:
    writer: Any = sqlite_store._writer
    writer._queue._size = 3
    with one_group(sqlite_store):
        futures = [sqlite_store.submit(registering([entry(f"1.{n}")])) for n in range(3)]
        with pytest.raises(StoreUnavailable, match="too much work"):
            sqlite_store.submit(registering([entry("1.9")]))
    for future in futures:
        future.result()


def test_closing_finishes_what_is_queued_and_takes_no_more(
    sqlite_database: str, opened: Callable[..., SqlStore]
) -> None:
    store = opened(sqlite_database)
    held = Held(store)
    futures = [store.submit(registering([entry(f"1.{n}")])) for n in range(20)]
    closing = threading.Thread(target=store.close)
    closing.start()
    while not store._writer._queue._closed:  # type: ignore[attr-defined]
        pass
    with pytest.raises(StoreUnavailable, match="closing"):
        store.submit(registering([entry("1.99")]))
    held.release()
    closing.join()
    assert all(future.done() and future.exception() is None for future in futures)
    store.close()  # again: nothing happens
    with pytest.raises(StoreUnavailable, match="closed"):
        store.read(lambda r: r.patient(PATIENT))
    assert len(find(opened(sqlite_database))) == 20


# --------------------------------------------------------------------------- the disk


def test_a_full_database_refuses_what_does_not_fit_and_keeps_the_rest(sqlite_store: SqlStore) -> None:
    register(sqlite_store, entry("0.1"))
    connection: sqlite3.Connection = sqlite_store._writer._connection  # type: ignore[attr-defined]
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 12}")
    large = stage(sqlite_store, os.urandom(90_000))

    def too_large(transaction: Transaction) -> None:
        registering([entry("9.9")])(transaction)
        transaction.insert_document("9.9", "a/b", large)

    with one_group(sqlite_store):
        small = [sqlite_store.submit(registering([entry("1.1")]))]
        failing = sqlite_store.submit(too_large)
        small.append(sqlite_store.submit(registering([entry("1.2")])))
    error = failing.exception()
    assert isinstance(error, StoreUnavailable)
    assert "SQLITE_FULL" in str(error)
    for future in small:
        future.result()
    connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
    sqlite_store.transaction(too_large)
    assert sorted(o.unique_id for o in find(sqlite_store)) == ["0.1", "1.1", "1.2", "9.9"]
    assert integrity(sqlite_store) == "ok"


def test_a_commit_the_disk_refuses_is_an_error_and_leaves_nothing_half_done(sqlite_store: SqlStore) -> None:
    register(sqlite_store, entry("1.0"))
    works = [registering([entry(f"2.{n}"), submission_set(f"3.{n}")]) for n in range(5)]
    with no_file_longer_than(64):
        futures = [sqlite_store.submit(work) for work in works]
        errors = [future.exception() for future in futures]
    assert all(isinstance(error, StoreUnavailable) for error in errors)
    assert [o.unique_id for o in find(sqlite_store)] == ["1.0"]
    for work in works:  # the disk is there again: the same work succeeds, so nothing had stayed
        sqlite_store.transaction(work)
    assert len(find(sqlite_store)) == 6
    assert integrity(sqlite_store) == "ok"


class LosesCommits:
    """An sqlite3 connection whose next COMMITs take place and then report a failure; BEGINs after it may fail too."""

    def __init__(self, real: sqlite3.Connection, *, begins_fail: bool = False) -> None:
        self._real = real
        self._begins_fail = begins_fail
        self.lost = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def execute(self, text: str, *parameters: Any) -> Any:
        if self.lost and self._begins_fail and text.startswith("BEGIN"):
            raise sqlite3.OperationalError("disk I/O error")
        result = self._real.execute(text, *parameters)
        if text == "COMMIT" and not self.lost:
            self.lost += 1
            raise sqlite3.OperationalError("disk I/O error")
        return result


def test_a_commit_in_doubt_is_looked_up_and_not_run_again(sqlite_store: SqlStore) -> None:
    writer: Any = sqlite_store._writer
    runs = []

    def work(transaction: Transaction) -> None:
        runs.append(1)
        registering([entry("1.1")])(transaction)

    real = writer._connection
    writer._connection = losing = LosesCommits(real)
    sqlite_store.transaction(work)
    assert (losing.lost, runs) == (1, [1])
    writer._connection = real
    register(sqlite_store, entry("1.2"))  # the count of groups is right afterwards
    assert sorted(o.unique_id for o in find(sqlite_store)) == ["1.1", "1.2"]


def test_a_commit_whose_outcome_cannot_be_looked_up_is_said_to_be_in_doubt(sqlite_store: SqlStore) -> None:
    writer: Any = sqlite_store._writer
    real = writer._connection
    writer._connection = LosesCommits(real, begins_fail=True)
    with pytest.raises(StoreUnavailable, match="cannot say whether"):
        register(sqlite_store, entry("1.1"))
    writer._connection = real
    register(sqlite_store, entry("1.2"))
    assert sorted(o.unique_id for o in find(sqlite_store)) == ["1.1", "1.2"]


# --------------------------------------------------------------------------- the WAL


def test_the_wal_does_not_grow_with_the_work(sqlite_store: SqlStore) -> None:
    wal = Path(sqlite_store.url.removeprefix("sqlite:///") + "-wal")
    for batch in range(12):
        content = [stage(sqlite_store, os.urandom(95_000)) for _ in range(10)]

        def work(transaction: Transaction, batch: int = batch, content: list[Any] = content) -> None:
            for n, staged in enumerate(content):
                transaction.insert_document(f"1.{batch}.{n}", "a/b", staged)

        sqlite_store.transaction(work)
    assert wal.stat().st_size < 12 * 950_000 * 0.9


def test_a_long_reader_keeps_its_snapshot_while_the_wal_is_brought_in(sqlite_store: SqlStore) -> None:
    register(sqlite_store, entry("1.0"))

    def work(reader: Any) -> list[int]:
        seen = [len(reader.claims(["1.0", "1.1", "1.2"]))]
        for n in (1, 2):
            register(sqlite_store, entry(f"1.{n}"))
            sqlite_store._writer._checkpoint.run()  # type: ignore[attr-defined]
            seen.append(len(reader.claims(["1.0", "1.1", "1.2"])))
        return seen

    assert sqlite_store.read(work) == [1, 1, 1]


# --------------------------------------------------------------------------- crashes

KILLED = """
import sys
from functools import partial
from tests.xds.stores.support import entry, registering, document_work, stage
from xds.stores import open_store

store = open_store(sys.argv[1], documents=sys.argv[2], sweep=False)
n = 0
while True:
    batch = []
    for _ in range(8):
        n += 1
        batch.append((n, store.submit(registering([entry(f"1.{n}")]))))
    for number, future in batch:
        future.result()
        print(number, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(
    sqlite_database: str, tmp_path: Path, opened: Callable[..., SqlStore]
) -> None:
    command = [sys.executable, "-c", KILLED, sqlite_database, str(tmp_path / "documents")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(100)]
        process.kill()
        acknowledged += [int(line) for line in process.stdout if line.endswith(b"\n")]
    store = opened(sqlite_database)  # the lock went with the process
    present = {o.unique_id for o in find(store)}
    assert {f"1.{n}" for n in acknowledged} <= present
    claims = store.read(lambda r: r.claims([f"1.{n}" for n in range(1, max(acknowledged) + 20)]))
    assert set(claims) == present  # nothing half done
    assert integrity(store) == "ok"
    register(store, entry("2.1"))


def test_what_a_dead_process_left_in_the_wal_is_synced_into_the_database_at_the_start(
    sqlite_database: str, tmp_path: Path, opened: Callable[..., SqlStore]
) -> None:
    """Its last sync may have failed: commits behind such a place would be lost with it."""
    command = [sys.executable, "-c", KILLED, sqlite_database, str(tmp_path / "documents")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(20)]
        process.kill()
    path = Path(sqlite_database.removeprefix("sqlite:///"))
    assert path.with_name(path.name + "-wal").stat().st_size > 0
    opened(sqlite_database)
    without_wal = tmp_path / "copy.sqlite"
    shutil.copy(path, without_wal)
    with contextlib.closing(sqlite3.connect(without_wal)) as connection:
        there = {row[0] for row in connection.execute("SELECT unique_id FROM document_entry")}
    assert {f"1.{n}" for n in acknowledged} <= there


def test_the_settings_are_the_durable_ones(sqlite_store: SqlStore) -> None:
    connection: sqlite3.Connection = sqlite_store._writer._connection  # type: ignore[attr-defined]
    read = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    assert read == {"journal_mode": "wal", "synchronous": 2}


def test_readers_cannot_write(sqlite_store: SqlStore) -> None:
    def work(reader: Any) -> None:
        reader._session._execute("DELETE FROM patient")

    with pytest.raises(StoreUnavailable):
        sqlite_store.read(work)
