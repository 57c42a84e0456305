"""A real ``xds serve`` in a process of its own, started, killed and measured."""

from __future__ import annotations

import http.client
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.evidence import messages

REPOSITORY_ROOT = Path(__file__).parents[2]
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    http: str
    mllp: str
    pid: int
    seconds_to_ready: float

    @classmethod
    def start(cls, data: Path, *options: str, prefix: Sequence[str] = ()) -> Server:
        command = [*prefix, sys.executable, "-m", "xds_cli", "serve", "--data", str(data)]
        command += ["--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0", *options]
        started = time.monotonic()
        log = data.parent / "server.log"
        with log.open("ab") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None
        with process.stdout:
            line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"xds serve did not start, code {process.wait(60)}: see {log}")
        ready = json.loads(line)
        return cls(process, ready["http"], ready["mllp"], ready["pid"], time.monotonic() - started)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait(30)

    def stop(self) -> int:
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(60)

    def connect(self, *, timeout: float = 60) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(str(urlsplit(self.http).netloc), timeout=timeout)

    def feed(self, *, timeout: float = 30) -> socket.socket:
        """A connection for ``tell``."""
        host, _, port = self.mllp.rpartition(":")
        return socket.create_connection((host, int(port)), timeout=timeout)

    def announce(self, numbers: Iterable[int]) -> None:
        with self.feed() as connection:
            for number in numbers:
                if b"MSA|AA" not in tell(connection, messages.iti8(number)):
                    raise RuntimeError("the feed was refused")


def tell(connection: socket.socket, message: bytes) -> bytes:
    """Send a framed HL7 v2 message; its framed answer. ConnectionError when the connection is closed instead."""
    connection.sendall(message)
    answer = b""
    while not answer.endswith(b"\x1c\r"):
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("the feed was closed")
        answer += piece
    return answer


def exchange(connection: http.client.HTTPConnection, path: str, body: bytes, *, mtom: bool) -> tuple[int, bytes]:
    """The HTTP status and the body of the answer."""
    content_type = messages.MTOM_TYPE if mtom else messages.SOAP_TYPE
    connection.request("POST", path, body, {"Content-Type": content_type})
    answer = connection.getresponse()
    return answer.status, answer.read()


def post(connection: http.client.HTTPConnection, path: str, body: bytes, *, mtom: bool) -> bytes:
    return exchange(connection, path, body, mtom=mtom)[1]


def wait_until_gone(pids: Iterable[int], *, timeout: float) -> None:
    """RuntimeError when one of these processes still runs after ``timeout`` seconds."""
    end = time.monotonic() + timeout
    for pid in pids:
        while _runs(pid):
            if time.monotonic() > end:
                raise RuntimeError(f"process {pid} does not end")
            time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def tree(pid: int) -> list[int]:
    """The process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        found.append(queue.pop())
        queue += children.get(found[-1], [])
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the process tree."""
    total = 0
    for member in tree(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / _TICK


def memory_mb(pid: int, field: str = "VmRSS") -> float:
    """Resident memory of the process tree; ``VmHWM`` is its peak."""
    total = 0.0
    for member in tree(pid):
        try:
            lines = Path(f"/proc/{member}/status").read_text().splitlines()
        except OSError:
            continue
        total += sum(float(line.split()[1]) / 1024 for line in lines if line.startswith(field + ":"))
    return total


def machine() -> str:
    model = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Linux {platform.release()}, Python {platform.python_version()}"
    )


def commit() -> str:
    answer = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=REPOSITORY_ROOT, check=False
    )
    return answer.stdout.strip() or "unknown"
