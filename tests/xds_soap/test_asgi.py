"""The ASGI application under a real server: gathered and streamed requests, disconnects, what HTTP refuses."""

from __future__ import annotations

import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from fastapi import FastAPI

from tests.xds_soap import echo
from tests.xds_soap.hosts import Raw, running
from xds.errors import StoreUnavailable
from xds.ports import OutgoingPart
from xds.transactions.base import SoapAnswer
from xds_soap import Limits, SoapApp

BIG = bytes(range(256)) * 8192  # 2 MB


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does; the test fails when it never comes true."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


def post(address: tuple[str, int], body: Any, content_type: str = echo.PLAIN_TYPE, **headers: str) -> httpx.Response:
    url = f"http://{address[0]}:{address[1]}/repository"
    return httpx.post(url, content=body, headers={"Content-Type": content_type, **headers}, trust_env=False, timeout=20)


@pytest.mark.parametrize("action", [echo.ECHO, echo.STORE])
def test_a_small_request_is_answered(action: str) -> None:
    served = echo.served()
    with running(SoapApp(served.endpoint)) as address:
        response = post(address, echo.envelope(action=action))
        assert response.status_code == 200
        assert f"{action}Response" in response.text
        assert response.headers["content-length"] == str(len(response.content))


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_package_is_streamed_both_ways(chunked: bool) -> None:
    data, content_type = echo.package(echo.envelope(echo.body_with("d"), action=echo.STORE), [("d", BIG)])
    served = echo.served()
    with running(SoapApp(served.endpoint)) as address:
        response = post(address, iter([data]) if chunked else data, content_type)
    assert response.status_code == 200
    assert served.actor.seen[0].documents[0].hash == echo.sha1(BIG)
    assert BIG in response.content


def test_a_request_that_comes_byte_by_byte_is_put_together() -> None:
    data, content_type = echo.package(echo.envelope(echo.body_with("d")), [("d", b"\r\n--edg\r\n")])
    served = echo.served()
    with running(SoapApp(served.endpoint)) as address, Raw(address) as raw:
        raw.head("/repository", content_type, None)
        for byte in data:
            raw.chunk(bytes([byte]))
        raw.send(b"0\r\n\r\n")
        assert raw.answer()[0] == 200
    assert served.actor.seen[0].documents[0].content == b"\r\n--edg\r\n"


