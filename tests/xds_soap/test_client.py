"""The client against scripted and real peers: what it sends, what it reads, how it fails."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme
from lxml import etree

from tests.xds_soap import echo
from tests.xds_soap.hosts import running, scripted
from xds.errors import PeerRejected, PeerUnreachable
from xds.ports import OutgoingPart, OutgoingRequest
from xds.vocab.namespaces import SOAP, SOAP11, WSA
from xds_soap import SoapApp, SoapExchange, WsgiApp
from xds_soap.mime import parse_header
from xds_soap.temporary import TemporaryStage

S, A = f"{{{SOAP}}}", f"{{{WSA}}}"
BODY = b'<xds:Echo text="hello"/>'
WITH_DOCUMENT = b'<xds:Echo text="x"><xds:Document><xop:Include href="cid:d@test"/></xds:Document></xds:Echo>'
SOAP_HEADERS = {"Content-Type": "application/soap+xml"}


def answered(*script: tuple[int, dict[str, str], bytes]) -> httpx.BaseTransport:
    """A transport that answers by a script, without sockets."""
    left = list(script)

    def handle(request: httpx.Request) -> httpx.Response:
        request.read()
        status, headers, body = left.pop(0)
        return httpx.Response(status, headers=headers, content=body)

    return httpx.MockTransport(handle)


def ask(status: int, headers: dict[str, str], body: bytes) -> etree._Element:
    with SoapExchange("http://peer.example/x", transport=answered((status, headers, body))) as exchange:
        element: etree._Element = exchange(OutgoingRequest(echo.ECHO, BODY)).body
    return element


# --------------------------------------------------------------------------- what is sent


def test_a_plain_request_has_the_headers_of_the_framework() -> None:
    with scripted((200, SOAP_HEADERS, echo.envelope())) as peer, SoapExchange(peer.url) as exchange:
        exchange(OutgoingRequest(echo.ECHO, BODY))
    [(headers, sent)] = peer.received
    assert headers["Content-Type"] == f'application/soap+xml; charset=UTF-8; action="{echo.ECHO}"'
    assert headers["Content-Length"] == str(len(sent))
    envelope = etree.fromstring(sent)
    [header, body] = envelope
    assert [etree.QName(block).localname for block in header] == ["Action", "MessageID", "ReplyTo", "To"]
    assert [block.get(f"{S}mustUnderstand") for block in header] == ["true", None, None, None]
    assert header.findtext(f"{A}ReplyTo/{A}Address") == f"{WSA}/anonymous"
    assert header.findtext(f"{A}To") == peer.url
    assert (header.findtext(f"{A}MessageID") or "").startswith("urn:uuid:")
    assert body[0].get("text") == "hello"


@pytest.mark.parametrize("size", [9, None])
def test_a_package_is_streamed_with_or_without_a_known_length(size: int | None) -> None:
    part = OutgoingPart("d@test", "text/plain", iter([b"docu", b"ment\n"]), size)
    with scripted((200, SOAP_HEADERS, echo.envelope())) as peer, SoapExchange(peer.url) as exchange:
        exchange(OutgoingRequest(echo.ECHO, WITH_DOCUMENT, mtom=True, parts=[part]))
    [(headers, sent)] = peer.received
    assert ("Content-Length" in headers) == (size is not None)
    kind, parameters = parse_header(headers["Content-Type"])
    assert kind == "multipart/related"
    assert parameters["type"] == "application/xop+xml"
    assert parameters["action"] == echo.ECHO
    served = echo.served()
    assert served.endpoint.handle("/repository", headers["Content-Type"], sent).status == 200
    assert served.actor.seen[0].documents[0].content == b"document\n"


def test_parts_without_mtom_are_a_mistake() -> None:
    with SoapExchange("http://peer.example/x") as exchange, pytest.raises(ValueError, match="MTOM"):
        exchange(OutgoingRequest(echo.ECHO, BODY, parts=[OutgoingPart("a", "text/plain", [])]))


def test_what_the_document_raises_while_it_is_sent_is_raised() -> None:
    def breaking() -> Iterator[bytes]:
        yield b"x"
        raise FileNotFoundError

    with scripted((200, SOAP_HEADERS, echo.envelope())) as peer, SoapExchange(peer.url) as exchange:
        part = OutgoingPart("d@test", "text/plain", breaking())
        with pytest.raises(FileNotFoundError):
            exchange(OutgoingRequest(echo.ECHO, WITH_DOCUMENT, mtom=True, parts=[part]))


# --------------------------------------------------------------------------- what comes back


@pytest.mark.parametrize("size", [0, 10, 2_000_000])
def test_documents_come_back_in_memory_or_in_a_file(size: int) -> None:
    document = os.urandom(size)
    served = echo.served()
    with SoapExchange(
        "http://x/repository",
        transport=httpx.WSGITransport(WsgiApp(served.endpoint)),  # type: ignore[arg-type]
    ) as exchange:
        part = OutgoingPart("d@test", "text/plain", [document], size)
        answer = exchange(OutgoingRequest(echo.ECHO, WITH_DOCUMENT, mtom=True, parts=[part]))
    [received] = answer.parts.values()
    assert (received.size, received.hash) == (size, echo.sha1(document))
    if size > 1_000_000:
        assert received.path is not None
        assert Path(received.path).read_bytes() == document
        os.unlink(received.path)
    else:
        assert received.content == document


def test_parts_of_an_answer_that_nothing_refers_to_are_discarded() -> None:
    stages: list[echo.RecordingStage] = []

    def stage() -> echo.RecordingStage:
        stages.append(echo.RecordingStage())
        return stages[-1]

    data, content_type = echo.package(echo.envelope(echo.body_with("a")), [("a", b"1"), ("b", b"2")])
    transport = answered((200, {"Content-Type": content_type}, data))
    with SoapExchange("http://peer.example/x", transport=transport, stage=stage) as exchange:
        exchange(OutgoingRequest(echo.ECHO, BODY))
    assert [stage.discarded for stage in stages] == [False, True]


def test_a_large_answer_is_no_problem_for_the_limits_of_requests() -> None:
    body = "<x:Echo xmlns:x='urn:ihe:iti:xds-b:2007'>" + "<a b='c'/>" * 150_000 + "</x:Echo>"
    assert len(ask(200, SOAP_HEADERS, echo.envelope(body))) == 150_000


def test_an_answer_with_status_500_that_is_no_fault_is_an_answer() -> None:
    assert ask(500, SOAP_HEADERS, echo.envelope()).get("text") == "hello"


def test_an_answer_that_relates_to_something_else_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        ask(200, SOAP_HEADERS, echo.envelope())
    assert "does not relate" in caplog.text


# --------------------------------------------------------------------------- how it fails

FAULT12 = (
    f'<s:Envelope xmlns:s="{SOAP}"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode>'
    "<s:Value>wsa:ActionNotSupported</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang='en'>no\n such"
    "</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"
).encode()
FAULT11 = (
    f'<s:Envelope xmlns:s="{SOAP11}"><s:Body><s:Fault><faultcode>s:Client</faultcode>'
    "<faultstring>old</faultstring></s:Fault></s:Body></s:Envelope>"
).encode()


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("application/soap+xml", FAULT12, "s:Sender / wsa:ActionNotSupported: no such"),
        ("text/xml", FAULT11, "s:Client: old"),
    ],
)
def test_a_fault_is_a_refusal_whatever_the_status(status: int, kind: str, body: bytes, text: str) -> None:
    with pytest.raises(PeerRejected, match=text):
        ask(status, {"Content-Type": kind}, body)


CUT, CUT_TYPE = echo.package(echo.envelope(), [("d", b"x")])


@pytest.mark.parametrize(
    ("status", "headers", "body", "error"),
    [
        pytest.param(403, {"Content-Type": "text/html"}, b"<p>", PeerRejected, id="forbidden"),
        pytest.param(404, {}, b"", PeerRejected, id="not found"),
        pytest.param(503, {"Content-Type": "text/plain"}, b"busy", PeerUnreachable, id="busy"),
        pytest.param(302, {"Location": "http://elsewhere.example/"}, b"", PeerUnreachable, id="redirect"),
        pytest.param(202, {}, b"", PeerUnreachable, id="no content"),
        pytest.param(200, {"Content-Type": "text/html"}, b"<html/>", PeerUnreachable, id="a web page"),
        pytest.param(200, SOAP_HEADERS, b"", PeerUnreachable, id="empty"),
        pytest.param(200, SOAP_HEADERS, b"<a/>", PeerUnreachable, id="another element"),
        pytest.param(200, SOAP_HEADERS, echo.envelope(""), PeerUnreachable, id="empty body"),
        pytest.param(200, SOAP_HEADERS, echo.envelope(namespace=SOAP11), PeerUnreachable, id="SOAP 1.1"),
        pytest.param(200, {"Content-Type": CUT_TYPE}, CUT[:-9], PeerUnreachable, id="a package cut off"),
        pytest.param(200, {"Content-Type": "multipart/related"}, CUT, PeerUnreachable, id="no boundary"),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(
    status: int, headers: dict[str, str], body: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        ask(status, headers, body)


def test_a_failed_answer_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    data, content_type = echo.package(echo.envelope(), [("d", b"x" * 2_000_000)])
    with pytest.raises(PeerUnreachable):
        ask(200, {"Content-Type": content_type}, data[:-9])
    assert list(tmp_path.iterdir()) == []


def test_nobody_listening_is_unreachable() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # bound, but not listening
        port = listener.getsockname()[1]
        with (
            SoapExchange(f"http://127.0.0.1:{port}/x") as exchange,
            pytest.raises(PeerUnreachable, match="ConnectError"),
        ):
            exchange(OutgoingRequest(echo.ECHO, BODY))


def test_a_peer_that_says_nothing_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with (
            SoapExchange(f"http://127.0.0.1:{port}/secret", timeout=0.05) as exchange,
            pytest.raises(PeerUnreachable, match="Timeout") as raised,
        ):
            exchange(OutgoingRequest(echo.ECHO, BODY))
    assert "secret" not in str(raised.value)


def test_an_answer_that_breaks_off_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nContent-Length: 99\r\n\r\n<"
                )

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        with SoapExchange(url) as exchange, pytest.raises(PeerUnreachable):
            exchange(OutgoingRequest(echo.ECHO, BODY))
        thread.join()


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    with scripted((200, SOAP_HEADERS, echo.envelope())) as peer, SoapExchange(peer.url) as exchange:
        exchange(OutgoingRequest(echo.ECHO, BODY))
    assert len(peer.received) == 1


def test_tls_is_verified_and_our_certificate_is_shown() -> None:
    ca, other = trustme.CA(), trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(server_side)
    ca.configure_trust(server_side)
    server_side.verify_mode = ssl.CERT_REQUIRED
    trusting, strange = ssl.create_default_context(), ssl.create_default_context()
    ca.configure_trust(trusting)
    other.configure_trust(strange)
    for context in (trusting, strange):
        ca.issue_cert("client@his.example").configure_cert(context)
    app = SoapApp(echo.served().endpoint)
    with running(app, ssl_context_factory=lambda *_: server_side, ssl_certfile="-") as address:
        url = f"https://127.0.0.1:{address[1]}/repository"
        with SoapExchange(url, ssl_context=trusting) as exchange:
            assert exchange(OutgoingRequest(echo.ECHO, BODY)).body.get("text") == "hello"
        with SoapExchange(url, ssl_context=strange) as exchange, pytest.raises(PeerUnreachable):
            exchange(OutgoingRequest(echo.ECHO, BODY))


def test_a_connection_is_used_again() -> None:
    app = SoapApp(echo.served().endpoint)
    with running(app) as address, SoapExchange(f"http://127.0.0.1:{address[1]}/repository") as exchange:
        for _ in range(3):
            exchange(OutgoingRequest(echo.ECHO, BODY))
        pool = exchange._http._transport._pool  # type: ignore[attr-defined]
        assert len(pool.connections) == 1


# --------------------------------------------------------------------------- the stage


@pytest.mark.parametrize("size", [0, 9, 10, 11, 50])
def test_a_temporary_stage_counts_and_hashes_wherever_it_keeps_the_bytes(size: int) -> None:
    document = os.urandom(size)
    stage = TemporaryStage(in_memory=10)
    for start in range(0, size, 3):
        stage.write(memoryview(document)[start : start + 3])
    assert stage.size == size
    staged = stage.finish()
    assert (staged.size, staged.hash) == (size, echo.sha1(document))
    assert (staged.path is not None) == (size > 10)
    if staged.path is not None:
        assert Path(staged.path).read_bytes() == document
    stage.discard()
    stage.discard()
    assert staged.path is None or not Path(staged.path).exists()
