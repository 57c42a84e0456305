"""uvicorn's HTTP protocol, with what it lacks against clients that are slow, silent or many.

uvicorn waits without end for a connection's first byte, for the rest of a request's headers and for a client that does
not take its answer; and what it does about too many connections does not say when to come again. All of it is one
subclass of whichever of its two protocols is there (httptools or h11). No public names of uvicorn are replaced.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Final

from uvicorn.protocols.http.auto import AutoHTTPProtocol

log = logging.getLogger("xds.serve")

MAX_HEADERS: Final = 64 * 1024  # bytes of the request line and all headers


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Times in seconds."""

    header_time: float = 20.0  # from the first byte of a request (or the connection) to the end of its headers
    send_time: float = 60.0  # in which a client takes nothing of its answer
    idle_time: float = 75.0  # between requests
    connections: int = 2000


def _plain(status: str, *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", "Connection: close", "Content-Length: 0", *headers, "", "")
    return "\r\n".join(lines).encode()


_TIMEOUT: Final = _plain("408 Request Timeout")
_TOO_MANY: Final = _plain("503 Service Unavailable", "Retry-After: 1")
_TOO_LARGE: Final = _plain("431 Request Header Fields Too Large")


def guarded(limits: HttpLimits) -> type[asyncio.Protocol]:
    """The protocol class for ``uvicorn.Config(http=…)``."""

    class GuardedProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # which one is known when it runs
        _headers_timer: asyncio.TimerHandle | None = None
        _send_timer: asyncio.TimerHandle | None = None
        _head = 0  # bytes since the last request was complete

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                log.warning("connection refused: there are %d", limits.connections)
                self._end(_TOO_MANY)
                return
            self._expect_headers()

        def connection_lost(self, error: Exception | None) -> None:
            self._stop_timers()
            super().connection_lost(error)

        def data_received(self, data: bytes) -> None:
            waiting = self._waiting()
            super().data_received(data)
            if not self._waiting():
                self._head = 0
                if self._headers_timer is not None:
                    self._headers_timer.cancel()
                    self._headers_timer = None
                return
            self._head = self._head + len(data) if waiting else len(data)
            if self._head > MAX_HEADERS and not self.transport.is_closing():
                self._end(_TOO_LARGE)
            else:
                self._expect_headers()

        def _waiting(self) -> bool:
            """Whether no request is being read or answered: what comes are headers."""
            return self.cycle is None or self.cycle.response_complete

        def _expect_headers(self) -> None:
            if self._headers_timer is None:
                self._headers_timer = self.loop.call_later(limits.header_time, self._headers_late)

        def _headers_late(self) -> None:
            self._headers_timer = None
            if self.transport is not None and not self.transport.is_closing():
                self._end(_TIMEOUT if self._head else b"")

        def _end(self, answer: bytes) -> None:
            if answer:
                self.transport.write(answer)
            self.transport.close()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._send_timer = self.loop.call_later(limits.send_time, self._not_taken)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._send_timer is not None:
                self._send_timer.cancel()
                self._send_timer = None

        def _not_taken(self) -> None:
            self._send_timer = None
            log.warning("an answer was broken off: the client takes nothing of it")
            self.transport.abort()

        def timeout_keep_alive_handler(self) -> None:
            # closing would wait for a client that has stopped reading
            if not self.transport.is_closing():
                self.transport.abort()

        def _stop_timers(self) -> None:
            for timer in (self._headers_timer, self._send_timer):
                if timer is not None:
                    timer.cancel()
            self._headers_timer = self._send_timer = None

    return GuardedProtocol
