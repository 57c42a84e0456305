"""What only PostgreSQL has: concurrent writers, lost connections, COMMITs without an answer."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest

from tests.evidence.postgresql import PostgreSql
from tests.xds.stores.support import OTHER_PATIENT, PATIENT, document_work, entry, find, register, registering, stage
from xds.errors import StoreUnavailable
from xds.ports import Transaction
from xds.stores import SqlStore, postgres, postgres_connection
from xds.stores.transaction import SqlTransaction

T = TypeVar("T")


@pytest.fixture
def store(postgres_database: str, opened: Callable[..., SqlStore]) -> SqlStore:
    return opened(postgres_database)


def conninfo(database: str) -> str:
    return database.replace("+psycopg", "")


def execute(transaction: Transaction, text: str) -> None:
    assert isinstance(transaction, SqlTransaction)
    transaction._session._cursor.execute(text.encode())  # type: ignore[attr-defined]


def test_submissions_for_one_patient_go_one_after_the_other(store: SqlStore) -> None:
    register(store, entry("1.0"))
    inside, most = 0, 0
    lock = threading.Lock()

    def work(number: int, transaction: Transaction) -> None:
        nonlocal inside, most
        assert transaction.lock_patient(PATIENT) is not None
        with lock:
            inside += 1
            most = max(most, inside)
        execute(transaction, "SELECT pg_sleep(0.01)")
        with lock:
            inside -= 1

    for future in [store.submit(partial(work, n)) for n in range(12)]:
        future.result()
    assert most == 1


def test_a_deadlock_is_run_again_until_both_are_through(store: SqlStore) -> None:
    register(store, entry("1.0"))
    register(store, entry("2.0", patient=OTHER_PATIENT), patient=OTHER_PATIENT)
    meet = threading.Barrier(2)
    runs: list[str] = []

    def work(first: str, second: str, transaction: Transaction) -> None:
        runs.append(first)
        transaction.lock_patient(first)
        if len(runs) <= 2:
            meet.wait(10)  # both hold their first lock now
        transaction.lock_patient(second)
        transaction.write_journal("seen", first, b"")

    futures = [store.submit(partial(work, *pair)) for pair in ((PATIENT, OTHER_PATIENT), (OTHER_PATIENT, PATIENT))]
    for future in futures:
        future.result()
    assert len(runs) >= 3  # the one that is run again may be too quick for the other
    assert len(store.read(lambda r: r.journal("seen"))) == 2


def test_work_whose_connection_is_lost_before_commit_runs_again(store: SqlStore) -> None:
    runs = []

    def work(transaction: Transaction) -> None:
        runs.append(1)
        registering([entry("1.1")])(transaction)
        if len(runs) == 1:
            execute(transaction, "SELECT pg_terminate_backend(pg_backend_pid())")

    store.transaction(work)
    assert len(runs) == 2
    assert len(find(store)) == 1


def test_connections_that_died_while_idle_are_replaced(store: SqlStore, postgres_uri: str) -> None:
    register(store, entry("1.1"))
    assert len(find(store)) == 1
    with psycopg.connect(postgres_uri, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ihe-xds'")
    assert len(find(store)) == 1
    for n in range(20):
        register(store, entry(f"2.{n}"))
    assert len(find(store)) == 21


def test_work_that_goes_on_after_a_failed_statement_is_not_called_done(store: SqlStore) -> None:
    def work(transaction: Transaction) -> str:
        registering([entry("1.1")])(transaction)
        with contextlib.suppress(psycopg.Error):
            execute(transaction, "SELECT 1/0")
        return "fine"

    with pytest.raises(StoreUnavailable, match="went on"):
        store.transaction(work)
    assert store.read(lambda r: r.claims(["1.1"])) == {}


def test_errors_of_the_database_do_not_quote_what_is_stored(store: SqlStore) -> None:
    def work(transaction: Transaction) -> None:
        transaction.announce("secret^^^&1.2&ISO")
        execute(transaction, "INSERT INTO patient (identifier, state, created) VALUES ('secret^^^&1.2&ISO', 1, 1)")

    with pytest.raises(StoreUnavailable) as caught:
        store.transaction(work)
    assert str(caught.value) == "the database failed: 23505"
    assert caught.value.__cause__ is None


def test_durability_does_not_depend_on_the_servers_default(
    new_database: Callable[[str], str], opened: Callable[..., SqlStore]
) -> None:
    postgres_database = new_database("postgresql")
    with psycopg.connect(conninfo(postgres_database), autocommit=True) as connection:
        name = connection.execute("SELECT current_database()").fetchone()
        assert name is not None
        connection.execute(f"ALTER DATABASE {name[0]} SET synchronous_commit = off".encode())

    def work(transaction: Transaction) -> list[tuple[str]]:
        assert isinstance(transaction, SqlTransaction)
        cursor = transaction._session._cursor  # type: ignore[attr-defined]
        rows: list[tuple[str]] = cursor.execute(b"SHOW synchronous_commit").fetchall()
        return rows

    assert opened(postgres_database).transaction(work) == [("on",)]


# --------------------------------------------------------------------------- COMMITs without an answer


class Relay:
    """Stands between the store and the server and can cut the line when a COMMIT passes."""

    def __init__(self, server: str) -> None:
        self._server = server
        self.folder = tempfile.mkdtemp(prefix="xds-relay-")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{self.folder}/.s.PGSQL.5432")
        self._listener.listen()
        self.cut = ""  # "before" or "after" the server has seen the COMMIT
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            for target, ends in ((self._forward, (client, server)), (self._answer, (server, client))):
                threading.Thread(target=target, args=ends, daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(65536):
                if b"COMMIT" in data and self.cut:
                    how, self.cut = self.cut, ""
                    self.cuts += 1
                    client.shutdown(socket.SHUT_RDWR)  # no answer gets through
                    if how == "after":
                        server.sendall(data)
                    break
                server.sendall(data)
        except OSError:
            pass
        # the server finishes what it was sent, then sees the end
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        try:
            while data := server.recv(65536):
                client.sendall(data)
        except OSError:
            pass
        finally:
            for end in (server, client):
                end.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        os.unlink(f"{self.folder}/.s.PGSQL.5432")
        os.rmdir(self.folder)


@pytest.fixture
def relay(postgres_uri: str) -> Iterator[Relay]:
    folder = Path(postgres_uri.partition("host=")[2])
    relay = Relay(str(next(folder.glob(".s.PGSQL.*[0-9]"))))
    yield relay
    relay.close()


@pytest.mark.parametrize(("cut", "expected_runs"), [("before", 2), ("after", 1)])
def test_a_commit_without_an_answer_is_looked_up(
    relay: Relay, postgres_database: str, opened: Callable[..., SqlStore], cut: str, expected_runs: int
) -> None:
    store = opened(f"{postgres_database.partition('host=')[0]}host={relay.folder}&port=5432")
    runs = []

    def work(transaction: Transaction) -> int:
        runs.append(1)
        if len(runs) == 1:
            relay.cut = cut
        registering([entry("1.1")])(transaction)
        return len(runs)

    assert store.transaction(work) == expected_runs
    assert relay.cuts == 1
    assert len(runs) == expected_runs
    assert [o.unique_id for o in find(store)] == ["1.1"]


def test_a_large_document_of_work_that_ran_twice_keeps_its_file(store: SqlStore) -> None:
    staged = stage(store, os.urandom(200_000))
    runs = []

    def work(transaction: Transaction) -> None:
        runs.append(1)
        document_work("1.1", staged, transaction)
        if len(runs) == 1:
            execute(transaction, "SELECT pg_terminate_backend(pg_backend_pid())")

    store.transaction(work)
    document = store.read(lambda r: r.document("1.1"))
    assert document is not None
    assert document.path is not None
    assert Path(document.path).stat().st_size == 200_000


# --------------------------------------------------------------------------- a server that goes away


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (postgres, postgres_connection):
        monkeypatch.setattr(module, "PATIENCE", 1.5)
    monkeypatch.setattr(postgres, "_LEAST", 0.7)
    monkeypatch.setattr(postgres, "_OUTCOME", 0.5)
    monkeypatch.setattr(postgres_connection, "CONNECT", 2)
    monkeypatch.setattr(postgres_connection.PatientConnection, "patience", 1.5)


def soon(work: Callable[[], T]) -> T:
    """What it gives, as soon as the server has a moment for those who are impatient."""
    end = time.monotonic() + 20
    while True:
        try:
            return work()
        except StoreUnavailable:
            if time.monotonic() > end:
                raise


@pytest.mark.parametrize("how", ["killed", "shut down"])
def test_work_and_reads_go_on_after_the_server_was_away(
    own_server: PostgreSql, own_database: str, opened: Callable[..., SqlStore], how: str
) -> None:
    store = opened(own_database)
    register(store, entry("1.1"))
    assert len(find(store)) == 1
    own_server.kill() if how == "killed" else own_server.stop()
    held_back = [store.submit(registering([entry(f"2.{n}")])) for n in range(20)]
    time.sleep(0.3)
    assert not any(future.done() for future in held_back)
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        find(store)
    own_server.start()
    for future in held_back:
        future.result()
    assert len(find(store)) == 21


@pytest.mark.usefixtures("impatient")
def test_work_is_refused_when_the_server_stays_away(
    own_server: PostgreSql, own_database: str, opened: Callable[..., SqlStore]
) -> None:
    store = opened(own_database)
    staged = stage(store, os.urandom(200_000))
    own_server.stop()
    started = time.monotonic()
    futures = [store.submit(partial(document_work, f"1.{n}", staged)) for n in range(30)]
    for future in futures:
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            future.result()
    assert time.monotonic() - started < 8
    store.discard(staged, in_doubt=True)
    own_server.start()
    soon(lambda: register(store, entry("1.1")))
    store.close()
    assert staged.path is not None
    assert not Path(store.documents.locate(staged.path)).exists()


@pytest.mark.usefixtures("impatient")
def test_nobody_waits_long_for_a_server_that_stands_still(
    own_server: PostgreSql, own_database: str, opened: Callable[..., SqlStore]
) -> None:
    store = opened(own_database)
    register(store, entry("1.1"))
    assert len(find(store)) == 1
    everyone = own_server.processes()
    own_server.signal(everyone, signal.SIGSTOP)
    try:
        started = time.monotonic()
        work = [store.submit(registering([entry(f"1.{n}")])) for n in range(2, 40)]
        with pytest.raises(StoreUnavailable, match="does not answer"):
            find(store)
        for future in work:
            with pytest.raises(StoreUnavailable, match="does not answer"):
                future.result()
        assert time.monotonic() - started < 10
    finally:
        own_server.signal(everyone, signal.SIGCONT)
    assert len(soon(lambda: find(store))) == 1
    soon(lambda: register(store, entry("1.2")))
    assert len(soon(lambda: find(store))) == 2


@pytest.mark.usefixtures("impatient")
def test_a_file_stays_as_long_as_a_commit_may_be_carried_out(
    own_server: PostgreSql, own_database: str, opened: Callable[..., SqlStore]
) -> None:
    store = opened(own_database)
    staged = stage(store, os.urandom(200_000))
    everyone: list[int] = []

    def work(transaction: Transaction) -> None:
        document_work("1.1", staged, transaction)
        everyone.extend(own_server.processes())
        own_server.signal(everyone, signal.SIGSTOP)

    try:
        with pytest.raises(StoreUnavailable, match="is not known"):
            store.transaction(work)
    finally:
        own_server.signal(everyone, signal.SIGCONT)
    store.discard(staged, in_doubt=True)
    assert store._writer.settled is False
    end = time.monotonic() + 10
    while not store._writer.settled:
        assert time.monotonic() < end
        soon(lambda: register(store, entry(f"2.{time.monotonic_ns()}")))
    soon(lambda: register(store, entry("3.1")))
    assert soon(lambda: store.read(lambda r: r.document("1.1"))) is not None
    store.close()
    assert staged.path is not None
    assert Path(store.documents.locate(staged.path)).exists()
