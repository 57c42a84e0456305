"""XML that wants the server to work: what the answer is, and what it costs.

A program, so that each message is answered by a fresh process and its memory is its own: prints one line of JSON for
each, with the HTTP status, the SOAP code, the milliseconds of processor time (the best of three) and by how many MB
the process grew at most. Run by ``test_hostile_xml``.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.xds_soap import systems
from xds_soap import SoapEndpoint

MIB = 2**20
PLAIN = "application/soap+xml; charset=UTF-8"
BOUNDARY = "uuid:3f1d2a10-5b7e-4d1c-9a55-0d3c2b1a4e5f"
PACKAGE = f'multipart/related; boundary="{BOUNDARY}"; type="application/xop+xml"; start="<r>"'
_OPEN = b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>'
_CLOSE = b"</s:Body></s:Envelope>"
_SIZE = 16 * MIB - 400  # just within the limit of the envelope


def body(content: bytes) -> bytes:
    return _OPEN + content + _CLOSE


def filled(start: bytes, piece: bytes, end: bytes = b"") -> bytes:
    """An envelope of nearly 16 MB, most of it ``piece``."""
    return body(start + piece * ((_SIZE - len(start + end)) // len(piece)) + end)


def many(template: str, number: int) -> bytes:
    return "".join([template.replace("@", str(n)) for n in range(number)]).encode()


def lol() -> bytes:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE s [<!ENTITY e0 "ha">{entities}]>'.encode() + body(b"&e11;")


MESSAGES: dict[str, Callable[[], bytes]] = {
    "not XML": lambda: b"This is no XML at all. " * 50_000,
    "random bytes": lambda: os.urandom(4 * MIB),
    "nothing": lambda: b"",
    "a DOCTYPE": lambda: b"<!DOCTYPE s:Envelope>" + body(b""),
    "a DOCTYPE behind a long comment": lambda: b"<!--" + b"x" * (15 * MIB) + b"--><!DOCTYPE x>" + body(b""),
    "an entity": lambda: b'<!DOCTYPE s [<!ENTITY e "x">]>' + body(b"&e;"),
    "an entity that is a file": lambda: b'<!DOCTYPE s [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + body(b"&e;"),
    "a parameter entity": lambda: b'<!DOCTYPE s [<!ENTITY % e SYSTEM "http://127.0.0.1:9/x"> %e;]>' + body(b""),
    "entities of entities": lol,
    "depth 10,000": lambda: body(b"<a>" * 10_000 + b"</a>" * 10_000),
    "depth 10,000 with a long text": lambda: body(b"<a>" * 10_000 + b"x" * (11 * MIB) + b"</a>" * 10_000),
    "17 MB": lambda: body(b"<a>" + b"x" * (17 * MIB) + b"</a>"),
    "500,000 elements in 4 MB": lambda: body(b"<ab/>" * 800_000),
    "a million attributes": lambda: body(b"<a " + many('b@="" ', 1_000_000) + b"/>"),
    "100,000 attributes of one element": lambda: body(b"<a " + many('b@="" ', 99_000) + b"/>"),
    "100,000 namespaces": lambda: body(b"<a " + many('xmlns:n@="u" ', 99_000) + b"/>"),
    "a comment without end": lambda: filled(b"<!--", b"- "),
    "a comment of 16 MB": lambda: filled(b"<!--", b"x", b"-->"),
    "a million comments": lambda: body(b"<!---->" * 1_000_000),
    "a processing instruction of 16 MB": lambda: filled(b"<?p ", b"x", b"?>"),
    "CDATA of 16 MB": lambda: filled(b"<![CDATA[", b"]", b"]]>"),
    "an attribute of 16 MB": lambda: filled(b'<a b="', b"\n", b'"/>'),
    "an attribute that begins like a text": lambda: filled(b'<a b=">', b"\n", b'"/>'),
    "a name of 16 MB": lambda: filled(b"<", b"x"),
    "carriage returns": lambda: filled(b"", b"\r"),
    "NUL bytes": lambda: body(b"\0" * (4 * MIB)),
    "control characters": lambda: body(b"\1" * (4 * MIB)),
    "4 million references": lambda: filled(b"", b"&lt;"),
    "16 MB that are not UTF-8": lambda: filled(b"", b"\xff"),
    "UTF-7": lambda: b'<?xml version="1.0" encoding="UTF-7"?>' + body(b""),
    "EBCDIC": lambda: '<?xml version="1.0" encoding="cp037"?><a/>'.encode("cp037"),
    "16 MB of UTF-16": lambda: ("<a>" + "\u4e2d" * (8 * MIB - 10) + "</a>").encode("utf-16"),
    "14 MB of GB18030": lambda: b'<?xml version="1.0" encoding="GB18030"?><a>' + b"\xd6\xd0" * (7 * MIB) + b"</a>",
}


def forms(name: str, message: bytes) -> Iterator[tuple[str, str, bytes, dict[str, str]]]:
    """As it is, as the root of a package, and compressed."""
    yield name, PLAIN, message, {}
    root = f"--{BOUNDARY}\r\nContent-Type: application/xop+xml\r\nContent-ID: <r>\r\n\r\n".encode()
    yield f"{name}, as a package", PACKAGE, root + message + f"\r\n--{BOUNDARY}--\r\n".encode(), {}
    if len(message) > MIB:
        yield f"{name}, compressed", PLAIN, gzip.compress(message, 1), {"content-encoding": "gzip"}


def peak_mb() -> float:
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def measure(endpoint: SoapEndpoint, kind: str, message: bytes, headers: dict[str, str]) -> dict[str, object]:
    pieces = [message[start : start + 65536] for start in range(0, len(message), 65536)]
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, best, grown = peak_mb(), 1e9, 0.0
    for attempt in range(3):
        started = time.process_time()
        answer = endpoint.handle("/registry", kind, iter(pieces), headers=headers)
        best = min(best, (time.process_time() - started) * 1000)
        if attempt == 0:
            grown = peak_mb() - before
    content = b"".join(answer.chunks)
    code = re.search(rb"<s:Value>s:(\w+)</s:Value>", content)
    return {"status": answer.status, "code": code and code[1].decode(), "ms": round(best, 2), "mb": round(grown, 1)}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, systems.platform(Path(folder)) as platform:
        endpoint = platform.endpoint
        endpoint.handle("/registry", PLAIN, body(b"<a/>" * 20_000))  # modules and buffers that stay
        for name, make in MESSAGES.items():
            for title, kind, message, headers in forms(name, make()):
                child = os.fork()
                if child == 0:
                    print(json.dumps({"message": title, **measure(endpoint, kind, message, headers)}), flush=True)
                    os._exit(0)
                if os.waitpid(child, 0)[1] != 0:
                    raise SystemExit(f"{title}: the process died")


if __name__ == "__main__":
    sys.exit(main())
