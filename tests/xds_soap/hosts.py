"""Real servers on free ports for the tests, and a raw peer."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn


@contextlib.contextmanager
def running(app: Any, **options: Any) -> Iterator[tuple[str, int]]:
    """An ASGI application under uvicorn; gives its host and port."""
    config = uvicorn.Config(app, log_config=None, ws="none", loop="asyncio", **options)
    server = uvicorn.Server(config)
    # the protocol is named, so that asyncio turns Nagle's algorithm off
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        ready = threading.Event()

        async def main() -> None:
            serving = asyncio.ensure_future(server.serve([listener]))
            while not server.started and not serving.done():
                await asyncio.sleep(0.005)
            ready.set()
            await serving

        thread = threading.Thread(target=asyncio.run, args=(main(),))
        thread.start()
        ready.wait()
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join()


class Raw:
    """A peer that writes bytes as it likes."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=20)

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def head(self, path: str, content_type: str, size: int | None, *, method: str = "POST", extra: str = "") -> None:
        length = "Transfer-Encoding: chunked" if size is None else f"Content-Length: {size}"
        self.send(
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n{length}\r\n{extra}\r\n".encode()
        )

    def chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def rest(self) -> bytes:
        """Everything until the peer closes."""
        data = b""
        with contextlib.suppress(ConnectionError):
            while piece := self.socket.recv(65536):
                data += piece
        return data

    def answer(self) -> tuple[int, bytes, bytes]:
        """Status, head and body of one answer with a Content-Length."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.socket.recv(65536)
            assert piece, "closed before an answer"
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        while len(body) < size:
            body += self.socket.recv(65536)
        return int(head[9:12]), head, body


class Scripted(http.server.BaseHTTPRequestHandler):
    """Answers each POST with the next of ``server.script``; keeps what came in ``server.received``."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        server.received.append((dict(self.headers), body))
        status, headers, data = server.script.pop(0) if len(server.script) > 1 else server.script[0]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        if headers.get("Connection") == "close":
            self.close_connection = True
        server.arrived.set()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextlib.contextmanager
def scripted(*script: tuple[int, dict[str, str], bytes]) -> Iterator[Any]:
    """A peer that answers by a script; gives the server, with ``url``, ``received`` and ``arrived``."""
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    server.script, server.received, server.arrived = list(script), [], threading.Event()
    server.url = f"http://127.0.0.1:{server.server_address[1]}/service"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
