from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.xds.registry.build import OTHER_PATIENT, PATIENT
from xds.registry import DocumentRegistry
from xds.repository import DocumentRepository
from xds.stores import SqlStore, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with open_store(f"sqlite:///{tmp_path / 'xds.sqlite'}", documents=tmp_path / "documents", sweep=False) as opened:
        for patient in (PATIENT, OTHER_PATIENT):
            opened.transaction(lambda transaction, patient=patient: transaction.announce(patient))  # type: ignore[misc]
        yield opened


@pytest.fixture
def registry(store: SqlStore) -> DocumentRegistry:
    return DocumentRegistry(store)


@pytest.fixture
def repository(store: SqlStore, registry: DocumentRegistry) -> DocumentRepository:
    return DocumentRepository(store, registry)
