"""MLLP frames (HL7 v2 transport specification, release 1): ``0x0B`` message ``0x1C 0x0D``. Bytes in, messages out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

START: Final = b"\x0b"
END: Final = b"\x1c\r"
_STOP: Final = 0x1C
# a sender that gave up in the middle of a message begins the next one; a lone 0x0B inside text is only text
_RESTARTS: Final = (b"\x0bMSH", b"\x0bFHS", b"\x0bBHS")
_BETWEEN: Final = b"\r\n"
HEAD_SIZE: Final = 4096


def frame(message: bytes) -> bytes:
    """A message as one block."""
    return START + message + END


@dataclass(frozen=True, slots=True)
class Broken:
    """A block that is no message: it passed the limit, or another block began before it ended.

    ``head`` is its beginning, enough for an answer that names it.
    """

    head: bytes
    reason: str
    answerable: bool  # its sender waits for an answer; not when it has already gone on to the next message


class Framer:
    """Cuts a byte stream into messages of at most ``max_size`` bytes; feed it reads of any size.

    Liberal with what real senders do: bytes in front of 0x0B are skipped (and counted), CR after 0x1C may be missing.
    However the stream is cut into reads, the messages are the same. Not thread-safe.
    """

    __slots__ = ("_buffer", "_discarding", "_head", "_inside", "_max_size", "skipped")

    def __init__(self, *, max_size: int = 16 * 2**20) -> None:
        self._max_size = max_size
        self._buffer = bytearray()
        self._inside = False
        self._discarding = False
        self._head = b""
        self.skipped = 0  # bytes outside of frames, line ends not counted

    @property
    def inside(self) -> bool:
        """Whether a block has begun that has not ended."""
        return self._inside

    def receive(self, data: bytes) -> list[bytes | Broken]:
        """The messages that are complete with these bytes, in order."""
        if not self._inside and data[:1] == START and data.find(_STOP) == len(data) - 2 and data.endswith(END):
            return self._finish(data[1:-2])  # the usual case: one read is one block
        out: list[bytes | Broken] = []
        position, size = 0, len(data)
        while position < size:
            if not self._inside:
                position = self._begin(data, position)
                continue
            stop = data.find(_STOP, position)
            self._take(data[position : stop if stop >= 0 else size])
            if stop < 0:
                break
            position = stop + 1
            out.extend(self._end())
        return out

    def _begin(self, data: bytes, position: int) -> int:
        """Go to the next start byte; where reading continues."""
        start = data.find(START, position)
        outside = data[position : start if start >= 0 else len(data)]
        self.skipped += len(outside) - sum(map(outside.count, (b"\r", b"\n")))
        self._inside = start >= 0
        return start + 1 if start >= 0 else len(data)

    def _take(self, piece: bytes) -> None:
        if not self._discarding:
            self._buffer += piece
            if len(self._buffer) > self._max_size:
                self._head = bytes(self._buffer[:HEAD_SIZE])
                self._buffer = bytearray()
                self._discarding = True

    def _end(self) -> list[bytes | Broken]:
        self._inside = False
        if self._discarding:
            self._discarding = False
            return [self._too_large(self._head)]
        body = bytes(self._buffer)
        self._buffer.clear()
        return self._finish(body)

    def _finish(self, body: bytes) -> list[bytes | Broken]:
        if len(body) > self._max_size:
            return [self._too_large(body)]
        if body.find(START) < 0:
            return [body]
        restart = max(map(body.rfind, _RESTARTS))
        if restart < 0:
            return [body]
        return [
            Broken(body[:restart][:HEAD_SIZE], "the block was not ended before the next began", answerable=False),
            body[restart + 1 :],
        ]

    def _too_large(self, head: bytes) -> Broken:
        head = head[: min(HEAD_SIZE, self._max_size)]
        return Broken(head, f"the message is larger than {self._max_size} bytes", answerable=True)
