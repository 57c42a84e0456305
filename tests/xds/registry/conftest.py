from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.xds.registry.build import OTHER_PATIENT, PATIENT
from tests.xds.registry.moving import NEW, OLD, THIRD, World
from tests.xds.stores.conftest import (
    database,
    new_database,
    opened,
    postgres_database,
    postgres_uri,
    shared_postgres_database,
    sqlite_database,
    sqlite_template,
)
from xds.ports import UnitOfWork
from xds.registry import DocumentRegistry
from xds.stores import SqlStore, open_store

__all__ = [
    "database",
    "new_database",
    "opened",
    "postgres_database",
    "postgres_uri",
    "shared_postgres_database",
    "sqlite_database",
    "sqlite_template",
]


class StillClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[UnitOfWork]:
    opened = open_store(f"sqlite:///{tmp_path / 'xds.sqlite'}", documents=tmp_path / "documents", sweep=False)
    yield opened
    opened.close()


@pytest.fixture
def registry(store: UnitOfWork, clock: StillClock) -> DocumentRegistry:
    """A registry that knows two patients."""
    for patient in (PATIENT, OTHER_PATIENT):
        store.transaction(lambda transaction, patient=patient: transaction.announce(patient))  # type: ignore[misc]
    return DocumentRegistry(store, clock=clock)


@pytest.fixture
def world(database: str, opened: Callable[..., SqlStore], clock: StillClock) -> World:
    """A registry on each database that knows three patients."""
    made = World(DocumentRegistry(opened(database), clock=clock))
    for patient in (OLD, NEW, THIRD):
        made.announce(patient)
    return made
