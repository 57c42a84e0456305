"""Taking connections from a listening socket, many at a time.

uvloop takes one in each turn of its loop (libuv does since 1.45). In a turn of a loaded server hundreds of requests
move on, so with a few turns a second whoever connects then would wait for many seconds.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Final

log = logging.getLogger("xds.serve")

_AT_ONCE: Final = 256  # then what is connected has its turn
_PAUSE: Final = 1.0  # seconds without accepting when the process has no descriptors or memory left
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Acceptor:
    """Connections of ``listener`` become protocols of the running loop, between ``start`` and ``stop``."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        *,
        tls: ssl.SSLContext | None = None,
        handshake_time: float = 60.0,
    ) -> None:
        self._listener = listener
        self._protocol = protocol
        self._tls = tls
        self._handshake_time = handshake_time if tls else None
        self._loop = asyncio.get_running_loop()
        self._starting: set[asyncio.Task[None]] = set()
        self._resuming: asyncio.TimerHandle | None = None

    def start(self, backlog: int) -> None:
        self._listener.setblocking(False)
        self._listener.listen(backlog)
        self._resume()

    def stop(self) -> None:
        """Accept nothing more and close the listener; connections that are there stay."""
        self._loop.remove_reader(self._listener)
        self._listener.close()
        if self._resuming is not None:
            self._resuming.cancel()
        for task in self._starting:
            task.cancel()

    def _resume(self) -> None:
        self._resuming = None
        self._loop.add_reader(self._listener, self._take)

    def _take(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                log.error("no connections are accepted for %.0f s: %s", _PAUSE, error.strerror)
                self._loop.remove_reader(self._listener)
                self._resuming = self._loop.call_later(_PAUSE, self._resume)
                return
            task = self._loop.create_task(self._connect(connection))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(
                self._protocol, connection, ssl=self._tls, ssl_handshake_timeout=self._handshake_time
            )
        except OSError as error:  # it is gone, or its TLS is not ours
            log.debug("a connection did not come about: %s", type(error).__name__)
            connection.close()
