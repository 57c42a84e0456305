"""Asks a registry in another system, now and then, about the submissions whose outcome is not known."""

from __future__ import annotations

import logging
import threading
from typing import Final

from xds.clients.registrar import RemoteRegistrar
from xds.errors import PeerUnreachable, StoreUnavailable
from xds.repository.actor import DocumentRepository

log = logging.getLogger("xds.serve")

#: Seconds between two rounds: doubled while the registry cannot tell, up to the longest.
PAUSE_SECONDS: Final = 30.0
LONGEST_PAUSE_SECONDS: Final = 900.0
#: What is younger may be under way: well above the time the registry has for an answer.
UNDER_WAY_SECONDS: Final = 600.0
#: How long the end of the server waits for a registry that does not answer.
CLOSE_SECONDS: Final = 5.0


class Resolver:
    """A thread that calls ``resolve_doubts`` at start and then periodically, until ``close``."""

    def __init__(
        self,
        repository: DocumentRepository,
        registrar: RemoteRegistrar,
        *,
        pause: float = PAUSE_SECONDS,
        older_than: float = UNDER_WAY_SECONDS,
    ) -> None:
        self._repository = repository
        self._registrar = registrar
        self._shortest = pause
        self._older_than = older_than
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="resolve doubts", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the rounds; waits a little for a question that is under way, whose answer can be had again."""
        self._stop.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        pause = self._shortest
        while not self._stop.is_set():
            settled = self._round()
            pause = self._shortest if settled else min(pause * 2, LONGEST_PAUSE_SECONDS)
            self._stop.wait(pause)

    def _round(self) -> bool:
        """Whether the registry could tell of everything it was asked about."""
        try:
            resolved = self._repository.resolve_doubts(self._is_registered, older_than=self._older_than)
        except StoreUnavailable:
            log.warning("submissions in doubt cannot be looked at: the store is not available")
            return False
        counts = len(resolved.registered), len(resolved.absent), len(resolved.unanswered)
        if any(counts):
            log.info("submissions in doubt: %d are registered, %d are not, %d are still open", *counts)
        return not resolved.unanswered

    def _is_registered(self, unique_id: str) -> bool:
        if self._stop.is_set():
            raise PeerUnreachable("stopping")
        try:
            return self._registrar.is_registered(unique_id)
        except PeerUnreachable:
            raise
        except Exception as error:  # one odd answer must not end the rounds; its text may quote the message
            log.error("the registry's answer about a submission in doubt cannot be used: %s", type(error).__name__)
            raise PeerUnreachable("the answer cannot be used") from error
