"""What both databases' writers share: jobs, the bounded queue before them, and how Futures are resolved."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol, TypeVar

from xds.errors import StoreUnavailable, XdsError
from xds.ports import PreparedObjects, Transaction
from xds.stores.rows import pack

T = TypeVar("T")

QUEUE_SIZE: Final = 10_000  # pieces of work that may wait; more are refused


@dataclass(slots=True, eq=False)
class Job:
    """A piece of work and the Future of whoever waits for it."""

    work: Callable[[Transaction], Any]
    future: Future[Any]
    prepared: PreparedObjects | None = None  # what it will insert
    submitted: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Outcome:
    """What became of a job: a value, or the error that its Future raises."""

    job: Job
    value: Any = None
    error: BaseException | None = None

    def tell(self) -> None:
        if self.error is None:
            self.job.future.set_result(self.value)
        else:
            if isinstance(self.error, XdsError):
                # an expected one needs no traceback, whose frames hold the job, and the job the Future that holds it
                self.error.__traceback__ = None
            self.job.future.set_exception(self.error)
            self.error = None


class Writer(Protocol):
    """Where ``SqlStore.submit`` leads: the writer in this process or a way to the one in another."""

    @property
    def in_order(self) -> bool:
        """Whether work that failed can no longer be found done once work that was submitted after it is committed."""

    @property
    def settled(self) -> bool:
        """False while that must be waited for longer: a COMMIT that got no answer may be carried out yet."""

    def submit(self, work: Callable[[Transaction], T], prepared: PreparedObjects | None = None) -> Future[T]: ...

    def close(self) -> None: ...


class JobQueue:
    """A bounded first-in-first-out queue. After ``close`` nothing goes in and everything in it still comes out."""

    def __init__(self, size: int = QUEUE_SIZE) -> None:
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._size = size
        self._closed = False
        self._lock = threading.Lock()  # no job may be put behind the end mark

    def put(self, work: Callable[[Transaction], T], prepared: PreparedObjects | None = None) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closing")
            if self._queue.qsize() >= self._size:
                raise StoreUnavailable("too much work is waiting for the store")
            self._queue.put(Job(work, future, prepared))
        return future

    def close(self, readers: int = 1) -> bool:
        """No more work; each of ``readers`` gets the end mark. False when it was closed before."""
        with self._lock:
            if self._closed:
                return False
            self._closed = True
            for _ in range(readers):
                self._queue.put(None)
        return True

    def get(self, timeout: float | None = None) -> Job | None:
        """The next job, None at the end; ``queue.Empty`` after ``timeout`` seconds."""
        return self._queue.get(timeout=timeout)

    def drain(self, most: int) -> tuple[list[Job], bool]:
        """What waits now, at most ``most`` jobs, and whether the end mark was among it."""
        jobs: list[Job] = []
        try:
            while len(jobs) < most:
                job = self._queue.get_nowait()
                if job is None:
                    return jobs, True
                jobs.append(job)
        except Empty:
            pass
        return jobs, False


def started(jobs: Iterable[Job]) -> list[Job]:
    """The jobs that nobody cancelled; from here on they cannot be."""
    return [job for job in jobs if job.future.set_running_or_notify_cancel()]


def pack_what_they_insert(jobs: Iterable[Job]) -> None:
    """Compress, all at once, what these jobs said they will insert."""
    pack([job.prepared.rows for job in jobs if job.prepared is not None])
