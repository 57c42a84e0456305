"""A system call trace: between request and acknowledgement the data is synced, file and directory.

    python -m tests.evidence.synced

kill -9 leaves the page cache alone, so it cannot show this. ``xds serve`` runs under strace; one small document (a row
of the database) and one large document (a file) are submitted; the trace must show, after the request was read and
before the answer was written, an fsync or fdatasync of the database's log that succeeded, and for the large document
also one of its file before the rename, and one of the directory after it. Needs strace.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.evidence import messages
from tests.evidence.server import Server, commit, machine, post

CALLS = "fsync,fdatasync,rename,renameat,renameat2,link,linkat,recvfrom,read,sendto,sendmsg,write,writev,recvmsg"
LINE = re.compile(r"^(?P<pid>\d+)\s+(?P<time>[\d.]+) (?P<call>\w+)\((?P<rest>.*)$")


@dataclass(frozen=True)
class Call:
    time: float
    name: str
    rest: str


def calls(trace: Path) -> list[Call]:
    """Calls in order of their end; an unfinished call is joined with its resumption."""
    found, open_calls = [], dict[str, str]()
    for line in trace.read_text(errors="replace").splitlines():
        if resumed := re.match(r"^(\d+)\s+([\d.]+) <\.\.\. (\w+) resumed>(.*)$", line):
            begun = open_calls.pop(resumed[1] + resumed[3], "")
            found.append(Call(float(resumed[2]), resumed[3], begun + resumed[4]))
        elif match := LINE.match(line):
            if match["rest"].endswith("<unfinished ...>"):
                open_calls[match["pid"] + match["call"]] = match["rest"].removesuffix("<unfinished ...>")
            else:
                found.append(Call(float(match["time"]), match["call"], match["rest"]))
    return found


def steps(window: list[Call], *, large: bool) -> list[str]:
    """What the window shows, in order; raises AssertionError when something is missing or out of order."""
    shown: list[str] = []
    position = -1

    def then(what: str, test: re.Pattern[str], names: tuple[str, ...], after: int) -> int:
        for n, call in enumerate(window):
            if n > after and call.name in names and test.search(call.rest) and "= 0" in call.rest:
                shown.append(f"{what}: `{call.name}({_short(call.rest)}`")
                return n
        raise AssertionError(f"the trace does not show: {what}")

    sync = ("fsync", "fdatasync")
    if large:
        position = then("the document's file is synced", re.compile(r"documents/"), sync, position)
        rename = ("rename", "renameat", "renameat2", "link", "linkat")
        position = then("it is renamed to its place", re.compile(r"documents/"), rename, position)
        position = then("the directory is synced", re.compile(r"<[^>]*documents[^>]*>"), sync, position)
    then("the database's log is synced", re.compile(r"-wal>|\.sqlite>"), sync, position)
    return shown


def _short(text: str) -> str:
    return re.sub(r"/tmp/[^/>]+/", "…/", text)[:160]


def submit(server: Server, unique_id: str, content: bytes) -> tuple[float, float]:
    connection = server.connect()
    time.sleep(0.5)
    begun = time.time()
    answer = post(connection, "/repository", messages.iti41(unique_id, messages.patient(1), content), mtom=True)
    assert b"ResponseStatusType:Success" in answer, answer[:500]
    return begun, time.time()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    strace = shutil.which("strace")
    if strace is None:
        raise SystemExit("strace is not installed")
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.txt"
        prefix = (strace, "-f", "-ttt", "-y", "-s", "120", "-e", f"trace={CALLS}", "-o", str(trace))
        server = Server.start(Path(folder) / "data", prefix=prefix)
        try:
            server.announce([1])
            windows = {
                "small document, 13 kB": (submit(server, "1.2.826.8.1", os.urandom(13_000)), False),
                "large document, 2 MB": (submit(server, "1.2.826.8.2", os.urandom(2_000_000)), True),
            }
        finally:
            server.stop()
        all_calls = calls(trace)
    text = (
        f"# Synced before it is acknowledged\n\n{datetime.now(UTC):%Y-%m-%d}, commit {commit()}, {machine()}\n\n"
        "`python -m tests.evidence.synced`: system calls between the first byte of the request and the last of the "
        "answer, in order.\n"
    )
    for name, ((begun, ended), large) in windows.items():
        window = [call for call in all_calls if begun <= call.time <= ended]
        answered = [
            n
            for n, call in enumerate(window)
            if "ResponseStatusType:Success" in call.rest or "HTTP/1.1 200" in call.rest
        ]
        assert answered, "the trace does not show the answer"
        shown = steps(window[: answered[0]], large=large)
        text += f"\n## {name}\n\n" + "".join(f"1. {line}\n" for line in shown) + "1. the answer is written\n"
    print(text)
    if options.report:
        options.report.write_text(text)


if __name__ == "__main__":
    main()