def test_a_client_that_asks_before_it_sends_is_told_to_continue() -> None:
    body = echo.envelope()
    served = echo.served()
    with running(SoapApp(served.endpoint)) as address, socket.create_connection(address, timeout=20) as connection:
        connection.sendall(
            b"POST /repository HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
            + f"Content-Type: {echo.PLAIN_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_connection_carries_many_requests() -> None:
    served = echo.served()
    with running(SoapApp(served.endpoint)) as address, Raw(address) as raw:
        for body in (echo.envelope(), echo.envelope(action="urn:test:Unknown"), echo.envelope()):
            raw.head("/repository", echo.PLAIN_TYPE, len(body))
            raw.send(body)
            assert raw.answer()[0] in (200, 400)
    assert len(served.actor.seen) == 2


@pytest.mark.parametrize("sent", [100, 1_200_000])
def test_a_client_that_goes_away_while_sending_leaves_nothing(sent: int) -> None:
    data, content_type = echo.package(echo.envelope(echo.body_with("d")), [("d", BIG)])
    served = echo.served()
    app = SoapApp(served.endpoint)
    with running(app) as address:
        with Raw(address) as raw:
            raw.head("/repository", content_type, len(data))
            raw.send(data[:sent])
            if sent > 1000:
                until(lambda: len(served.store.opened) == 1)
        until(lambda: app._in_progress == 0 and not served.store.left)
        assert post(address, echo.envelope()).status_code == 200
    assert [echoed.text for echoed in served.actor.seen] == ["hello"]


def test_a_large_request_that_is_refused_is_read_to_its_end_and_answered() -> None:
    data, content_type = echo.package(echo.envelope(echo.body_with("d")), [("d", BIG)])
    served = echo.served()
    served.store.broken = StoreUnavailable("full")
    with running(SoapApp(served.endpoint)) as address:
        response = post(address, data, content_type)
        assert response.status_code == 500
        assert "EndpointUnavailable" in response.text
        assert post(address, data, "application/json").status_code == 415
    assert served.store.left == []


def test_an_answer_that_cannot_be_finished_breaks_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    def pieces() -> Any:
        yield b"x" * 600_000
        raise OSError("/secret")

    served = echo.served_with(
        replace(
            echo.TRANSACTIONS[0],
            encode_response=lambda _: SoapAnswer(
                [b"<xds:Echo/>"], [OutgoingPart("d@x", "text/plain", pieces(), 700_000)]
            ),
        )
    )
    data, content_type = echo.package(echo.envelope())
    with caplog.at_level(logging.INFO, "xds_soap"), running(SoapApp(served.endpoint)) as address, Raw(address) as raw:
        raw.head("/repository", content_type, len(data))
        raw.send(data)
        received = raw.rest()
    assert received.startswith(b"HTTP/1.1 200")
    assert b"x" * 1000 in received
    assert not received.rstrip().endswith(b"--")  # no closing boundary: nobody can take it for whole
    assert [record.getMessage() for record in caplog.records if record.name == "xds_soap"] == [
        "an answer broke off: OSError"
    ]


def test_a_client_that_goes_away_while_receiving_stops_the_reading() -> None:
    taken: list[int] = []
    closed = threading.Event()

    def pieces() -> Any:
        try:
            for number in range(100_000):
                taken.append(number)
                yield b"x" * 65536
        finally:
            closed.set()

    served = echo.served_with(
        replace(
            echo.TRANSACTIONS[0],
            encode_response=lambda _: SoapAnswer([b"<xds:Echo/>"], [OutgoingPart("d@x", "text/plain", pieces())]),
        )
    )
    data, content_type = echo.package(echo.envelope())
    with running(SoapApp(served.endpoint)) as address:
        with Raw(address) as raw:
            raw.head("/repository", content_type, len(data))
            raw.send(data)
            assert raw.socket.recv(1000).startswith(b"HTTP/1.1 200")
        assert closed.wait(20)
    assert len(taken) < 100_000


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/repository", 405),
        ("PUT", "/repository", 405),
        ("DELETE", "/repository", 405),
        ("GET", "/repository?wsdl", 200),
        ("POST", "/nowhere", 404),
        ("GET", "/nowhere", 404),
        ("POST", "/repository/", 415),
        ("POST", "/metrics", 404),
        ("GET", "/health/live", 200),
        ("HEAD", "/health/live", 200),
        ("GET", "/health/ready", 200),
        ("GET", "/metrics", 200),
    ],
)
def test_paths_and_methods(method: str, path: str, status: int) -> None:
    with running(SoapApp(echo.served().endpoint)) as address:
        response = httpx.request(method, f"http://{address[0]}:{address[1]}{path}", trust_env=False)
    assert response.status_code == status
    if status == 405:
        assert response.headers["allow"] == "POST"


def test_ready_says_no_when_the_store_does(caplog: pytest.LogCaptureFixture) -> None:
    def ready() -> None:
        raise StoreUnavailable("down")

    with running(SoapApp(echo.served().endpoint, ready=ready)) as address:
        url = f"http://{address[0]}:{address[1]}/health/"
        assert httpx.get(url + "ready", trust_env=False).status_code == 503
        assert httpx.get(url + "live", trust_env=False).status_code == 200
    assert "not ready: down" in caplog.text
    assert "Traceback" not in caplog.text


def test_operations_can_be_left_to_somebody_else() -> None:
    with running(SoapApp(echo.served().endpoint, operations=False)) as address:
        assert httpx.get(f"http://{address[0]}:{address[1]}/metrics", trust_env=False).status_code == 404


