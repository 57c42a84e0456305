"""The WSGI application, called as a server calls it and checked by the standard library's validator."""

from __future__ import annotations

import io
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from tests.xds_soap import echo
from tests.xds_soap.hosts import scripted
from xds_soap import HttpReplyDelivery, Limits, WsgiApp


def call(app: Any, body: bytes, **environ: Any) -> tuple[str, dict[str, str], bytes]:
    values: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/repository",
        "QUERY_STRING": "",
        "SCRIPT_NAME": "",
        "CONTENT_TYPE": echo.PLAIN_TYPE,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **environ,
    }
    setup_testing_defaults(values)
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started.append((status, dict(headers)))
        return lambda data: None

    chunks = app(values, start_response)
    content = b"".join(chunks)
    if hasattr(chunks, "close"):
        chunks.close()
    [(status, headers)] = started
    return status, headers, content


def test_a_request_is_answered_as_pep_3333_wants_it() -> None:
    served = echo.served()
    status, headers, content = call(validator(WsgiApp(served.endpoint)), echo.envelope())
    assert status == "200 OK"
    assert headers["Content-Length"] == str(len(content))
    assert b"EchoResponse" in content


@pytest.mark.parametrize(
    ("variable", "status"), [("HTTP_X_REQUEST_ID", "202"), ("HTTP_FORWARDED", "400"), ("HTTP_X_FORWARDED_FOR", "400")]
)
def test_the_host_of_a_proxy_gets_no_answers(variable: str, status: str) -> None:
    delivery = HttpReplyDelivery(same_host=True)
    with scripted((202, {}, b"")) as listener:
        app = WsgiApp(echo.served(delivery=delivery).endpoint)
        answered, _, _ = call(app, echo.envelope(reply_to=listener.url), REMOTE_ADDR="127.0.0.1", **{variable: "x"})
        delivery.close()
        assert answered.split()[0] == status
        assert bool(listener.received) is (status == "202")


def test_documents_are_streamed_through() -> None:
    document = b"0123456789" * 100_000
    data, content_type = echo.package(echo.envelope(echo.body_with("d")), [("d", document)])
    status, _, content = call(WsgiApp(echo.served().endpoint), data, CONTENT_TYPE=content_type)
    assert status == "200 OK"
    assert document in content


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"REQUEST_METHOD": "GET"}, "405"),
        ({"PATH_INFO": "/nowhere"}, "404"),
        ({"CONTENT_LENGTH": ""}, "411"),
        ({"CONTENT_LENGTH": "100000"}, "413"),
        ({"CONTENT_TYPE": "text/html"}, "415"),
        ({"PATH_INFO": "/repository/"}, "200"),
        ({"CONTENT_LENGTH": "", "wsgi.input_terminated": True}, "200"),
    ],
)
def test_what_http_says(environ: dict[str, Any], status: str) -> None:
    served = echo.served(limits=Limits(request=10_000))
    assert call(WsgiApp(served.endpoint), echo.envelope(), **environ)[0].startswith(status)


def test_a_request_that_is_cut_off_is_no_request() -> None:
    data, content_type = echo.package(echo.envelope(echo.body_with("d")), [("d", b"x")])
    served = echo.served()
    with pytest.raises(ConnectionError):
        call(WsgiApp(served.endpoint), data[:-20], CONTENT_TYPE=content_type, CONTENT_LENGTH=str(len(data)))
    assert served.store.left == []
    assert served.actor.seen == []
