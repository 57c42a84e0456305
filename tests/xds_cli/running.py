"""``xds serve`` in a process of its own, on free ports, for the tests of the command."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.logs import plugin

COMMAND = [sys.executable, "-W", "error::ResourceWarning", "-m", "xds_cli", "serve"]
FREE = ["--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0"]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDS_")}
    return {**kept, **(extra or {})}


def start_failing(*arguments: str, extra: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A start that is expected to end by itself."""
    ended = subprocess.run(
        [*COMMAND, *arguments], env=environment(extra), capture_output=True, text=True, timeout=60, check=False
    )
    plugin.collect("standard error of a failing start", ended.stderr)
    return ended


@dataclass
class Running:
    process: subprocess.Popen[str]
    ready: dict[str, Any]
    log: Path

    @property
    def http(self) -> str:
        return str(self.ready["http"])

    @property
    def mllp(self) -> tuple[str, int]:
        host, _, port = str(self.ready["mllp"]).rpartition(":")
        return host, int(port)

    def get(self, path: str) -> tuple[int, str]:
        with urllib.request.urlopen(self.http + path, timeout=30) as answer:
            return answer.status, answer.read().decode()

    def post(self, path: str, body: bytes, content_type: str) -> bytes:
        request = urllib.request.Request(self.http + path, body, {"Content-Type": content_type})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())

    def feed(self, message: str) -> str:
        with socket.create_connection(self.mllp, timeout=30) as connection:
            connection.sendall(b"\x0b" + message.encode() + b"\x1c\r")
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                piece = connection.recv(65536)
                assert piece, "the feed was closed"
                answer += piece
        return answer[1:-2].decode()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for the end; exit code and what else stood on standard output."""
        rest, _ = self.process.communicate(timeout=60)
        return self.process.returncode, rest

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.end()[0]


@contextmanager
def running(data: Path, *arguments: str, extra: Mapping[str, str] | None = None) -> Iterator[Running]:
    """A server on ``data``; killed at the end when it is still there."""
    log = data.parent / f"{data.name}.log"
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [*COMMAND, "--data", str(data), *FREE, *arguments],
            env=environment(extra),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, log.read_text()
    server = Running(process, json.loads(line), log)
    try:
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
        plugin.collect("standard error of xds serve", log.read_text("utf-8", "replace"))


def announcement(number: int, domain: str = "1.3.6.1.4.1.21367.13.20.1000") -> str:
    """An ADT^A01 for an invented patient."""
    return (
        f"MSH|^~\\&|ADT|A|XDS|REG|20260101000000||ADT^A01^ADT_A01|M{number}|P|2.3.1\rEVN|A01|20260101000000\r"
        f"PID|1||P{number}^^^&{domain}&ISO||Invented^Person||19700101|F\rPV1|1|O\r"
    )
