"""Departures from the standards on their way into a real repository: read, answered, counted, and said in the log."""

from __future__ import annotations

import base64
import gzip
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.evidence import messages
from tests.xds_soap import systems
from xds.datatypes.tolerances import Tolerances
from xds.registry import parameters
from xds_soap import SoapEndpoint
from xds_soap.tolerances import TOLERANCES

PATIENT = systems.PATIENT.replace("&", "&amp;")
DOCUMENT = b"\r\n<p>Document</p>\n"
ROOT = messages.iti41_envelope("1.2.826.55.1", PATIENT)
PACKAGE = messages.iti41("1.2.826.55.1", PATIENT, DOCUMENT)
TYPE = messages.MTOM_TYPE
HEAD = b'Content-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"'
PART = f"--{messages.BOUNDARY}\r\n".encode()
BARE = {"no_reply_to"}  # the evidence's own messages leave it out
ADDRESS = "<a:ReplyTo><a:Address>{0}http://www.w3.org/2005/08/addressing/anonymous</a:Address></a:ReplyTo>"


def with_header(root: bytes, block: str) -> bytes:
    return root.replace(b"</s:Header>", block.encode() + b"</s:Header>", 1)


def packed(root: bytes) -> bytes:
    return b"".join(messages.mtom(root, [DOCUMENT]))


def reordered() -> bytes:
    first, root, document, end = PACKAGE.split(PART)[0], *PACKAGE.split(PART)[1:], b""
    document, last = document.split(f"--{messages.BOUNDARY}--".encode())
    return first + PART + document + PART + root + f"--{messages.BOUNDARY}--".encode() + last + end


# what it is → (Content-Type, body, HTTP headers, what is counted beside BARE)
SHAPES: dict[str, tuple[str, bytes, dict[str, str], set[str]]] = {
    "as the standard says": (TYPE, packed(with_header(ROOT, ADDRESS.format(""))), {}, {"-no_reply_to"}),
    "no ReplyTo": (TYPE, PACKAGE, {}, set()),
    "blanks": (TYPE, packed(with_header(ROOT, ADDRESS.format(" "))), {}, {"-no_reply_to", "blanks_in_address"}),
    "no MessageID": (
        TYPE,
        PACKAGE.replace(b"<a:MessageID>urn:uuid:evidence</a:MessageID>", b""),
        {},
        {"no_message_id"},
    ),
    "unquoted boundary": (TYPE.replace(f'"{messages.BOUNDARY}"', messages.BOUNDARY), PACKAGE, {}, set()),
    "start without brackets": (
        TYPE.replace("<root@evidence>", "root@evidence"),
        PACKAGE,
        {},
        {"start_without_brackets"},
    ),
    "no start": (TYPE.replace('start="<root@evidence>"', "charset=utf-8"), PACKAGE, {}, set()),
    "unescaped quotes in start-info": (TYPE + '; start-info="application/soap+xml;action="urn:x""', PACKAGE, {}, set()),
    "LF line ends": (
        TYPE,
        PACKAGE.replace(b"\r\n", b"\n").replace(DOCUMENT.replace(b"\r\n", b"\n"), DOCUMENT),
        {},
        {"line_feeds"},
    ),
    "preamble and epilogue": (TYPE, b"This is MIME.\r\n" + PACKAGE + b"\r\nThat was it.", {}, {"preamble"}),
    "text/xml as root": (TYPE, PACKAGE.replace(HEAD, b"Content-Type: text/xml", 1), {}, {"root_content_type"}),
    "base64 part": (
        TYPE,
        PACKAGE.replace(
            b"Content-Type: text/xml\r\n", b"Content-Type: text/xml\r\nContent-Transfer-Encoding: base64\r\n"
        ).replace(DOCUMENT, base64.encodebytes(DOCUMENT)),
        {},
        {"transfer_encoding"},
    ),
    "quoted-printable part": (
        TYPE,
        PACKAGE.replace(
            b"Content-Type: text/xml\r\n", b"Content-Type: text/xml\r\nContent-Transfer-Encoding: Quoted-Printable\r\n"
        ).replace(DOCUMENT, b"=0D=0A<p>Docu=\r\nment</p>=0A"),
        {},
        {"transfer_encoding"},
    ),
    "percent-coded cid": (
        TYPE,
        PACKAGE.replace(b"cid:doc@evidence", b"cid:http%3A%2F%2Ftempuri.org%2F1").replace(
            b"<doc@evidence>", b"<http://tempuri.org/1>"
        ),
        {},
        set(),
    ),
    "document before the root": (TYPE, reordered(), {}, set()),
    "a part nobody includes": (
        TYPE,
        PACKAGE.replace(
            f"--{messages.BOUNDARY}--".encode(),
            PART + b"Content-ID: <extra@x>\r\n\r\nextra\r\n" + f"--{messages.BOUNDARY}--".encode(),
        ),
        {},
        {"part_not_included"},
    ),
    "gzip": (TYPE, gzip.compress(PACKAGE), {"content-encoding": "gzip"}, set()),
    "WS-Security that must be understood": (
        TYPE,
        packed(
            with_header(
                ROOT,
                '<w:Security s:mustUnderstand="1" xmlns:w="http://docs.oasis-open.org/wss/2004/01/'
                'oasis-200401-wss-wssecurity-secext-1.0.xsd"><w:UsernameToken/></w:Security>',
            )
        ),
        {},
        {"security_header"},
    ),
    "an unknown header": (TYPE, packed(with_header(ROOT, '<x:Trace xmlns:x="urn:x">1</x:Trace>')), {}, set()),
    "without MTOM": (
        messages.SOAP_TYPE,
        ROOT.replace(
            b'<i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:doc@evidence"/>',
            base64.b64encode(DOCUMENT),
        ),
        {},
        {"no_mtom"},
    ),
    "as text/xml without MTOM": (
        "text/xml; charset=utf-8",
        ROOT.replace(
            b'<i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:doc@evidence"/>',
            base64.b64encode(DOCUMENT),
        ),
        {},
        {"no_mtom", "content_type"},
    ),
    "the action in Content-Type alone": (
        TYPE + '; action="urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"',
        PACKAGE.replace(
            b'<a:Action s:mustUnderstand="1">urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b</a:Action>', b""
        ),
        {},
        {"action_outside_envelope"},
    ),
    "Async at the action": (
        TYPE,
        PACKAGE.replace(b"DocumentSet-b</a:Action>", b"DocumentSet-bAsync</a:Action>"),
        {},
        {"async_action"},
    ),
}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[systems.Platform]:
    with systems.platform(tmp_path) as platform:
        yield platform


