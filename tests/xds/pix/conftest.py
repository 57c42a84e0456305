"""A manager and a registry on one store, on each database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.xds.pix.people import AFFINITY, Region
from tests.xds.stores.conftest import (
    database,
    new_database,
    opened,
    postgres_database,
    postgres_uri,
    shared_postgres_database,
    sqlite_database,
    sqlite_store,
    sqlite_template,
    store,
)
from xds.patients.domains import Domains, Mode
from xds.pix import PatientIdentifierCrossReferenceManager, Policy
from xds.registry import AffinityDomain, DocumentRegistry
from xds.stores import SqlStore

__all__ = [
    "database",
    "new_database",
    "opened",
    "postgres_database",
    "postgres_uri",
    "shared_postgres_database",
    "sqlite_database",
    "sqlite_store",
    "sqlite_template",
    "store",
]


class StillClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **given: float) -> None:
        self.now += timedelta(**given)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def region(store: SqlStore, clock: StillClock) -> Region:
    """Open for every domain, on both databases."""
    return make_region(store, clock)


@pytest.fixture
def new_region(sqlite_store: SqlStore, clock: StillClock) -> Callable[..., Region]:
    """As ``region``, with choices, on SQLite."""

    def new(domains: Domains | None = None, **policy: Any) -> Region:
        return make_region(sqlite_store, clock, domains, **policy)

    return new


def make_region(store: SqlStore, clock: StillClock, domains: Domains | None = None, **policy: Any) -> Region:
    domains = domains or Domains(affinity=AFFINITY, mode=Mode.EXTERNAL)
    manager = PatientIdentifierCrossReferenceManager(store, domains=domains, policy=Policy(**policy), clock=clock)
    registry = DocumentRegistry(store, domain=AffinityDomain(merges="manager"), clock=clock)
    return Region(manager, registry)
