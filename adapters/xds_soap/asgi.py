"""The ASGI application: SOAP paths, health and metrics, for uvicorn and every other ASGI server.

The event loop only moves bytes. Parsing, file writes and actors run in a bounded pool of threads; a submission that
waits for its commit holds no thread. Request bodies are read as fast as they are staged and no faster, answers are
read as fast as the client takes them, so that memory does not grow with documents (DESIGN D5, D9).
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

from xds.errors import XdsError
from xds_soap import reply
from xds_soap.call import Call, Pending
from xds_soap.endpoint import SoapEndpoint, described, is_wsdl, too_large
from xds_soap.limits import MIB
from xds_soap.reply import SoapReply

# the three words of the ASGI specification; scope and messages are dictionaries of anything
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

T = TypeVar("T")

_BUSY: Final = reply.plain(503, "too many requests are waiting\n", (("Retry-After", "1"),))

log = logging.getLogger("xds_soap")

_PIECE: Final = 256 * 1024  # what one hop to the pool carries of a large request
_DRAIN: Final = 64 * 2**20  # so much of a refused request is read before the answer goes out
_SLOWEST: Final = 1024  # bytes a second
_DIGITS: Final = re.compile(r"[0-9]{1,18}\Z")


class ResponseBroken(Exception):
    """An answer cannot be finished. Raised through the ASGI server, which then breaks the connection."""


class ClientGone(Exception):
    """The client went away before its request was complete."""


class SoapApp:
    """ASGI application over a :class:`SoapEndpoint`; also mountable below a path of another application.

    ``threads`` work at the same time; ``max_waiting`` requests may be in progress and ``gathered`` bytes of them be in
    memory, more get 503. ``body_time`` is how many seconds a client may send nothing; one that sends less than a
    kilobyte a second is given up after twice that. ``ready`` is called for ``/health/ready`` and says no by raising.
    ``metrics`` give further text for ``/metrics``. Without ``operations``, ``/health`` and ``/metrics`` are not served.
    ``on_shutdown`` runs at the end of the server's lifespan, after the last request.
    """

    def __init__(
        self,
        endpoint: SoapEndpoint,
        *,
        threads: int = 8,
        max_waiting: int = 1000,
        gathered: int = 256 * MIB,
        body_time: float = 30.0,
        metrics: Sequence[Callable[[], str]] = (),
        ready: Callable[[], object] | None = None,
        operations: bool = True,
        on_shutdown: Callable[[], object] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="xds-soap")
        self._max_waiting = max_waiting
        self._in_progress = 0
        self._gathered = 0  # bytes of requests that are in memory and wait for the pool
        self._most_gathered = gathered
        self._body_time = body_time
        self._metrics = tuple(metrics)
        self._ready = ready
        self._operations = operations
        self._on_shutdown = on_shutdown
        self._paths = frozenset(endpoint.paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            raise ValueError(f"{scope['type']} is not served here")

    def close(self) -> None:
        """Finish what runs and end the threads; hosts that have no lifespan call it themselves."""
        self._pool.shutdown(wait=True)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await asyncio.to_thread(self.close)
                if self._on_shutdown is not None:
                    await asyncio.to_thread(self._on_shutdown)
                await send({"type": "lifespan.shutdown.complete"})
                return

    # ------------------------------------------------------------------- one request

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _path(scope)
        method = scope["method"]
        if path in self._paths and method == "POST":
            await self._post(path, scope, receive, send)
        elif path in self._paths and method in {"GET", "HEAD"} and is_wsdl(_query(scope)):
            await _send(send, described(self.endpoint, path, _address(scope)), head=method == "HEAD")
        elif path in self._paths:
            await _send(send, reply.plain(405, "SOAP requests are POSTed\n", (("Allow", "POST"),)))
        elif self._operations and method in {"GET", "HEAD"} and (answer := await self._operation(path)):
            await _send(send, answer, head=method == "HEAD")
        else:
            await _send(send, reply.plain(404, "nothing is here\n"))

    async def _operation(self, path: str) -> SoapReply | None:
        if path == "/health/live":
            return reply.plain(200, "live\n")
        if path == "/metrics":
            text = "".join((self.endpoint.metrics.render(), *(more() for more in self._metrics)))
            return reply.plain(200, text, kind="text/plain; version=0.0.4; charset=utf-8")
        if path != "/health/ready":
            return None
        try:
            if self._ready is not None:
                await self._hop(self._ready)
        except XdsError as error:
            log.error("not ready: %s", error)
            return reply.plain(503, "not ready\n")
        except Exception:
            log.exception("not ready")
            return reply.plain(503, "not ready\n")
        return reply.plain(200, "ready\n")

    async def _post(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        refused = self._refused(headers)
        client = scope.get("client")
        call = refused or self.endpoint.open(
            path, headers.get("content-type", ""), headers=headers, peer=client[0] if client else None
        )
        if isinstance(call, SoapReply):
            await self._refuse(call, receive, send)
            return
        self._in_progress += 1
        try:
            answer = await self._answer(call, receive)
        except ClientGone:
            return
        except TimeoutError:
            log.warning("a request was given up: its body came too slowly")
            await _send(send, reply.plain(408, "the request came too slowly\n", (("Connection", "close"),)))
            return
        finally:
            self._in_progress -= 1
        await self._deliver(answer, receive, send)

    def _refused(self, headers: Mapping[str, str]) -> SoapReply | None:
        """What is refused on its size or because too much is waiting, before anything is read."""
        if self._in_progress >= self._max_waiting or self._gathered >= self._most_gathered:
            return _BUSY
        size = headers.get("content-length", "")
        return too_large(int(size), self.endpoint.limits) if _DIGITS.match(size) else None

    async def _refuse(self, answer: SoapReply, receive: Receive, send: Send) -> None:
        await _drain(receive)
        await _send(send, answer)

    async def _answer(self, call: Call, receive: Receive) -> SoapReply:
        """Read the body into the call. A small one is gathered, and all its work done in one hop to the pool."""
        pieces: list[bytes] = []
        waiting = received = 0
        limit = self.endpoint.limits.small
        task = _Feeding(call)
        started = asyncio.get_running_loop().time()
        try:
            while True:
                message = await self._received(receive, started, received)
                if message["type"] != "http.request":
                    raise ClientGone
                if body := message.get("body"):
                    pieces.append(body)
                    waiting += len(body)
                    received += len(body)
                    self._gathered += len(body)
                if not message.get("more_body"):
                    break
                if waiting > limit or (waiting and self._gathered > self._most_gathered):
                    limit = _PIECE
                    refusal = await self._hop(partial(task.feed, pieces))
                    self._gathered -= waiting
                    pieces, waiting = [], 0
                    if refusal is not None:
                        await _drain(receive)
                        return refusal
            outcome = await self._hop(partial(task.finish, pieces))
        finally:
            self._gathered -= waiting
            task.abandon(self._pool)
        # the rest is small: the response element of a submission that is on disk now
        return outcome.finish() if isinstance(outcome, Pending) else outcome

    async def _received(self, receive: Receive, started: float, received: int) -> Message:
        """The next piece of a body; TimeoutError when it does not come, or the whole comes too slowly."""
        loop = asyncio.get_running_loop()
        late = started + 2 * self._body_time + received / _SLOWEST
        async with asyncio.timeout_at(min(loop.time() + self._body_time, late)):
            return await receive()

    async def _hop(self, work: Callable[[], T]) -> T:
        """Run work in the pool. When it gives back a Pending answer, wait until that can be finished."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        outcome: list[T] = []  # the Future of a Pending keeps what wakes us, so that must not lead to the Pending

        def settle(error: BaseException | None) -> None:
            if waiter.done():
                return
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)

        def wake(error: BaseException | None = None) -> None:
            try:
                loop.call_soon_threadsafe(settle, error)
            except RuntimeError:  # the loop is closed: nobody waits any more
                log.warning("an answer came after the server had stopped")

        def run() -> None:
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
                wake(error)
                return
            outcome.append(result)
            if isinstance(result, Pending):
                result.future.add_done_callback(lambda _: wake())
            else:
                wake()

        self._pool.submit(run)
        await waiter
        return outcome.pop()

    # ------------------------------------------------------------------- the answer

    async def _deliver(self, answer: SoapReply, receive: Receive, send: Send) -> None:
        if isinstance(answer.chunks, list):
            await _send(send, answer)
            return
        chunks = iter(answer.chunks)
        gone = asyncio.ensure_future(_until_gone(receive))
        await send(_start(answer))
        try:
            while not gone.done():
                chunk = await self._hop(partial(next, chunks, None))
                if chunk is None:
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except Exception as error:  # noqa: BLE001 - its text stays out of the server's log
            log.error("an answer broke off: %s", type(error).__name__)
            raise ResponseBroken("an answer could not be finished") from None
        finally:
            gone.cancel()
            _submit(self._pool, partial(_close, chunks))


