"""The counting transport passes everything on and counts it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from xds_cli.wire import CountingTransport


class Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) * 2))
        self.end_headers()
        self.wfile.write(body * 2)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def echo() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_bytes_are_passed_on_and_counted(echo: str) -> None:
    sent: list[int] = []
    received: list[int] = []
    transport = CountingTransport(on_sent=sent.append, on_received=received.append)
    with httpx.Client(transport=transport) as client:
        content = (b"x" * 1000 for _ in range(50))
        answer = client.post(echo, content=content, headers={"Content-Length": "50000"})
        assert answer.content == b"x" * 100_000
        assert (transport.last.sent, transport.last.received) == (50_000, 100_000)
        assert transport.last.seconds > 0
        client.post(echo, content=b"abc")
        assert (transport.last.sent, transport.last.received) == (3, 6)
    assert sum(sent) == 50_003
    assert sum(received) == 100_006
