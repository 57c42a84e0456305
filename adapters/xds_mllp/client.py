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
from types import TracebackType
from typing import Final, Self

from xds.errors import MalformedMessage, PeerRejected, PeerUnreachable, RegistryError
from xds.hl7v2.ack import Acknowledgement, read_acknowledgement
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
        answer = self.exchange(data)
        try:
            acknowledgement = read_acknowledgement(answer)
        except (MalformedMessage, Hl7Rejected):
            raise PeerUnreachable("the answer is no acknowledgement") from None
        sent = _control_id(data)
        # an answer to what the peer could not read may leave MSA-2 empty
        if acknowledgement.control_id != sent and (acknowledgement.accepted or acknowledgement.control_id):
            self.close()  # whatever still comes on this connection belongs to other messages
            raise PeerUnreachable("the answer belongs to another message")
        if not acknowledgement.accepted:
            errors = [RegistryError(error.code, location=error.location) for error in acknowledgement.errors]
            codes = ", ".join(map(str, acknowledgement.errors)) or "no reason given"
            raise PeerRejected(f"{acknowledgement.code}: {codes}", errors)
        return acknowledgement

    def exchange(self, data: bytes) -> bytes:
        """Send bytes as one block and return the next block. Raises PeerUnreachable."""
        with self._lock:
            connection = self._connected()
            try:
                connection.sendall(frame(data))
                return self._receive(connection)
            except PeerUnreachable:
                self._close()
                raise
            except OSError as error:
                self._close()
                raise PeerUnreachable(f"no answer from {self._name}: {_reason(error)}") from error

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
            secured = self._ssl.wrap_socket(plain, server_hostname=self._server_hostname) if self._ssl else plain
            secured.settimeout(self._timeout)
            return secured
        except OSError as error:
            if plain is not None:
                plain.close()
            raise PeerUnreachable(f"no connection to {self._name}: {_reason(error)}") from error

    def _receive(self, connection: socket.socket) -> bytes:
        framer = Framer(max_size=self._max_answer_size)
        while True:
            data = connection.recv(_READ_SIZE)
            if not data:
                raise PeerUnreachable(f"{self._name} closed the connection without an answer")
            for block in framer.receive(data):
                if not isinstance(block, bytes):
                    raise PeerUnreachable(f"the answer of {self._name} cannot be read: {block.reason}")
                return block

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
