from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any

import pytest
import trustme

from xds_cli import accepting
from xds_cli.accepting import Acceptor
from xds_cli.host import new_event_loop

Work = Callable[[], Coroutine[Any, Any, None]]


class Greeting(asyncio.Protocol):
    made = lost = 0

    def connection_made(self, transport: Any) -> None:
        Greeting.made += 1
        transport.write(b"hello")
        transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        Greeting.lost += 1


def run(work: Work, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def to_the_end() -> None:
        await work()
        while Greeting.lost < Greeting.made:
            await asyncio.sleep(0.01)

    Greeting.made = Greeting.lost = 0
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(to_the_end())


@pytest.fixture(params=[new_event_loop, asyncio.new_event_loop])
def loop_factory(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    factory: Callable[[], asyncio.AbstractEventLoop] = request.param
    return factory


@pytest.fixture
def listener() -> socket.socket:
    one = socket.socket()
    one.bind(("127.0.0.1", 0))
    one.listen(512)
    return one


async def greeted(connection: socket.socket) -> bytes:
    connection.setblocking(False)
    return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(connection, 100), 10)


def test_all_who_wait_are_accepted_in_a_few_turns_of_the_loop(
    listener: socket.socket, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def work() -> None:
        with ExitStack() as stack:
            clients = [stack.enter_context(socket.create_connection(listener.getsockname())) for _ in range(300)]
            acceptor = Acceptor(listener, Greeting)
            acceptor.start(512)
            for _ in range(10):
                await asyncio.sleep(0)
            assert Greeting.made == 300
            assert await greeted(clients[-1]) == b"hello"
            acceptor.stop()

    with listener:
        run(work, loop_factory)


def test_without_descriptors_it_pauses_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    class Exhausted(socket.socket):
        left = 2

        def accept(self) -> tuple[socket.socket, Any]:
            if self.left:
                self.left -= 1
                raise OSError(errno.EMFILE, "Too many open files")
            return super().accept()

    monkeypatch.setattr(accepting, "_PAUSE", 0.05)

    async def work() -> None:
        with Exhausted() as listener:
            listener.bind(("127.0.0.1", 0))
            acceptor = Acceptor(listener, Greeting)
            acceptor.start(8)
            with socket.create_connection(listener.getsockname()) as client:
                assert await greeted(client) == b"hello"
            assert listener.left == 0
            acceptor.stop()

    run(work, loop_factory)


def test_a_client_that_does_not_speak_tls_disturbs_nobody(
    listener: socket.socket, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)

    async def work() -> None:
        acceptor = Acceptor(listener, Greeting, tls=server)
        acceptor.start(8)
        host, port = listener.getsockname()
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await asyncio.wait_for(reader.read(), 10)  # an alert, and the end
        writer.close()
        reader, writer = await asyncio.open_connection(host, port, ssl=client)
        assert await asyncio.wait_for(reader.readexactly(5), 10) == b"hello"
        writer.close()
        acceptor.stop()

    with listener:
        run(work, loop_factory)


def test_after_stop_nobody_is_accepted(
    listener: socket.socket, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def work() -> None:
        acceptor = Acceptor(listener, Greeting)
        acceptor.start(8)
        address = listener.getsockname()
        acceptor.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)

    with listener:
        run(work, loop_factory)
