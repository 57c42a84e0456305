"""Messages over a Unix-domain socket between processes of one user: frames, and proof of a shared secret.

Receiving is for one thread, sending for several. :meth:`Channel.hang_up` may be called from anywhere and wakes the
receiver; only the receiver closes, so that a descriptor is never closed under somebody who uses it.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
import socket
import threading
from typing import Final

_LENGTH: Final = 4  # bytes before each message
_LONGEST: Final = 2**31
_NONCE: Final = 32
_PATIENCE: Final = 10.0  # seconds for the other side to prove itself


class AuthenticationFailed(Exception):
    """The other side does not know the secret."""


class Channel:
    """A connected socket as a stream of messages. OSError or EOFError when the other side is gone."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._stream = connection.makefile("rb", buffering=64 * 1024)
        self._sending = threading.Lock()

    def send(self, message: bytes) -> None:
        with self._sending:
            self._socket.sendall(len(message).to_bytes(_LENGTH) + message)

    def receive(self) -> bytes:
        length = int.from_bytes(self._exactly(_LENGTH))
        return self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        data = self._stream.read(length) if length < _LONGEST else b""
        if len(data) < length or not data:
            raise EOFError
        return data

    def patience(self, seconds: float | None) -> None:
        """How long to wait for the other side; None: for ever."""
        self._socket.settimeout(seconds)

    def hang_up(self) -> None:
        """End both directions: the receivers on both sides see the end."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.hang_up()
        with contextlib.suppress(OSError):
            self._stream.close()
        self._socket.close()


def prove(channel: Channel, key: bytes, *, role: bytes, other: bytes) -> None:
    """Both sides show, without saying it, that they know ``key``; AuthenticationFailed when the other does not.

    Each side answers the other's random challenge by a keyed digest; the roles in it keep an answer from being
    reflected.
    """
    channel.patience(_PATIENCE)
    mine = secrets.token_bytes(_NONCE)
    channel.send(mine)
    theirs = channel.receive()
    channel.send(_proof(key, role, theirs))
    if not hmac.compare_digest(channel.receive(), _proof(key, other, mine)):
        raise AuthenticationFailed
    channel.patience(None)


def _proof(key: bytes, role: bytes, challenge: bytes) -> bytes:
    return hmac.digest(key, role + challenge, hashlib.sha256)


def connect(address: str, key: bytes) -> Channel:
    """A proven channel to the one who listens at ``address``."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    channel = Channel(connection)
    try:
        prove(channel, key, role=b"guest", other=b"writer")
    except BaseException:
        channel.close()
        raise
    return channel
