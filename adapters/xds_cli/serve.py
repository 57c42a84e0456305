"""``xds serve``: listeners, ready line, orderly stop; one process, or several that share the listeners."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import signal
import socket
import sys
from dataclasses import dataclass

from xds_cli import tabled
from xds_cli.affinity import keep_to_one_core
from xds_cli.assemble import open_parts
from xds_cli.config import Address, Settings, StartError
from xds_cli.host import Host, new_event_loop
from xds_cli.tables import TableError

log = logging.getLogger("xds.serve")


@dataclass(frozen=True, slots=True)
class Listeners:
    """The bound sockets. They listen when the host is ready to answer, not before."""

    http: socket.socket
    mllp: socket.socket

    def close(self) -> None:
        self.http.close()
        self.mllp.close()


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; raises StartError when the start cannot succeed."""
    configure_logging()
    _check(settings)
    listeners = bind(settings)
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            if settings.workers == 1:
                if settings.affinity == "core":
                    keep_to_one_core(os.getpid())
                runner.run(_run_alone(settings, listeners))
            else:
                from xds_cli.workers import Supervisor

                runner.run(
                    Supervisor(settings, listeners.http, listeners.mllp).run(lambda: announce(listeners, settings))
                )
    finally:
        listeners.close()


def _check(settings: Settings) -> None:
    """What would fail later, and in every worker."""
    try:
        tabled.tls_context(settings.tables)
        tabled.registry_context(settings.tables)
        tabled.feeds(settings.tables)
    except TableError as error:
        raise StartError(str(error)) from None


async def _run_alone(settings: Settings, listeners: Listeners) -> None:
    stop = stop_on_signals(signal.SIGTERM, signal.SIGINT)
    parts = open_parts(settings)
    try:
        host = Host(parts, listeners.http, listeners.mllp, settings.tables)
        await host.run(stop, lambda: announce(listeners, settings))
    finally:
        await asyncio.get_running_loop().run_in_executor(None, parts.close)


def stop_on_signals(*signals: signal.Signals) -> asyncio.Event:
    """An event that is set by the first of these signals."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    return stop


def configure_logging() -> None:
    """Logs go to standard error: standard output carries the ready line and nothing else."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    # one line per connection that comes and goes says nothing
    for name in ("uvicorn.error", "uvicorn.access", "httpx", "httpcore", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


# --------------------------------------------------------------------------- listeners


def bind(settings: Settings) -> Listeners:
    http = _bind(settings.http, "--http")
    try:
        return Listeners(http, _bind(settings.mllp, "--mllp"))
    except StartError:
        http.close()
        raise


def _bind(address: Address, flag: str) -> socket.socket:
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror:
        raise StartError(f"{flag} {address}: there is no such host; choose an address of this machine") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(target)
    except OSError as error:
        listener.close()
        raise StartError(f"{flag} {address}: {_advice(error)}") from None
    listener.setblocking(False)
    return listener


def _advice(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is in use; stop the other server or choose another port (0 takes a free one)"
    if error.errno == errno.EACCES:
        return "not allowed for this user; choose a port from 1024"
    if error.errno == errno.EADDRNOTAVAIL:
        return "not an address of this machine; choose one that is, or 0.0.0.0 for all"
    return f"{error.strerror}; choose another address"


def announce(listeners: Listeners, settings: Settings) -> None:
    """The ready line (one line of JSON on standard output, flushed)."""
    http, mllp = (_address_of(listener) for listener in (listeners.http, listeners.mllp))
    scheme = "https" if settings.tables.get("tls") else "http"
    line = {"ready": True, "http": f"{scheme}://{http}", "mllp": str(mllp), "pid": os.getpid()}
    print(json.dumps(line), flush=True)


def _address_of(listener: socket.socket) -> Address:
    host, port = listener.getsockname()[:2]
    return Address(host, port)
