"""Which tables a database has, and bringing older ones up to date when a store is opened.

Alembic keeps the version in its own table; each database reads that by its own driver first, and comes here only when
it is not the version of this library: opening an up-to-date store imports no alembic. SQLite is migrated by the process
that holds the store's lock; on PostgreSQL an advisory lock makes processes that open at the same time wait for the one
that migrates.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection
from sqlalchemy.pool import NullPool

from xds.errors import StoreUnavailable
from xds.stores.schema import HEAD

VERSION_QUERY: Final = "SELECT version_num FROM alembic_version"
_MIGRATION_LOCK: Final = 0x6968652D786473  # "ihe-xds", PostgreSQL's key of the advisory lock


def migrate(url: URL) -> None:
    """Bring the tables to this version; StoreUnavailable when they are of a newer one or not ours."""
    with _connection(url) as connection:
        # SQLite would begin only at the first change: by hand, so that a crash leaves the old version whole
        connection.exec_driver_sql("BEGIN IMMEDIATE" if url.get_backend_name() == "sqlite" else "BEGIN")
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        try:
            current = version(connection)
            if current != HEAD:
                _check_known(current, connection)
                _upgrade(connection)
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")


def version(connection: Connection) -> str | None:
    """The migration the database is at; None when it has no tables of ours."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    value: str | None = connection.execute(sa.text(VERSION_QUERY)).scalar()
    return value


def revisions() -> list[str]:
    """The migrations this version of the library knows, oldest first."""
    names = (path.stem.partition("_")[0] for path in (_folder() / "versions").glob("[0-9]*.py"))
    return sorted(names)


def _check_known(current: str | None, connection: Connection) -> None:
    if current is None:
        tables = sa.inspect(connection).get_table_names()
        if tables:
            raise StoreUnavailable("the database has tables, but none of this library: give it one of its own")
    elif current not in revisions():
        raise StoreUnavailable(
            f"the database was written by a newer version of ihe-xds (its tables are at {current}, known here is"
            f" {HEAD}): install that version or a later one"
        )


def _folder() -> Path:
    return Path(__file__).parent / "migrations"


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def _connection(url: URL) -> Iterator[Connection]:
    engine = sa.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    except sa.exc.DatabaseError as error:
        raise StoreUnavailable(f"the database cannot be opened: {type(error.orig).__name__}") from error
    finally:
        engine.dispose()
