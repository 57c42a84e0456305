"""Submissions whose outcome is not known: of a disk that fails, and of a clock that jumps while a registry is asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.xds.registry.build import unique_id
from tests.xds.repository.test_actor import (
    LARGE,
    TEXT,
    Elsewhere,
    bytes_of,
    codes_of,
    files,
    new_store,
    provided,
    retrieve,
    set_id,
    unhashed,
)
from tests.xds.stores.support import no_file_longer_than
from xds.errors import StoreUnavailable
from xds.metadata.registry_object import Submission
from xds.ports import RegistryResponse
from xds.registry import DocumentRegistry
from xds.repository import DocumentRepository
from xds.stores import SqlStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with new_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Elsewhere]:
    (tmp_path / "elsewhere").mkdir()
    with new_store(tmp_path / "elsewhere") as opened:
        yield Elsewhere(DocumentRegistry(opened))


def test_a_clock_that_jumps_does_not_make_old_what_is_under_way(store: SqlStore, elsewhere: Elsewhere) -> None:
    now, up, resolved = [datetime(2026, 1, 1, tzinfo=UTC)], [5.0], []

    class Slow(Elsewhere):
        def register(self, submission: Submission) -> RegistryResponse:
            """While the answer is waited for, the clock is set and another process looks for doubts."""
            now[0] += timedelta(hours=1)
            up[0] += 60
            resolved.append(repository.resolve_doubts(self.has))
            return super().register(submission)

    repository = DocumentRepository(
        store, Slow(elsewhere.registry), clock=lambda: now[0], uptime=lambda: ("this start", up[0])
    )
    unique = unique_id()
    request = provided(store, (unhashed(unique=unique), TEXT))
    assert repository.provide_and_register(request) == RegistryResponse()
    assert resolved[0].open == (set_id(request),)
    assert bytes_of(retrieve(repository, unique)) == [TEXT]


@pytest.mark.parametrize("boot", ["another start", ""])
def test_a_doubt_of_before_the_machine_started_is_as_old_as_the_clock_says(
    store: SqlStore, elsewhere: Elsewhere, boot: str
) -> None:
    now, start = [datetime(2026, 1, 1, tzinfo=UTC)], [("" if not boot else "a start", 5000.0)]
    repository = DocumentRepository(store, elsewhere, clock=lambda: now[0], uptime=lambda: start[0])
    request = provided(store, (unhashed(), TEXT))
    elsewhere.fault = "before"
    codes_of(repository, request)
    elsewhere.fault = ""
    start[0] = (boot, 5.0)
    assert repository.resolve_doubts(elsewhere.has).open == (set_id(request),)
    now[0] += timedelta(hours=1)
    assert repository.resolve_doubts(elsewhere.has).absent == (set_id(request),)


def test_a_document_whose_submission_the_disk_refused_is_gone_when_the_disk_is_back(tmp_path: Path) -> None:
    with new_store(tmp_path) as store:
        repository = DocumentRepository(store, DocumentRegistry(store))
        request = provided(store, (unhashed(), LARGE))
        with no_file_longer_than(64):
            for each in (request, provided(store, (unhashed(), TEXT))):
                with pytest.raises(StoreUnavailable):
                    repository.provide_and_register(each)
        assert len(files(store)) == 1  # a COMMIT that failed may be found done after a crash, with its document
        repository.provide_and_register(provided(store, (unhashed(), TEXT)))
        store.close()
        assert files(store) == []
