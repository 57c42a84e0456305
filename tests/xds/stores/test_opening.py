"""Opening: addresses, versions, several at once."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tests.xds.stores.support import entry, find, register
from xds.errors import StoreUnavailable
from xds.ports import StagedDocument, Transaction
from xds.stores import SqlStore, open_store
from xds.stores.migrate import migrate, revisions
from xds.stores.schema import HEAD, metadata

ROOT = Path(__file__).parents[3]


def test_the_tables_of_the_migrations_are_those_of_the_schema(database: str) -> None:
    engine = sa.create_engine(database, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        inspector = sa.inspect(connection)
        for table in metadata.tables.values():
            assert _indexes(inspector, table.name) == {
                (index.name, tuple(column.name for column in index.columns)) for index in table.indexes
            }
            key = inspector.get_pk_constraint(table.name)["constrained_columns"]
            assert key == [column.name for column in table.primary_key.columns]
    engine.dispose()


def _indexes(inspector: sa.Inspector, table: str) -> set[tuple[str | None, tuple[str | None, ...]]]:
    return {
        (index["name"], tuple(index["column_names"]))
        for index in inspector.get_indexes(table)
        if "duplicates_constraint" not in index
    }


def test_text_compares_as_bytes(postgres_database: str) -> None:
    with psycopg.connect(postgres_database.replace("+psycopg", "")) as connection:
        rows = connection.execute(
            "SELECT table_name, column_name, collation_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND data_type = 'text' AND table_name <> 'alembic_version'"
        ).fetchall()
    assert len(rows) >= 20
    assert {row[2] for row in rows} == {"C"}


def test_sqlite_tables_are_clustered_where_the_schema_says(sqlite_database: str) -> None:
    with closing(sqlite3.connect(sqlite_database.removeprefix("sqlite:///"))) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID%'").fetchall()
    declared = {t.name for t in metadata.tables.values() if t.dialect_options["sqlite"]["with_rowid"] is False}
    assert {row[0] for row in rows} == declared
    assert {"directory", "directory_more", "identity_term", "object_code", "received_message"} <= declared


def test_the_newest_migration_is_the_one_the_schema_names() -> None:
    assert revisions()[-1] == HEAD


def test_a_store_is_opened_again_with_what_it_had(database: str, opened: Callable[..., SqlStore]) -> None:
    with opened(database) as store:
        register(store, entry("1.1"))
    assert [o.unique_id for o in find(opened(database))] == ["1.1"]


def _set_version(database: str, version: str) -> None:
    engine = sa.create_engine(database, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :v"), {"v": version})
    engine.dispose()


def test_a_database_of_a_newer_version_is_not_touched(database: str, opened: Callable[..., SqlStore]) -> None:
    _set_version(database, "9999")
    with pytest.raises(StoreUnavailable, match="newer version of ihe-xds"):
        opened(database)
    _set_version(database, HEAD)
    opened(database)  # and the lock was given back


def test_a_database_with_other_tables_is_not_touched(tmp_path: Path, opened: Callable[..., SqlStore]) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE accounts (id INTEGER)")
    with pytest.raises(StoreUnavailable, match="none of this library"):
        opened(str(path))


def test_a_file_that_is_no_database_is_refused(tmp_path: Path, opened: Callable[..., SqlStore]) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"something else entirely " * 100)
    with pytest.raises(StoreUnavailable):
        opened(str(path))
    assert path.read_bytes() == b"something else entirely " * 100


@pytest.mark.parametrize(
    ("database", "message"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("mysql://localhost/x", "no store for mysql"),
        ("://nowhere", "neither a path nor a URL"),
        ("postgresql+psycopg://nobody@127.0.0.1:1/none", "cannot be reached"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_in_plain_words(tmp_path: Path, database: str, message: str) -> None:
    with pytest.raises(StoreUnavailable, match=message):
        open_store(database, documents=tmp_path / "documents")


def test_passwords_are_not_in_what_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        open_store("postgresql://user:geheim@127.0.0.1:1/none", documents=tmp_path / "documents")
    assert "geheim" not in str(caught.value)


def test_documents_may_be_named_by_url_and_the_database_by_path(tmp_path: Path) -> None:
    with open_store(tmp_path / "deep" / "x.sqlite", documents=f"file://{tmp_path}/my%20documents") as store:
        assert (tmp_path / "my documents").is_dir()
        assert store.url == f"sqlite:///{tmp_path}/deep/x.sqlite"
    with pytest.raises(StoreUnavailable, match="folder"):
        open_store(tmp_path / "y.sqlite", documents="s3://bucket")


def test_what_is_made_is_private_to_the_user(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with open_store(tmp_path / "data" / "x.sqlite", documents=tmp_path / "data" / "documents") as store:
            register(store, entry("1.1"))
            modes = {p.name: p.stat().st_mode & 0o077 for p in (tmp_path / "data").iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(modes, 0)
    assert {"x.sqlite", "x.sqlite-wal", "documents"} <= modes.keys()


def test_many_processes_that_open_a_new_postgresql_database_at_once_all_get_it(postgres_uri: str) -> None:
    with psycopg.connect(postgres_uri, autocommit=True) as connection:
        connection.execute("CREATE DATABASE empty_at_first")
    url = sa.engine.make_url(postgres_uri.replace("postgresql://", "postgresql+psycopg://")).set(
        database="empty_at_first"
    )
    failures: list[BaseException] = []

    def run() -> None:
        try:
            migrate(url)
        except BaseException as error:
            failures.append(error)

    # one after the other within alembic's module state, but each on its own connection and at the same time
    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]


def test_of_many_processes_that_open_a_new_sqlite_store_at_once_one_gets_it(tmp_path: Path) -> None:
    script = (
        "import sys; from xds.stores import open_store; from xds.errors import StoreUnavailable\n"
        "try: store = open_store(sys.argv[1], documents=sys.argv[2])\n"
        "except StoreUnavailable as error: print(error); sys.exit(3)\n"
        "print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "x.sqlite"), str(tmp_path / "documents")]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) for _ in range(3)]
    lines = []
    for process in processes:
        assert process.stdout is not None
        lines.append(process.stdout.readline())
    for process in processes:
        process.communicate(b"")
    assert lines.count(b"open\n") == 1
    assert sum(b"another process has the store" in line for line in lines) == 2


def test_opening_an_up_to_date_store_imports_no_alembic(sqlite_database: str, tmp_path: Path) -> None:
    script = (
        "import sys; from xds.stores import open_store\n"
        "open_store(sys.argv[1], documents=sys.argv[2]).close()\n"
        "print([m for m in ('alembic', 'psycopg') if m in sys.modules])"
    )
    command = [sys.executable, "-c", script, sqlite_database, str(tmp_path / "documents")]
    assert subprocess.check_output(command, cwd=ROOT) == b"[]\n"


def test_a_documents_folder_is_never_swept_with_another_database(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    with open_store(tmp_path / "one.sqlite", documents=documents, sweep=False) as store:
        stage = store.stage()
        stage.write(b"x" * 200_000)
        staged = stage.finish()
        store.transaction(partial(_keep, staged))
    assert staged.path is not None
    with pytest.raises(StoreUnavailable, match="belong to another database"):
        open_store(tmp_path / "two.sqlite", documents=documents)
    (documents / "store").unlink()
    with pytest.raises(StoreUnavailable, match="belong to another database"):
        open_store(tmp_path / "two.sqlite", documents=documents)
    assert (documents / staged.path).stat().st_size == 200_000


def _keep(staged: StagedDocument, transaction: Transaction) -> None:
    transaction.insert_document("1.2.3", "text/plain", staged)