def counted(endpoint: SoapEndpoint) -> set[str]:
    return {name for name in TOLERANCES if endpoint.metrics.tolerated(name)}


@pytest.mark.parametrize("name", SHAPES)
def test_it_is_stored_whole_and_what_was_tolerated_is_counted(name: str, platform: systems.Platform) -> None:
    kind, body, headers, names = SHAPES[name]
    answer = platform.endpoint.handle("/repository", kind, body, headers=headers)
    content = b"".join(answer.chunks)
    assert b"ResponseStatusType:Success" in content, content
    packed = dict(answer.headers)["Content-Type"].startswith("multipart/related")
    assert packed is kind.startswith("multipart/related")
    wanted = {name for name in BARE | names if not name.startswith("-")} - {
        name.removeprefix("-") for name in names if name.startswith("-")
    }
    assert counted(platform.endpoint) == wanted
    [entry] = platform.consumer.find_documents(systems.PATIENT)
    with platform.consumer.retrieve(entry) as document:
        assert b"".join(document.chunks()) == DOCUMENT


def test_a_simple_transaction_in_a_package_is_answered_in_one(platform: systems.Platform) -> None:
    body = b"".join(messages.mtom(messages.iti18(PATIENT)))
    answer = platform.endpoint.handle("/registry", TYPE, body)
    assert dict(answer.headers)["Content-Type"].startswith("multipart/related")
    assert b"Success" in b"".join(answer.chunks)
    assert counted(platform.endpoint) == BARE | {"mtom_not_expected"}


def test_an_unknown_status_beside_a_known_one_is_counted(platform: systems.Platform) -> None:
    body = messages.iti18(PATIENT).replace(b"StatusType:Approved')", b"StatusType:Approved','urn:x:Lost')")
    assert b"Success" in b"".join(platform.endpoint.handle("/registry", messages.SOAP_TYPE, body).chunks)
    assert platform.registry.tolerated[parameters.UNKNOWN_STATUS] == 1


def test_every_tolerance_has_a_shape_here() -> None:
    shown = set().union(*(names for _, _, _, names in SHAPES.values())) | BARE | {"mtom_not_expected"}
    assert {name for name in shown if not name.startswith("-")} == set(TOLERANCES)


def test_the_log_has_a_line_for_the_first_the_tenth_and_the_hundredth(caplog: pytest.LogCaptureFixture) -> None:
    tolerances = Tolerances(logging.getLogger("xds_soap"))
    with caplog.at_level(logging.INFO):
        for _ in range(250):
            tolerances.count(["no_reply_to"], "192.0.2.7")
    assert [record.getMessage() for record in caplog.records] == [
        f"tolerated: no_reply_to, {number} so far, the last from 192.0.2.7" for number in (1, 10, 100)
    ]
    assert tolerances.counts() == {"no_reply_to": 250}
