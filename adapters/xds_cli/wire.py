"""An HTTP transport that counts what goes over the wire, for progress bars and for the demo's account of itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx


def unwatched(_: int) -> None:
    """Nobody watches."""


@dataclass(slots=True)
class Traffic:
    """One exchange: bytes of the bodies, and seconds from the first byte out to the last byte in."""

    sent: int = 0
    received: int = 0
    started: float = 0.0
    ended: float = 0.0

    @property
    def seconds(self) -> float:
        return self.ended - self.started


class CountingTransport(httpx.BaseTransport):
    """Passes everything on to ``inner``; ``last`` is the account of the last exchange.

    ``on_sent`` and ``on_received`` are called with the length of each piece. Used by one thread.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport | None = None,
        *,
        on_sent: Callable[[int], None] = unwatched,
        on_received: Callable[[int], None] = unwatched,
    ) -> None:
        self._inner = inner or httpx.HTTPTransport(trust_env=False)
        self._on_sent = on_sent
        self._on_received = on_received
        self.last = Traffic()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        traffic = self.last = Traffic(started=time.perf_counter())
        assert isinstance(request.stream, httpx.SyncByteStream)

        def sent(count: int) -> None:
            traffic.sent += count
            self._on_sent(count)

        def received(count: int) -> None:
            traffic.received += count
            traffic.ended = time.perf_counter()
            self._on_received(count)

        request.stream = _Counted(request.stream, sent)
        response = self._inner.handle_request(request)
        traffic.ended = time.perf_counter()
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = _Counted(response.stream, received)
        return response

    def close(self) -> None:
        self._inner.close()


class _Counted(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, count: Callable[[int], None]) -> None:
        self._stream = stream
        self._count = count

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            yield piece
            self._count(len(piece))

    def close(self) -> None:
        self._stream.close()