class _Feeding:
    """The steps of one call, for the pool; closes the call after the last one, also when nobody waits any more."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._lock = threading.Lock()  # a step may still run, or be queued, when its request is given up
        self._closed = False

    def feed(self, pieces: list[bytes]) -> SoapReply | None:
        """Give the call its next bytes; the answer when it refuses them, and what was staged is gone with it.

        Were it there while the rest of the request is read, one request too many would have all the others refused.
        """
        with self._lock:
            refusal = None if self._closed else self._feed(pieces)
            if refusal is not None:
                self._close()
            return refusal

    def _feed(self, pieces: list[bytes]) -> SoapReply | None:
        try:
            self._call.feed(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        except Exception as error:  # noqa: BLE001 - becomes an answer
            return self._call.refuse(error)
        return None

    def finish(self, pieces: list[bytes]) -> SoapReply | Pending:
        """The last bytes, and the answer."""
        with self._lock:
            if self._closed:
                raise ClientGone
            try:
                return self._feed(pieces) or self._call.answer()
            finally:
                self._close()

    def abandon(self, pool: ThreadPoolExecutor) -> None:
        """Nobody waits any more. Discarding may touch the disk, so it is work for the pool."""
        if not self._closed:
            _submit(pool, self._give_up)

    def _give_up(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._call.close()


def _submit(pool: ThreadPoolExecutor, work: Callable[[], object]) -> None:
    try:
        pool.submit(work)
    except RuntimeError:  # the pool has ended with the server
        work()


def _path(scope: Scope) -> str:
    """The path below where the application is mounted (ASGI: ``path`` includes ``root_path``; older hosts leave it)."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        path = path[len(root) :]
    return path.rstrip("/") or "/"


def _query(scope: Scope) -> str:
    query: bytes = scope.get("query_string", b"")
    return query.decode("latin-1")


def _address(scope: Scope) -> str:
    """The URL that the client used."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    server = scope.get("server") or ("localhost", 80)
    host = hosts[0] if hosts else f"{server[0]}:{server[1]}"
    return f"{scope.get('scheme', 'http')}://{host}{scope['path']}"


def _start(answer: SoapReply) -> Message:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


async def _send(send: Send, answer: SoapReply, *, head: bool = False) -> None:
    await send(_start(answer))
    await send({"type": "http.response.body", "body": b"" if head else answer.content})


async def _drain(receive: Receive) -> None:
    """Read what is left of a refused request: a client that is still writing would not see the answer."""
    left = _DRAIN
    while left > 0:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body"):
            return
        left -= len(message.get("body", b""))


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _close(chunks: Iterator[bytes]) -> None:
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
