"""As for the manager: both databases, a manager and a registry."""

from __future__ import annotations

from tests.xds.pix.conftest import (
    clock,
    database,
    new_database,
    opened,
    postgres_database,
    postgres_uri,
    region,
    shared_postgres_database,
    sqlite_database,
    sqlite_store,
    sqlite_template,
    store,
)

__all__ = [
    "clock",
    "database",
    "new_database",
    "opened",
    "postgres_database",
    "postgres_uri",
    "region",
    "shared_postgres_database",
    "sqlite_database",
    "sqlite_store",
    "sqlite_template",
    "store",
]
