"""One process that answers: the web host and the MLLP server in one event loop, started and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from functools import partial

import uvicorn

from xds_cli.accepting import Acceptor
from xds_cli.assemble import Parts
from xds_cli.http_protocol import guarded
from xds_cli.tabled import http_limits, mllp_limits, tls_context
from xds_cli.tables import Tables
from xds_mllp.server import MllpServer

log = logging.getLogger("xds.serve")

# what is in flight when the signal comes has this long
GRACE_SECONDS = 30
# sockets queue this many connections that nobody has accepted yet
BACKLOG = 2048


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop where it is installed, else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class _Web(uvicorn.Server):
    """uvicorn without its signal handlers: it would raise the signal again at the end, and exit with its number."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _protocol(web: uvicorn.Server) -> asyncio.Protocol:
    """What uvicorn makes for each connection that it accepts itself."""
    config = web.config
    protocol: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]  # one of two, or ours
        config=config, server_state=web.server_state, app_state=web.lifespan.state
    )
    return protocol


class Host:
    """Serves ``parts`` on two bound sockets until told to stop; then lets work in flight end, for at most 30 s."""

    def __init__(self, parts: Parts, http: socket.socket, mllp: socket.socket, tables: Tables) -> None:
        self._parts = parts
        self._tables = tables
        self._http = http
        self._mllp = mllp

    async def run(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        limits = http_limits(self._tables)
        context = tls_context(self._tables)
        config = uvicorn.Config(
            self._parts.app,
            http=guarded(limits),
            lifespan="off",
            ws="none",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=max(1, round(limits.idle_time)),
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        config.load()
        config.ssl = context
        web = _Web(config)
        mllp = MllpServer(self._parts.feed, ssl=context, limits=mllp_limits(self._tables))
        await mllp.start(sock=self._mllp)
        serving = asyncio.create_task(web.serve(sockets=[]))
        while not web.started and not serving.done():
            await asyncio.sleep(0.005)
        acceptor = Acceptor(self._http, partial(_protocol, web), tls=context, handshake_time=limits.header_time)
        if not serving.done():
            acceptor.start(BACKLOG)
            ready()
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping: finishing what is in flight")
        acceptor.stop()
        web.should_exit = True
        await asyncio.gather(serving, mllp.stop(timeout=GRACE_SECONDS))
        stopping.cancel()
