"""One process writes, several work: how ``submit`` of the others reaches the writer (DESIGN: one writer process).

The process that owns an SQLite store listens on a Unix-domain socket beside the database. Where it is, and the secret
that both sides prove to know before anything is unpickled, stand in ``<database>.writer``, readable by the owner's user
only. Work travels pickled; any number may be under way on one connection, and answers come back in batches.

When the connection breaks, work that had no answer is *in doubt*: its Future raises StoreUnavailable, and whoever
submitted it looks before doing it again. New work connects anew.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pickle
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from xds.errors import StoreUnavailable, XdsError
from xds.ports import PreparedObjects, Transaction
from xds.stores.channel import AuthenticationFailed, Channel, connect, prove
from xds.stores.rows import pack
from xds.stores.writer import QUEUE_SIZE, Writer

T = TypeVar("T")

SUFFIX: Final = ".writer"
_LONGEST_ADDRESS: Final = 100  # bytes of a socket's path (the kernel's limit is 107)
_DRAIN: Final = 60.0  # seconds close() waits for answers
_NUMBER: Final = 8  # bytes of a request's number
_GONE: Final = "the process that writes is gone"

# number, whether it worked, pickled value or error: each by itself, so that one that cannot travel hurts no other
Answer = tuple[int, bool, bytes]


@dataclass(frozen=True, slots=True)
class Door:
    """Where the writer listens and the secret to get in."""

    address: str
    key: bytes

    @classmethod
    def read(cls, database: str) -> Door:
        """What the owner of this database wrote down."""
        try:
            with open(database + SUFFIX, encoding="utf-8") as file:
                content = json.load(file)
            return cls(content["address"], bytes.fromhex(content["key"]))
        except (OSError, ValueError, KeyError):
            raise StoreUnavailable(f"no process has the store {database} open for writing") from None

    @classmethod
    def new(cls, database: str) -> Door:
        address = database + ".sock"
        if len(os.fsencode(address)) > _LONGEST_ADDRESS:
            address = os.path.join(tempfile.mkdtemp(prefix="ihe-xds-"), "writer.sock")
        return cls(address, secrets.token_bytes(32))

    def write(self, database: str) -> None:
        """Renamed into its place, so that nobody reads half of it."""
        path = database + SUFFIX
        descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump({"address": self.address, "key": self.key.hex()}, file)
        os.replace(path + ".new", path)

    def remove(self, database: str) -> None:
        for path in (database + SUFFIX, self.address):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        if not self.address.startswith(database):
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(self.address))


# --------------------------------------------------------------------------- the writer's side


class SharedWriter:
    """A writer that takes work from this process and, over the socket, from others."""

    in_order = True
    settled = True

    def __init__(self, writer: Writer, database: str) -> None:
        self._writer = writer
        self._database = database
        self._door = Door.new(database)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._door.address)  # of an owner that was killed: the store's lock says that it is dead
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self._door.address)
        os.chmod(self._door.address, 0o600)
        self._listener.listen(64)
        self._door.write(database)
        self._guests: set[_Guest] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._accepting = threading.Thread(target=self._accept, name="xds-writer-door", daemon=True)
        self._accepting.start()

    def submit(self, work: Callable[[Transaction], T], prepared: PreparedObjects | None = None) -> Future[T]:
        return self._writer.submit(work, prepared)

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                time.sleep(0 if self._closing else 0.1)  # close() wakes it this way; otherwise out of descriptors
                continue
            guest = _Guest(Channel(connection), self._door.key, self._writer, self._forget)
            with self._lock:
                self._guests.add(guest)
            guest.start()

    def _forget(self, guest: _Guest) -> None:
        with self._lock:
            self._guests.discard(guest)

    def close(self) -> None:
        """Finish what is queued, give the answers, close the door."""
        if self._closing:
            return
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        self._door.remove(self._database)
        self._writer.close()
        with self._lock:
            guests = list(self._guests)
        for guest in guests:
            guest.close()


class _Guest:
    """The connection of one other process."""

    def __init__(self, channel: Channel, key: bytes, writer: Writer, forget: Callable[[_Guest], None]) -> None:
        self._channel = channel
        self._key = key
        self._writer = writer
        self._forget = forget
        self._answers: SimpleQueue[Answer | None] = SimpleQueue()
        self._receiver = threading.Thread(target=self._receive, name="xds-writer-requests", daemon=True)
        self._sender = threading.Thread(target=self._send, name="xds-writer-answers", daemon=True)

    def start(self) -> None:
        self._receiver.start()

    def _receive(self) -> None:
        try:
            # nothing is unpickled before both have proved that they know the secret
            prove(self._channel, self._key, role=b"writer", other=b"guest")
            self._sender.start()
            while True:
                self._take(self._channel.receive())
        except (OSError, EOFError, AuthenticationFailed):
            pass
        finally:
            self._answers.put(None)
            if self._sender.is_alive():
                self._sender.join()
            self._channel.close()
            self._forget(self)

    def _take(self, message: bytes) -> None:
        number = int.from_bytes(message[:_NUMBER])
        try:
            work: Callable[[Transaction], Any] = pickle.loads(memoryview(message)[_NUMBER:])  # noqa: S301 - see above
            future = self._writer.submit(work)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever sent it
            self._answers.put((number, False, _pickled(error, "failed, and its error")))
            return
        future.add_done_callback(lambda done: self._answer(number, done))

    def _answer(self, number: int, done: Future[Any]) -> None:
        error = done.exception()
        if error is not None:
            self._answers.put((number, False, _pickled(error, "failed, and its error")))
            return
        try:
            self._answers.put((number, True, pickle.dumps(done.result())))
        except Exception:  # noqa: BLE001 - pickle raises what it likes
            self._answers.put((number, False, _unpicklable(done.result(), "is done, but its result")))

    def _send(self) -> None:
        """Answers in batches, until the end mark."""
        ended = False
        while not ended:
            batch = [self._answers.get()]
            with contextlib.suppress(Empty):
                while True:
                    batch.append(self._answers.get_nowait())
            ended = None in batch
            answers = [answer for answer in batch if answer is not None]
            try:
                self._channel.send(pickle.dumps(answers))
            except OSError:
                break
        self._channel.hang_up()

    def close(self) -> None:
        """The writer is closed, so every answer is in the queue: give them, then end."""
        self._answers.put(None)
        self._receiver.join(_DRAIN)


def _pickled(error: BaseException, what: str) -> bytes:
    """An error that arrives as itself, or else as a word about it."""
    try:
        message = pickle.dumps(error)
        pickle.loads(message)  # noqa: S301 - our own; many exceptions can be pickled but not rebuilt
    except Exception:  # noqa: BLE001 - pickle raises what it likes
        return _unpicklable(error, what)
    return message


def _unpicklable(value: object, what: str) -> bytes:
    return pickle.dumps(XdsError(f"the work {what} ({type(value).__name__}) cannot travel between processes"))


# --------------------------------------------------------------------------- the other side


class RemoteWriter:
    """``submit`` in a process that does not own the store. Thread-safe."""

    settled = True

    def __init__(self, database: str, *, limit: int = QUEUE_SIZE) -> None:
        self._database = database
        self._limit = limit
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._closed = False
        self._linked_again = False
        self._link = self._connected()

    def _connected(self) -> _Link:
        door = Door.read(self._database)
        try:
            return _Link(connect(door.address, door.key))
        except (OSError, EOFError, AuthenticationFailed):
            raise StoreUnavailable(_GONE) from None

    @property
    def in_order(self) -> bool:
        # what was sent on a link that broke may be read after what comes on the next one
        return not (self._link.broken or self._linked_again)

    def submit(self, work: Callable[[Transaction], T], prepared: PreparedObjects | None = None) -> Future[T]:
        if prepared is not None:
            pack([prepared.rows])  # here: the writer has enough to do for all of us
        message = pickle.dumps(work)
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # once sent it cannot be cancelled
        number = next(self._numbers)
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closing")
            if self._link.broken:
                self._linked_again = True
                self._link = self._connected()
            if len(self._link.waiting) >= self._limit:
                raise StoreUnavailable("too much work is waiting for the store")
            self._link.send(number, message, future)
        return future

    def close(self) -> None:
        """Wait for the answers of what was sent, then hang up."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            link = self._link
        wait(list(link.waiting.values()), timeout=_DRAIN)
        link.close()


