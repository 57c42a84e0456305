"""Packages that lose data, refer to nothing or want the server to work: refused, nothing stored, nothing left."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.evidence import messages
from tests.xds_soap import systems
from xds.vocab.ebrim import ObjectKind

PATIENT = systems.PATIENT.replace("&", "&amp;")
DOCUMENT = os.urandom(300_000)  # large enough to be a file while it waits
PACKAGE = messages.iti41("1.2.826.66.1", PATIENT, DOCUMENT)
TYPE = messages.MTOM_TYPE
BOUNDARY = messages.BOUNDARY.encode()
END = b"--" + BOUNDARY + b"--"
PART = b"--" + BOUNDARY + b"\r\n"


def including(href: str) -> bytes:
    return PACKAGE.replace(b'href="cid:doc@evidence"', f'href="{href}"'.encode())


def more(parts: bytes) -> bytes:
    return PACKAGE.replace(END, parts + END)


PACKAGES: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "without its boundary": (TYPE, PACKAGE.replace(BOUNDARY, b"another"), {}),
    "no boundary in the header": (re.sub(r'boundary="[^"]*";', "", TYPE), PACKAGE, {}),
    "an empty boundary": (re.sub(r'boundary="[^"]*"', 'boundary=""', TYPE), PACKAGE, {}),
    "a boundary of a megabyte": (re.sub(r'boundary="[^"]*"', f'boundary="{"b" * 2**20}"', TYPE), PACKAGE, {}),
    "cut in the root": (TYPE, PACKAGE[:1000], {}),
    "cut in the document": (TYPE, PACKAGE[:-100_000], {}),
    "cut before the closing dashes": (TYPE, PACKAGE[: PACKAGE.rindex(END) + len(END) - 2], {}),
    "no document part": (TYPE, b"".join(messages.mtom(messages.iti41_envelope("1.2.826.66.1", PATIENT))), {}),
    "an Include to nowhere": (TYPE, including("cid:nobody@evidence"), {}),
    "an Include to http": (TYPE, including("http://127.0.0.1:9/doc"), {}),
    "an Include to a file": (TYPE, including("file:///etc/passwd"), {}),
    "an Include of nothing": (TYPE, including(""), {}),
    "the same Content-ID twice": (TYPE, more(PART + b"Content-ID: <doc@evidence>\r\n\r\nother\r\n"), {}),
    "10,000 parts": (TYPE, more(b"".join(PART + b"Content-ID: <%d@x>\r\n\r\nx\r\n" % n for n in range(10_000))), {}),
    "10,000 parts without names": (TYPE, more((PART + b"\r\n\r\nx\r\n") * 10_000), {}),
    "headers of a megabyte": (TYPE, more(PART + b"X: " + b"y" * 2**20 + b"\r\n\r\nx\r\n"), {}),
    "100,000 header lines": (TYPE, more(PART + b"X: y\r\n" * 100_000 + b"\r\nx\r\n"), {}),
    "a header line without a colon": (TYPE, more(PART + b"nothing\r\n\r\nx\r\n"), {}),
    "base64 that is none": (
        TYPE,
        PACKAGE.replace(
            b"Content-Type: text/xml\r\n", b"Content-Type: text/xml\r\nContent-Transfer-Encoding: base64\r\n"
        ),
        {},
    ),
    "an unknown transfer encoding": (
        TYPE,
        PACKAGE.replace(b"Content-Type: text/xml\r\n", b"Content-Type: text/xml\r\nContent-Transfer-Encoding: zip\r\n"),
        {},
    ),
    "gzip that is none": (TYPE, PACKAGE, {"content-encoding": "gzip"}),
    "gzip that is cut": (TYPE, gzip.compress(PACKAGE)[:-50], {"content-encoding": "gzip"}),
    "an unknown action": (TYPE, PACKAGE.replace(b"ProvideAndRegisterDocumentSet-b</a:", b"Nothing</a:"), {}),
    "an action for another actor": (
        TYPE,
        PACKAGE.replace(b"ProvideAndRegisterDocumentSet-b</a:", b"RegistryStoredQuery</a:"),
        {},
    ),
    "another element than the action says": (
        TYPE,
        PACKAGE.replace(b"ProvideAndRegisterDocumentSet-b</a:", b"RetrieveDocumentSet</a:"),
        {},
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="module")
def platform(folder: Path) -> Iterator[systems.Platform]:
    with systems.platform(folder) as platform:
        yield platform


@pytest.mark.parametrize("step", [1_000_000, 4096, 777])
@pytest.mark.parametrize("name", PACKAGES)
def test_it_is_refused_and_leaves_nothing(name: str, step: int, platform: systems.Platform, folder: Path) -> None:
    kind, body, headers = PACKAGES[name]
    before = documents(folder)
    pieces = (body[start : start + step] for start in range(0, len(body), step))
    answer = platform.endpoint.handle("/repository", kind, pieces, headers=headers)
    content = b"".join(answer.chunks)
    assert answer.status in (200, 400, 413)
    assert b"ResponseStatusType:Failure" in content or b":Fault>" in content, content[:500]
    assert documents(folder) == before
    found = platform.store.read(
        lambda reader: reader.by_unique_id(ObjectKind.DOCUMENT_ENTRY, ["1.2.826.66.1"], references=True)
    )
    assert found == []


def documents(folder: Path) -> set[Path]:
    return {path for path in (folder / "documents").rglob("*") if path.is_file() and path.parent.name != "owners"}


def test_a_bomb_is_refused_where_the_limit_is(platform: systems.Platform, folder: Path) -> None:
    before = documents(folder)
    bomb = gzip.compress(b"<a>" + b" " * (200 * 2**20), 1)
    answer = platform.endpoint.handle("/registry", messages.SOAP_TYPE, bomb, headers={"content-encoding": "gzip"})
    assert answer.status == 413
    assert documents(folder) == before


def test_after_all_of_it_a_good_one_is_stored(platform: systems.Platform) -> None:
    for kind, body, headers in PACKAGES.values():
        platform.endpoint.handle("/repository", kind, body, headers=headers)
    answer = platform.endpoint.handle("/repository", TYPE, messages.iti41("1.2.826.66.2", PATIENT, DOCUMENT))
    assert b"ResponseStatusType:Success" in b"".join(answer.chunks)
