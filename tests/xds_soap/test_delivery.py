"""The asynchronous exchange: who is posted to, what arrives there, and what happens when nobody listens."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from lxml import etree

from tests.xds_soap import echo
from tests.xds_soap.hosts import running, scripted
from tests.xds_soap.test_asgi import post
from xds.vocab.namespaces import SOAP, WSA
from xds_soap import HttpReplyDelivery, SoapApp, SoapReply
from xds_soap import delivery as delivery_module

S, A = f"{{{SOAP}}}", f"{{{WSA}}}"
HTTP_ACCEPTED = (202, {}, b"")


@pytest.mark.parametrize(
    ("address", "allow", "same_host", "peer", "allowed"),
    [
        ("http://his.example/x", ["his.example"], False, None, True),
        ("https://HIS.example:8443/x", ["his.example:8443"], False, None, True),
        ("https://his.example/x", ["his.example:443"], False, None, True),
        ("http://his.example/x", ["his.example:443"], False, None, False),
        ("http://a.clinic.example/x", ["*.clinic.example"], False, None, True),
        ("http://clinic.example/x", ["*.clinic.example"], False, None, False),
        ("http://his.example.evil.example/x", ["his.example"], False, None, False),
        ("http://his.example@evil.example/x", ["his.example"], False, None, False),
        ("http://user@his.example/x", ["his.example"], False, None, False),
        ("ftp://his.example/x", ["*"], False, None, False),
        ("file:///etc/passwd", ["*"], False, None, False),
        ("urn:uuid:1", ["*"], False, None, False),
        ("http://", ["*"], False, None, False),
        ("http://his.example:port/", ["*"], False, None, False),
        ("http://[::1]/x", ["::1"], False, None, True),
        ("http://10.0.0.7:9000/x", [], True, "10.0.0.7", True),
        ("http://10.0.0.8:9000/x", [], True, "10.0.0.7", False),
        ("http://10.0.0.7:9000/x", [], False, "10.0.0.7", False),
        ("http://10.0.0.7:9000/x", [], True, None, False),
    ],
)
def test_only_allowed_hosts_are_posted_to(
    address: str, allow: list[str], same_host: bool, peer: str | None, allowed: bool
) -> None:
    delivery = HttpReplyDelivery(allow=allow, same_host=same_host)
    assert delivery.allows(address, peer) is allowed
    delivery.close()


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For"])
@pytest.mark.parametrize("value", ["for=10.0.0.7", "127.0.0.1", ""])
def test_the_host_of_a_proxy_is_not_the_host_of_its_client(header: str, value: str) -> None:
    delivery = HttpReplyDelivery(same_host=True)
    served = echo.served(delivery=delivery)
    with scripted(HTTP_ACCEPTED) as listener, running(SoapApp(served.endpoint)) as address:
        response = post(address, echo.envelope(reply_to=listener.url), **{header: value})
        delivery.close()
        assert response.status_code == 400
        assert "OnlyAnonymousAddressSupported" in response.text
        assert not listener.received
    assert not served.actor.seen


@pytest.mark.parametrize("action", [echo.ECHO, echo.STORE])
@pytest.mark.parametrize("mtom", [False, True])
def test_the_answer_is_a_post_of_its_own(action: str, mtom: bool) -> None:
    delivery = HttpReplyDelivery(same_host=True)
    served = echo.served(delivery=delivery)
    with scripted(HTTP_ACCEPTED) as listener, running(SoapApp(served.endpoint)) as address:
        body = echo.envelope(action=action, reply_to=listener.url)
        data, content_type = echo.package(body) if mtom else (body, echo.PLAIN_TYPE)
        response = post(address, data, content_type)
        assert (response.status_code, response.content) == (202, b"")
        assert listener.arrived.wait(20)
        delivery.close()
    [(headers, received)] = listener.received
    assert headers["Content-Type"].startswith("multipart/related" if mtom else "application/soap+xml")
    start, end = received.index(b"<s:Envelope"), received.index(b"</s:Envelope>") + len(b"</s:Envelope>")
    envelope = etree.fromstring(received[start:end])
    assert envelope.findtext(f"{S}Header/{A}Action") == f"{action}Response"
    assert envelope.findtext(f"{S}Header/{A}RelatesTo") == "urn:uuid:6d296e90-e5dc-43d0-b455-7c1f3eb35d83"
    assert envelope.findtext(f"{S}Header/{A}To") == listener.url
    assert (envelope.findtext(f"{S}Header/{A}MessageID") or "").startswith("urn:uuid:")
    assert served.actor.seen[0].text == "hello"


@pytest.mark.parametrize("fault_to", [False, True])
def test_a_fault_goes_to_fault_to_or_else_to_reply_to(fault_to: bool) -> None:
    delivery = HttpReplyDelivery(allow=["127.0.0.1"])
    served = echo.served(delivery=delivery)
    with scripted(HTTP_ACCEPTED) as replies, scripted(HTTP_ACCEPTED) as complaints:
        header = f"<a:FaultTo><a:Address>{complaints.url}</a:Address></a:FaultTo>" if fault_to else ""
        body = echo.envelope(action="urn:test:Unknown", reply_to=replies.url, headers=header)
        assert served.endpoint.handle("/repository", echo.PLAIN_TYPE, body).status == 202
        assert (complaints if fault_to else replies).arrived.wait(20)
        delivery.close()
        assert len(replies.received) == (not fault_to)
        assert len(complaints.received) == fault_to


def test_a_fault_to_that_is_not_allowed_is_not_posted_to() -> None:
    delivery = HttpReplyDelivery(allow=["127.0.0.1"])
    served = echo.served(delivery=delivery)
    with scripted(HTTP_ACCEPTED) as replies:
        header = "<a:FaultTo><a:Address>http://evil.example/</a:Address></a:FaultTo>"
        body = echo.envelope(action="urn:test:Unknown", reply_to=replies.url, headers=header)
        assert served.endpoint.handle("/repository", echo.PLAIN_TYPE, body).status == 202
        assert replies.arrived.wait(20)
        delivery.close()
    assert etree.fromstring(replies.received[0][1]).findtext(f"{S}Header/{A}To") == replies.url


def test_the_none_address_wants_no_answer() -> None:
    served = echo.served()
    reply = served.endpoint.handle("/repository", echo.PLAIN_TYPE, echo.envelope(reply_to=f"{WSA}/none"))
    assert (reply.status, reply.content) == (202, b"")
    assert len(served.actor.seen) == 1


def test_a_host_that_is_not_allowed_gets_a_fault_and_no_work_is_done() -> None:
    delivery = HttpReplyDelivery(allow=["his.example"])
    served = echo.served(delivery=delivery)
    body = echo.envelope(reply_to="http://evil.example/")
    reply = served.endpoint.handle("/repository", echo.PLAIN_TYPE, body)
    assert reply.status == 400
    assert b"OnlyAnonymousAddressSupported" in reply.content
    assert served.actor.seen == []
    delivery.close()


REPLY = SoapReply(200, (("Content-Type", "application/soap+xml"), ("Content-Length", "4")), [b"<a/>"])


def test_an_answer_is_sent_again_until_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "_FIRST_PAUSE", 0.01)
    with scripted((503, {}, b""), (503, {}, b""), HTTP_ACCEPTED) as listener:
        delivery = HttpReplyDelivery(allow=["*"])
        delivery.send(listener.url, REPLY)
        while len(listener.received) < 3:
            assert listener.arrived.wait(20)
        delivery.close()
    assert [body for _, body in listener.received] == [b"<a/>"] * 3


def test_after_the_last_attempt_it_is_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(delivery_module, "_FIRST_PAUSE", 0.01)
    with scripted((500, {}, b"")) as listener:
        delivery = HttpReplyDelivery(allow=["*"], attempts=2)
        delivery.send(listener.url, REPLY)
        delivery._pool.shutdown(wait=True)
        delivery.close()
    assert len(listener.received) == 2
    assert "could not be delivered: HTTP 500" in caplog.text


def test_when_too_many_wait_an_answer_is_dropped_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    hold = threading.Event()

    def waiting() -> Iterator[bytes]:
        hold.wait(20)
        yield b""

    with scripted(HTTP_ACCEPTED) as listener:
        delivery = HttpReplyDelivery(allow=["*"], threads=1, max_waiting=1)
        delivery.send(listener.url, SoapReply(200, (), waiting()))
        delivery.send(listener.url, REPLY)
        assert "dropped" in caplog.text
        hold.set()
        delivery.close()
    assert len(listener.received) == 1
    delivery.send("http://127.0.0.1:9/", REPLY)
    assert "stopping" in caplog.text
