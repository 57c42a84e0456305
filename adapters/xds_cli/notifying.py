"""Tells PIX consumers of changes while the server runs (ITI-10)."""

from __future__ import annotations

import logging
import threading
from typing import Final

from xds.clients.notifier import UpdateNotifier
from xds.errors import StoreUnavailable
from xds.pix import Outbox
from xds_cli.tabled import ConsumerPeer

log = logging.getLogger("xds.serve")

#: Seconds between two looks into an outbox in which nothing was due.
PAUSE_SECONDS: Final = 1.0
#: How long the end of the server waits for a consumer that does not answer.
CLOSE_SECONDS: Final = 5.0


class Notifying:
    """A thread that delivers to one consumer, until ``close``."""

    def __init__(self, outbox: Outbox, peer: ConsumerPeer) -> None:
        self._peer = peer
        self._notifier = UpdateNotifier(outbox, peer.consumer, peer.client.exchange, peer.parties)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"notify {peer.consumer.name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends after the message that is under way, for which it waits a little: it can be sent again."""
        self._stop.set()
        self._thread.join(CLOSE_SECONDS)
        self._peer.client.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                busy = self._notifier.deliver().told > 0
            except Exception as error:  # noqa: BLE001 - one odd answer must not end it; its text may name a patient
                if not isinstance(error, StoreUnavailable):
                    log.error("notifying %s failed: %s", self._peer.consumer.name, type(error).__name__)
                busy = False
            if not busy:
                self._stop.wait(PAUSE_SECONDS)
