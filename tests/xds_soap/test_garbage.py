"""A request that only the cyclic garbage collector finds keeps its document in memory until that comes around."""

from __future__ import annotations

import gc
import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.evidence import messages
from tests.xds_soap import systems
from tests.xds_soap.hosts import running
from xds_mllp.endpoint import Endpoint
from xds_soap import SoapApp

ESCAPED = systems.PATIENT.replace("&", "&amp;")
NOBODY = ESCAPED.replace("P0000001", "P9999999")


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[systems.Platform]:
    with systems.platform(tmp_path, patients="known") as one:
        one.store.transaction(lambda transaction: transaction.announce(systems.PATIENT))
        yield one


@pytest.fixture
def collected() -> Iterator[list[object]]:
    """What the collector found unreachable, when the test asks."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield gc.garbage
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


def ours(garbage: list[object]) -> set[str]:
    gc.collect()
    return {type(one).__qualname__ for one in garbage if type(one).__module__.startswith("xds")}


MTOM, SOAP = messages.MTOM_TYPE, messages.SOAP_TYPE
WHOLE = messages.iti41("1.2.826.7", ESCAPED, b"a document")
REQUESTS = {
    "submission": ("/repository", MTOM, WHOLE, 200),
    "submission of a stranger": ("/repository", MTOM, messages.iti41("1.2.826.8", NOBODY, b"a document"), 200),
    "registration": ("/registry", SOAP, messages.iti42("1.2.826.9", ESCAPED, b"a document"), 200),
    "registration of a stranger": ("/registry", SOAP, messages.iti42("1.2.826.10", NOBODY, b"a document"), 200),
    "query": ("/registry", SOAP, messages.iti18(ESCAPED), 200),
    "retrieval of nothing": ("/repository", MTOM, messages.iti43("1.2.826.11"), 200),
    "cut off": ("/repository", MTOM, WHOLE[:-20], 400),
    "not XML": ("/repository", SOAP, b"<a><b></a>", 400),
    "for nobody": ("/registry", MTOM, WHOLE, 400),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_leaves_no_garbage(platform: systems.Platform, collected: list[object], name: str) -> None:
    path, kind, body, status = REQUESTS[name]
    for _ in range(2):  # the second submission is refused: its uniqueId is taken
        answer = platform.endpoint.handle(path, kind, body)
        assert answer.status == status
        assert b"".join(answer.chunks)
        del answer
    assert ours(collected) == set()


@pytest.mark.parametrize(("number", "code"), [(1, b"|AA|"), (None, b"|AE|")])
def test_a_message_leaves_no_garbage(
    platform: systems.Platform, collected: list[object], number: int | None, code: bytes
) -> None:
    endpoint = Endpoint([platform.registry])
    data = messages.iti8(number or 1)[1:-2]
    if number is None:
        data = data.replace(messages.patient(1).replace("&amp;", "&").encode(), b"")
    [answer] = endpoint.respond(data)
    assert code in answer
    assert ours(collected) == set()


def test_a_request_from_the_network_leaves_no_garbage(platform: systems.Platform, collected: list[object]) -> None:
    with running(SoapApp(platform.endpoint)) as address:
        for name in ("submission", "submission of a stranger", "cut off"):
            path, kind, body, status = REQUESTS[name]
            connection = http.client.HTTPConnection(*address)
            connection.request("POST", path, body, {"Content-Type": kind})
            assert connection.getresponse().status == status
            connection.close()
        assert ours(collected) == set()
