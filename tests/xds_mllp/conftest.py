from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from xds.registry.actor import DocumentRegistry
from xds.stores import open_store
from xds_mllp.endpoint import Endpoint


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[DocumentRegistry]:
    store = open_store(tmp_path / "registry.sqlite", documents=tmp_path / "documents", sweep=False)
    try:
        yield DocumentRegistry(store)
    finally:
        store.close()


@pytest.fixture
def endpoint(registry: DocumentRegistry) -> Endpoint:
    return Endpoint([registry])
