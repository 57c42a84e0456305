"""A client for HL7 v2 over MLLP (ITI TF-2 C.2.1), with TLS (ITI-19): one message, one answer, in the calling thread.

::

    with MllpClient("127.0.0.1", 2575) as client:
        client.send(message)            # PeerRejected when the answer is AE or AR
"""

from __future__ import annotations

import selectors
import socket
import ssl as tls
from contextlib import suppress
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Final, Self

from xds.errors import MalformedMessage, PeerUnreachable
from xds.hl7v2.ack import Acknowledgement, answer_to, refusal_of
from xds.hl7v2.er7 import Message, parse
from xds.hl7v2.errors import Hl7Rejected
from xds_mllp.framing import Framer, frame

_READ_SIZE: Final = 65536


class MllpClient:
    """Sends messages over one connection, which is opened when needed and opened again when the peer closed it.

    ``connect_timeout`` and ``timeout`` (for an answer) are seconds. ``ssl`` makes it MLLP over TLS. Thread-safe:
    messages of several threads go one after the other, for a sender waits for the answer before the next message.
    """

    def __init__(
        self,
        host: str,
        port: int = 2575,
        *,
        ssl: tls.SSLContext | None = None,
        server_hostname: str | None = None,
        connect_timeout: float = 10.0,
        timeout: float = 30.0,
        max_answer_size: int = 16 * 2**20,
    ) -> None:
        self._address = (host, port)
        self._ssl = ssl
        self._server_hostname = server_hostname or host
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._max_answer_size = max_answer_size
        self._socket: socket.socket | None = None
        self._lock = Lock()

    def send(self, message: Message | bytes | str) -> Acknowledgement:
        """Send one message and return its acknowledgement.

        Raises PeerRejected when it is not AA or CA, with what ERR says; PeerUnreachable when there is no answer that
        can be read, or it answers another message: the peer may have performed the message then, or not.
        """
        data = message.encode() if isinstance(message, str) else bytes(message)
        _, acknowledgement = self._answered(data)
        if not acknowledgement.accepted:
            raise refusal_of(acknowledgement)
        return acknowledgement

    def exchange(self, data: bytes) -> bytes:
        """Send one message and return its answer, an ACK or the response to a query, accepted or not.

        Raises PeerUnreachable as ``send`` does. This is the exchange of the clients in ``xds.clients.patients``.
        """
        return self._answered(data)[0]

    def _answered(self, data: bytes) -> tuple[bytes, Acknowledgement]:
        """The answer, which names our message in MSA-2; on a connection that gave another one nothing more is sent."""
        sent = _control_id(data)
        with self._lock:
            connection = self._connected()
            clean = False  # whatever still comes on this connection would belong to another message
            try:
                deadline = monotonic() + self._timeout
                connection.settimeout(self._timeout)
                connection.sendall(frame(data))
                answer, more = self._receive(connection, deadline)
                acknowledgement = answer_to(sent, answer)
                clean = not more
            except OSError as error:
                raise PeerUnreachable(f"no answer from {self._name}: {_reason(error)}") from error
            finally:
                if not clean:
                    self._close()
            return answer, acknowledgement

    def close(self) -> None:
        """Close the connection; the next message opens a new one."""
        with self._lock:
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    # ----------------------------------------------------------------- connection

    @property
    def _name(self) -> str:
        return f"mllp://{self._address[0]}:{self._address[1]}"

    def _connected(self) -> socket.socket:
        """The open connection, or a new one: an acceptor may close an idle connection (ITI TF-2 C.2.1)."""
        if self._socket is not None and _is_stale(self._socket):
            self._close()
        if self._socket is None:
            self._socket = self._connect()
        return self._socket

    def _connect(self) -> socket.socket:
        plain: socket.socket | None = None
        try:
            plain = socket.create_connection(self._address, self._connect_timeout)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._ssl.wrap_socket(plain, server_hostname=self._server_hostname) if self._ssl else plain
        except OSError as error:
            if plain is not None:
                plain.close()
            raise PeerUnreachable(f"no connection to {self._name}: {_reason(error)}") from error

    def _receive(self, connection: socket.socket, deadline: float) -> tuple[bytes, bool]:
        """The next block, and whether something came after it, which nobody asked for."""
        framer = Framer(max_size=self._max_answer_size)
        while True:
            data = connection.recv(_READ_SIZE)
            if not data:
                raise PeerUnreachable(f"{self._name} closed the connection without an answer")
            blocks = framer.receive(data)
            if blocks:
                if not isinstance(blocks[0], bytes):
                    raise PeerUnreachable(f"the answer of {self._name} cannot be read: {blocks[0].reason}")
                return blocks[0], len(blocks) > 1 or framer.inside
            # the time is for the whole answer, or a peer that sends byte by byte would never be given up
            left = deadline - monotonic()
            if left <= 0:
                raise TimeoutError
            connection.settimeout(left)

    def _close(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
            self._socket = None


def _is_stale(connection: socket.socket) -> bool:
    """Whether something waits to be read before we sent anything: the end, or an answer nobody asked for."""
    with selectors.DefaultSelector() as selector:
        try:
            selector.register(connection, selectors.EVENT_READ)
        except ValueError:  # closed on our side
            return True
        return bool(selector.select(0))


def _reason(error: OSError) -> str:
    return "timeout" if isinstance(error, TimeoutError) else (error.strerror or type(error).__name__)


def _control_id(data: bytes) -> str:
    try:
        return parse(data, replace=True).control_id
    except (MalformedMessage, Hl7Rejected):
        return ""
