"""A listener for HL7 v2 over MLLP (ITI TF-2 C.2.1), with TLS (ITI-19), on asyncio.

::

    server = MllpServer(Endpoint([registry]), port=2575)
    await server.start()
    ...
    await server.stop()

Connections are persistent or one-shot. Messages of one connection are performed and answered one after the other, in
the order they came, also when a sender does not wait; those of different connections side by side.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl as tls
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any, Final, cast

from xds_mllp.endpoint import Answer, Endpoint, Pending
from xds_mllp.framing import Broken, Framer, frame

_log: Final = logging.getLogger("xds_mllp")

DEFAULT_PORT: Final = 2575  # registered with IANA for HL7
INLINE_SIZE: Final = 65536  # larger messages always go to the pool
_QUERY: Final = b"QBP"  # MSH-9.1, to be found near the beginning; elsewhere it does no harm
_HEAD: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one listener takes. Times are seconds."""

    connections: int = 1000  # one more is closed at once
    message_size: int = 16 * 2**20  # bytes; a larger message is answered AR and skipped
    queued_messages: int = 32  # per connection; then its socket is no longer read until answers are out
    idle_time: float = 3600.0  # between messages; then the connection is closed
    read_time: float = 60.0  # for one message, from its first byte to its last, and for a peer to take its answers
    garbage: int = 65536  # bytes outside of blocks in a row; then the peer does not speak MLLP
    handshake_time: float = 20.0  # TLS