class _Link:
    """One connection and the Futures that wait for its answers."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.waiting: dict[int, Future[Any]] = {}
        self.broken = False
        threading.Thread(target=self._receive, name="xds-writer-link", daemon=True).start()

    def send(self, number: int, message: bytes, future: Future[Any]) -> None:
        self.waiting[number] = future
        try:
            self._channel.send(number.to_bytes(_NUMBER) + message)
        except OSError:
            self.broken = True
            self.waiting.pop(number, None)
            raise StoreUnavailable(_GONE) from None
        if self.broken:
            # it broke while this was sent: the receiver may have failed what waits before this was among it
            self._fail()

    def _receive(self) -> None:
        try:
            while True:
                for number, worked, value in pickle.loads(self._channel.receive()):  # noqa: S301 - authenticated
                    _resolve(self.waiting.pop(number), worked, value)
        except (OSError, EOFError):
            pass
        finally:
            self.broken = True
            self._channel.close()
            self._fail()

    def _fail(self) -> None:
        while self.waiting:
            with contextlib.suppress(KeyError):
                _, future = self.waiting.popitem()
                future.set_exception(StoreUnavailable(f"{_GONE}: whether the work is done is not known"))

    def close(self) -> None:
        self._channel.hang_up()


def _resolve(future: Future[Any], worked: bool, message: bytes) -> None:
    try:
        value = pickle.loads(message)  # noqa: S301 - authenticated
    except Exception as error:  # noqa: BLE001 - whoever waits must hear of it
        future.set_exception(error)
        return
    if worked:
        future.set_result(value)
    else:
        future.set_exception(value)
