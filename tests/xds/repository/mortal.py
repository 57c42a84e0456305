"""A repository process that kills itself at a named step of its way to another system's registry.

A step is what the process has just done, or is about to do, in the order in which that happens: ``before store``,
``after store``, ``before register``, ``after register``, ``before settle``, ``after settle``, and for ``resolve`` the
last two and ``after ask``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.xds.registry.build import entry, submission, submission_set
from xds.clients.registrar import RemoteRegistrar
from xds.errors import RequestRejected
from xds.metadata.registry_object import Submission
from xds.metadata.requests import ProvidedDocuments
from xds.ports import RegistryResponse
from xds.repository import DocumentRepository
from xds.stores import SqlStore, open_store
from xds.vocab.ebrim import Scheme, SlotName
from xds_soap import SoapExchange

SMALL = b"\r\ndischarge summary\n"
LARGE = bytes(range(256)) * 800  # more than a row holds


class Steps:
    """Where the process is, and where it dies."""

    def __init__(self, fatal: str) -> None:
        self._fatal = fatal

    def __call__(self, step: str) -> None:
        if step == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)


class MortalStore:
    """The store, with a step before and after each transaction; ``names`` are those of the transactions to come."""

    def __init__(self, store: SqlStore, step: Steps, *names: str) -> None:
        self._store, self._step, self._names = store, step, list(names)

    def transaction(self, work: Callable[[Any], Any]) -> Any:
        name = self._names.pop(0)
        self._step(f"before {name}")
        result = self._store.transaction(work)
        self._step(f"after {name}")
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class MortalRegistrar(RemoteRegistrar):
    step: Steps

    def register(self, submission: Submission) -> RegistryResponse:
        self.step("before register")
        try:
            return super().register(submission)
        finally:
            self.step("after register")

    def is_registered(self, submission_set_unique_id: str) -> bool:
        known = super().is_registered(submission_set_unique_id)
        self.step("after ask")
        return known


def parts_of(unique_id: str) -> dict[str, bytes]:
    """The documents of a submission by uniqueId: one is a row, the other a file."""
    return {f"{unique_id}.1": SMALL, f"{unique_id}.2": LARGE}


def request(store: SqlStore, unique_id: str, outcome: str) -> ProvidedDocuments:
    entries, documents = [], {}
    for number, (unique, content) in enumerate(parts_of(unique_id).items()):
        made = entry(f"Document{number}", unique=unique)
        if outcome == "refused":  # the registry finds that a class code is missing
            made.classifications = [c for c in made.classifications if c.scheme != Scheme.CLASS_CODE]
        for slot in (SlotName.HASH, SlotName.SIZE, SlotName.REPOSITORY_UNIQUE_ID):
            del made.slots[slot]
        stage = store.stage()
        stage.write(content)
        documents[made.id] = stage.finish()
        entries.append(made)
    return ProvidedDocuments(submission(*entries, of=submission_set(unique=unique_id)), documents)


def live(told: Connection, kind: str, folder: Path, url: str, fatal: str, unique_id: str, outcome: str) -> None:
    """What the process does: ``provide`` a submission or ``resolve`` doubts; sends what the source would be told."""
    step = Steps(fatal)
    with (
        open_store(f"sqlite:///{folder}/xds.sqlite", documents=folder / "documents", sweep=False) as store,
        SoapExchange(url) as exchange,
    ):
        registrar = MortalRegistrar(exchange)
        registrar.step = step
        mortal: Any
        if kind == "resolve":
            mortal = MortalStore(store, step, "settle")
            DocumentRepository(mortal, registrar).resolve_doubts(registrar.is_registered, older_than=0)
            return
        mortal = MortalStore(store, step, "store", "settle")
        try:
            DocumentRepository(mortal, registrar).provide_and_register(request(store, unique_id, outcome))
        except RequestRejected as refused:
            told.send(str(refused.code))
        else:
            told.send("acknowledged")