class MllpServer:
    """Listens, frames, and hands every message to the endpoint in a pool of ``workers`` threads.

    ``inline`` works in the event loop instead, at twice the rate: right when the actors do not wait for anything but
    return Futures, as a Document Registry on a store of this library does, and no feed is strict. Queries, whose actors
    read while we wait, go to the pool in any case.
    ``ssl`` makes it MLLP over TLS. ``executor`` replaces the pool, and stays open.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        host: str | None = "127.0.0.1",
        port: int = DEFAULT_PORT,
        ssl: tls.SSLContext | None = None,
        limits: Limits | None = None,
        inline: bool = False,
        workers: int = 8,
        executor: Executor | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.limits = limits or Limits()
        self.ssl = ssl
        self.inline = inline
        self._host, self._port = host, port
        self._own_pool = executor is None
        self._pool = executor or ThreadPoolExecutor(workers, thread_name_prefix="mllp")
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._empty: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.refused_connections = 0

    async def start(self, *, sock: socket.socket | None = None) -> None:
        """Begin to listen: on host and port, or on a bound socket (which several processes may share).

        Raises OSError when the address cannot be had.
        """
        loop = self._loop = asyncio.get_running_loop()
        self._empty = asyncio.Event()
        handshake = self.limits.handshake_time if self.ssl else None
        if sock is not None:
            self._server = await loop.create_server(
                self._accept, sock=sock, ssl=self.ssl, ssl_handshake_timeout=handshake, backlog=512
            )
        else:
            self._server = await loop.create_server(
                self._accept, self._host, self._port, ssl=self.ssl, ssl_handshake_timeout=handshake, backlog=512
            )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on; the port is the real one when 0 was asked for."""
        if self._server is None or not self._server.sockets:
            raise RuntimeError("the server is not listening")
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    async def stop(self, *, timeout: float = 30.0) -> None:
        """Accept nothing new, finish and answer every message that has arrived whole, close.

        What is not finished after ``timeout`` seconds is cut off. Calling it twice is harmless.
        """
        if self._server is None or self._empty is None:
            return
        self._server.close()
        for connection in tuple(self._connections):
            connection.drain()
        if self._connections:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._empty.wait(), timeout)
        for connection in tuple(self._connections):
            connection.abort()
        await asyncio.sleep(0)  # transports close in the next turn of the loop
        self._server = None
        if self._own_pool:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def __aenter__(self) -> MllpServer:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    @contextmanager
    def background(self) -> Iterator[tuple[str, int]]:
        """Run in an event loop of its own in a thread, for programs without one; gives the address."""
        loop = asyncio.new_event_loop()
        thread = Thread(target=loop.run_forever, name="mllp-loop", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.start(), loop).result()
            yield self.address
            asyncio.run_coroutine_threadsafe(self.stop(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    # ----------------------------------------------------------------- what connections need

    def _accept(self) -> _Connection:
        assert self._loop is not None
        return _Connection(self, self._loop)

    def opened(self, connection: _Connection) -> bool:
        """Take a connection in; False when there are too many."""
        if len(self._connections) >= self.limits.connections or self._server is None:
            self.refused_connections += 1
            _log.warning("connection refused: %d are open", len(self._connections))
            return False
        self._connections.add(connection)
        return True

    def closed(self, connection: _Connection) -> None:
        """A connection is gone, and all of its messages are done."""
        self._connections.discard(connection)
        stopping = self._server is not None and not self._server.is_serving()
        if stopping and not self._connections and self._empty is not None:
            self._empty.set()

    def perform(self, item: bytes | Broken, connection: _Connection) -> None:
        """Work on one message; ``connection.answered`` is then called in the loop. RuntimeError: the pool is closed."""
        data = item if isinstance(item, bytes) else item.head
        if self.inline and len(data) <= INLINE_SIZE and _QUERY not in data[:_HEAD]:
            outcome = self._outcome(item)
            if isinstance(outcome, Pending):
                outcome.future.add_done_callback(lambda _: self._call(connection.finished, outcome))
            else:
                assert self._loop is not None
                self._loop.call_soon(connection.answered, outcome)
        else:
            self._pool.submit(self._work, item, connection)

    def _work(self, item: bytes | Broken, connection: _Connection) -> None:
        outcome = self._outcome(item)
        if isinstance(outcome, Pending):
            outcome.future.add_done_callback(lambda _: self._call(connection.finished, outcome))
        else:
            self._call(connection.answered, outcome)

    def _outcome(self, item: bytes | Broken) -> Answer | Pending:
        return self.endpoint.refuse(item) if isinstance(item, Broken) else self.endpoint.start(item)

    def _call(self, function: Callable[[Any], None], outcome: Answer | Pending) -> None:
        """Back to the loop, from whichever thread finished the work."""
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            self._loop.call_soon_threadsafe(function, outcome)


class _Connection(asyncio.Protocol):
    """One peer: frames its bytes, has one message at a time performed, writes the answers in order."""

    __slots__ = (
        "_activity",
        "_busy",
        "_draining",
        "_framer",
        "_gone",
        "_loop",
        "_paused",
        "_queue",
        "_server",
        "_skipped",
        "_timer",
        "_transport",
        "_writable",
    )

    def __init__(self, server: MllpServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._framer = Framer(max_size=server.limits.message_size)
        self._queue: deque[bytes | Broken] = deque()
        self._busy = False  # a message is being performed
        self._draining = False  # nothing more is read: the peer has sent everything, or the server stops
        self._gone = False
        self._paused = False
        self._writable = True
        self._skipped = 0
        self._activity = loop.time()  # when the last block began or was answered, or writing stalled
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    # ----------------------------------------------------------------- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._server.opened(self):
            self._gone = True
            self._transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        if self._draining:
            return
        inside = self._framer.inside
        items = self._framer.receive(data)
        if items or (self._framer.inside and not inside):
            self._activity = self._loop.time()
        if items:
            if self._framer.skipped != self._skipped:
                self._server.endpoint.tolerated("bytes outside of blocks")
            self._skipped = self._framer.skipped
            self._queue.extend(items)
            self._next()
        elif self._framer.skipped - self._skipped > self._server.limits.garbage:
            _log.warning("connection closed: the peer does not speak MLLP")
            self.abort()

    def eof_received(self) -> bool:
        """The peer has sent everything. Without TLS it may still read: its answers go out before we close."""
        self._draining = True
        return self._server.ssl is None and (self._busy or bool(self._queue))

    def pause_writing(self) -> None:
        self._writable = False
        self._activity = self._loop.time()

    def resume_writing(self) -> None:
        self._writable = True
        self._activity = self._loop.time()
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        if self._timer is not None:
            self._timer.cancel()
        if self._framer.inside:
            _log.warning("connection lost in the middle of a message")
        # messages that arrived whole are performed even if nobody waits for the answer any more
        self._writable = True
        self._next()

    # ----------------------------------------------------------------- messages

    def _next(self) -> None:
        if self._queue and not self._busy and self._writable:
            self._busy = True
            try:
                self._server.perform(self._queue.popleft(), self)
            except RuntimeError:  # the pool is shut down: the peer keeps what is not acknowledged
                self._busy = False
                self._queue.clear()
                self.abort()
        self._throttle()
        if not self._busy and not self._queue:
            if self._gone:
                self._server.closed(self)
            elif self._draining and self._transport is not None:
                self._transport.close()

    def _throttle(self) -> None:
        """Stop reading while the queue is full or the peer does not take its answers."""
        if self._gone or self._draining or self._transport is None:
            return
        full = len(self._queue) >= self._server.limits.queued_messages or not self._writable
        if full and not self._paused:
            self._transport.pause_reading()
        elif not full and self._paused:
            self._transport.resume_reading()
        self._paused = full

    def answered(self, answer: Answer) -> None:
        """The answer to the message being performed."""
        self._busy = False
        self._activity = self._loop.time()
        if answer and not self._gone and self._transport is not None:
            self._transport.write(frame(answer[0]) if len(answer) == 1 else b"".join(map(frame, answer)))
        self._next()

    def finished(self, pending: Pending) -> None:
        """The work behind the answer is done; the answer is written here, not in the thread that did it."""
        self.answered(pending.answer())

    # ----------------------------------------------------------------- ends

    def drain(self) -> None:
        """The server stops: finish what has arrived, then close."""
        self._draining = True
        if self._transport is not None and not self._gone:
            self._transport.pause_reading()
        self._next()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _watch(self) -> None:
        """Close when the peer stays silent too long: inside a message, before the next one, or as a reader."""
        limits = self._server.limits
        stalled = self._framer.inside or not self._writable
        working = (self._busy or self._queue) and self._writable
        allowed = limits.read_time if stalled else limits.idle_time
        left = self._activity + allowed - self._loop.time()
        if left <= 0 and not working:
            if stalled:
                _log.warning("connection closed: the peer was silent in the middle of a message or an answer")
            self.abort()
            return
        # the allowance may shrink from idle to read time at any moment
        self._timer = self._loop.call_later(max(min(left, limits.read_time), 0.01), self._watch)