def test_metrics_count_what_was_answered() -> None:
    with running(SoapApp(echo.served().endpoint)) as address:
        post(address, echo.envelope())
        post(address, echo.envelope(action=None))
        text = httpx.get(f"http://{address[0]}:{address[1]}/metrics", trust_env=False).text
    assert 'xds_soap_requests_total{transaction="Echo",outcome="answered"} 1' in text
    assert 'xds_soap_requests_total{transaction="none",outcome="fault"} 1' in text


def test_a_request_above_the_limit_is_refused_before_it_is_read() -> None:
    served = echo.served(limits=Limits(request=10_000))
    with running(SoapApp(served.endpoint)) as address:
        assert post(address, b"x" * 10_001).status_code == 413


def test_more_than_max_waiting_requests_are_told_to_come_again() -> None:
    served = echo.served()
    hold = threading.Event()
    served.actor.behave = lambda echoed: hold.wait(20) and echoed
    app = SoapApp(served.endpoint, threads=2, max_waiting=2)
    with running(app) as address:
        threads = [threading.Thread(target=post, args=(address, echo.envelope())) for _ in range(2)]
        for thread in threads:
            thread.start()
        until(lambda: app._in_progress == 2)
        response = post(address, echo.envelope())
        hold.set()
        for thread in threads:
            thread.join()
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        assert post(address, echo.envelope()).status_code == 200


def test_waiting_submissions_hold_no_thread() -> None:
    served = echo.served()
    hold = threading.Event()
    served.actor.behave = lambda echoed: hold.wait(20) and echoed
    answers: list[int] = []

    def store(address: tuple[str, int]) -> None:
        answers.append(post(address, echo.envelope(action=echo.STORE)).status_code)

    with running(SoapApp(served.endpoint, threads=1)) as address:
        threads = [threading.Thread(target=store, args=(address,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        until(lambda: len(served.actor.seen) == 5)  # all five are with the actor, though there is one thread
        hold.set()
        for thread in threads:
            thread.join()
    assert answers == [200] * 5


def test_it_can_be_mounted_below_a_path_of_another_application() -> None:
    outer = FastAPI()
    app = SoapApp(echo.served().endpoint)
    outer.mount("/xds", app)
    with running(outer) as address:
        url = f"http://{address[0]}:{address[1]}/xds/repository"
        response = httpx.post(
            url, content=echo.envelope(), headers={"Content-Type": echo.PLAIN_TYPE}, trust_env=False, timeout=20
        )
        assert response.status_code == 200
        assert httpx.get(f"http://{address[0]}:{address[1]}/xds/health/live", trust_env=False).status_code == 200
    app.close()


def test_the_servers_lifespan_ends_the_threads_and_calls_on_shutdown() -> None:
    called = threading.Event()
    app = SoapApp(echo.served().endpoint, on_shutdown=called.set)
    with running(app, lifespan="on") as address:
        assert post(address, echo.envelope()).status_code == 200
    assert called.is_set()
    assert app._pool._shutdown


def test_mutual_tls_lets_in_who_has_a_certificate() -> None:
    ca = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(server_side)
    ca.configure_trust(server_side)
    server_side.verify_mode = ssl.CERT_REQUIRED
    client_side = ssl.create_default_context()
    ca.configure_trust(client_side)
    app = SoapApp(echo.served().endpoint)

    with running(app, ssl_context_factory=lambda *_: server_side, ssl_certfile="-") as address:
        url = f"https://127.0.0.1:{address[1]}/repository"
        headers = {"Content-Type": echo.PLAIN_TYPE}
        with pytest.raises(httpx.TransportError):
            httpx.post(url, content=echo.envelope(), headers=headers, verify=client_side, trust_env=False)
        ca.issue_cert("client@his.example").configure_cert(client_side)
        with httpx.Client(verify=client_side, trust_env=False) as client:
            assert client.post(url, content=echo.envelope(), headers=headers).status_code == 200


def test_a_document_of_100_mb_moves_memory_by_a_few_mb() -> None:
    """Through a real server and the client, each way; see the program for what is measured."""
    root = Path(__file__).resolve().parents[2]
    run = subprocess.run(
        [sys.executable, "-m", "tests.xds_soap.memory_of_large_documents", "100"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
