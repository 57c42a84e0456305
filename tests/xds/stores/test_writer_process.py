"""Work that crosses from one process to the one that writes."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.xds.stores.support import entry, find, register, registering, submission_set
from xds.errors import RequestRejected, StoreUnavailable, XdsError
from xds.ports import Transaction
from xds.stores import SqlStore, open_store
from xds.stores.channel import AuthenticationFailed, Channel, connect, prove
from xds.stores.writer_process import Door, SharedWriter
from xds.vocab.errors import ErrorCode

ROOT = Path(__file__).parents[3]


@pytest.fixture
def owner(sqlite_database: str, opened: Callable[..., SqlStore]) -> SqlStore:
    return opened(sqlite_database, shared=True)


@pytest.fixture
def worker(owner: SqlStore, opened: Callable[..., SqlStore]) -> SqlStore:
    """A store that is not the writer: here in the same process, over the same socket."""
    return opened(owner.url, writer=False)


def value_work(value: object, transaction: Transaction) -> object:
    return value


def lambda_work(transaction: Transaction) -> object:
    return lambda: None


def pid_work(transaction: Transaction) -> int:
    return os.getpid()


def die_work(transaction: Transaction) -> None:
    registering([entry("9.9")])(transaction)
    os.kill(os.getpid(), signal.SIGKILL)


class Peculiar(Exception):
    """An exception that pickle cannot rebuild."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one)


def peculiar_work(transaction: Transaction) -> None:
    raise Peculiar("a", "b")


def test_work_is_done_by_the_owner_and_seen_by_everyone(owner: SqlStore, worker: SqlStore) -> None:
    register(worker, entry("1.1"))
    assert [o.unique_id for o in find(worker)] == ["1.1"]
    assert [o.unique_id for o in find(owner)] == ["1.1"]


def test_results_and_refusals_come_back_as_they_are(worker: SqlStore) -> None:
    assert worker.transaction(partial(value_work, {"a": (1, b"2")})) == {"a": (1, b"2")}
    register(worker, submission_set("1.1"))
    with pytest.raises(RequestRejected) as caught:
        register(worker, submission_set("1.1"))
    assert caught.value.code is ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY
    assert caught.value.errors[0].context == "SubmissionSet uniqueId 1.1"


def test_what_cannot_travel_is_said_and_does_not_stop_the_rest(worker: SqlStore) -> None:
    with pytest.raises(XdsError, match="is done, but its result"):
        worker.transaction(lambda_work)
    with pytest.raises(XdsError, match=r"failed, and its error \(Peculiar\)"):
        worker.transaction(peculiar_work)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        worker.submit(lambda transaction: None)
    assert worker.transaction(partial(value_work, 7)) == 7


def test_many_threads_share_one_connection(worker: SqlStore) -> None:
    results: list[int] = []

    def run(number: int) -> None:
        futures = [worker.submit(partial(value_work, number * 100 + n)) for n in range(50)]
        results.extend(future.result() for future in futures)  # type: ignore[arg-type]

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(n * 100 + m for n in range(8) for m in range(50))


def test_a_large_piece_of_work_gets_through(worker: SqlStore) -> None:
    value = os.urandom(3_000_000)
    assert worker.transaction(partial(value_work, value)) == value


def test_a_worker_that_closes_waits_for_its_answers(worker: SqlStore, owner: SqlStore) -> None:
    futures = [worker.submit(registering([entry(f"1.{n}")])) for n in range(30)]
    worker.close()
    assert all(future.done() and future.exception() is None for future in futures)
    with pytest.raises(StoreUnavailable, match="closing"):
        worker.submit(pid_work)
    assert len(find(owner)) == 30


def test_an_owner_that_closes_gives_the_answers_first(owner: SqlStore, worker: SqlStore) -> None:
    futures = [worker.submit(registering([entry(f"1.{n}")])) for n in range(30)]
    futures[0].result()
    owner.close()
    outcomes = [future.exception() for future in futures]
    assert all(outcome is None or isinstance(outcome, StoreUnavailable) for outcome in outcomes)
    with pytest.raises(StoreUnavailable):
        worker.transaction(pid_work)


def test_without_an_owner_there_is_nothing_to_join(sqlite_database: str, opened: Callable[..., SqlStore]) -> None:
    with pytest.raises(StoreUnavailable, match="no process has the store"):
        opened(sqlite_database, writer=False)


# --------------------------------------------------------------------------- the owner in another process

OWNER = """
import sys
from xds.stores import open_store

store = open_store(sys.argv[1], documents=sys.argv[2], shared=True, sweep=False)
print("open", flush=True)
sys.stdin.read()
store.close()
"""


@pytest.fixture
def owner_process(sqlite_database: str, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with started(sqlite_database, tmp_path) as process:
        yield process
        process.kill()


def started(database: str, tmp_path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", OWNER, database, str(tmp_path / "documents")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    return process


def test_a_writer_that_dies_leaves_its_work_in_doubt_and_what_it_acknowledged_in_place(
    sqlite_database: str, tmp_path: Path, owner_process: subprocess.Popen[bytes], opened: Callable[..., SqlStore]
) -> None:
    worker = opened(sqlite_database, writer=False)
    assert worker.transaction(pid_work) == owner_process.pid
    register(worker, entry("1.1"))
    doubtful = worker.submit(die_work)
    with pytest.raises(StoreUnavailable, match="not known"):
        doubtful.result(30)
    owner_process.wait(30)
    with pytest.raises(StoreUnavailable):
        worker.transaction(pid_work)
    with started(sqlite_database, tmp_path) as second:
        assert worker.transaction(pid_work) == second.pid  # connected anew
        assert [o.unique_id for o in find(worker)] == ["1.1"]
        second.communicate(b"")


def test_a_second_owner_is_refused_in_plain_words(
    sqlite_database: str, owner_process: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    with pytest.raises(StoreUnavailable, match="another process has the store"):
        open_store(sqlite_database, documents=tmp_path / "documents")


# --------------------------------------------------------------------------- the door


def test_the_door_is_for_the_user_only_and_gone_afterwards(owner: SqlStore, sqlite_database: str) -> None:
    path = sqlite_database.removeprefix("sqlite:///")
    door = Door.read(path)
    assert os.stat(path + ".writer").st_mode & 0o077 == 0
    assert os.stat(door.address).st_mode & 0o077 == 0
    owner.close()
    assert not os.path.exists(path + ".writer")
    assert not os.path.exists(door.address)


def test_who_does_not_know_the_secret_is_not_let_in(owner: SqlStore, worker: SqlStore, sqlite_database: str) -> None:
    door = Door.read(sqlite_database.removeprefix("sqlite:///"))
    with pytest.raises((AuthenticationFailed, EOFError, OSError)):
        connect(door.address, b"wrong" * 6)
    stranger = socket.socket(socket.AF_UNIX)
    stranger.connect(door.address)
    stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
    stranger.close()
    assert worker.transaction(partial(value_work, 1)) == 1


def test_a_writer_that_is_an_impostor_gets_no_work() -> None:
    ours, theirs = socket.socketpair()
    guest, impostor = Channel(ours), Channel(theirs)

    def reflect() -> None:
        impostor.send(impostor.receive())  # the guest's own challenge back
        impostor.send(impostor.receive())  # and its own answer

    thread = threading.Thread(target=reflect)
    thread.start()
    with pytest.raises(AuthenticationFailed):
        prove(guest, b"k" * 32, role=b"guest", other=b"writer")
    thread.join()
    guest.close()
    impostor.close()


def test_a_long_path_gets_a_short_address(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90) / "x.sqlite"
    deep.parent.mkdir()

    class Nothing:
        def submit(self, work: Any) -> Any:
            raise AssertionError

        def close(self) -> None: ...

    shared = SharedWriter(Nothing(), str(deep))
    door = Door.read(str(deep))
    assert len(door.address) < 100
    connect(door.address, door.key).close()
    shared.close()
    assert not os.path.exists(os.path.dirname(door.address))


def test_a_channel_carries_messages_of_any_size_and_says_when_it_ends() -> None:
    ours, theirs = (Channel(s) for s in socket.socketpair())
    messages = [b"x", os.urandom(70_000), b"yy"]
    thread = threading.Thread(target=lambda: [ours.send(m) for m in messages])
    thread.start()
    assert [theirs.receive() for _ in messages] == messages
    thread.join()
    ours.close()
    with pytest.raises(EOFError):
        theirs.receive()
    theirs.close()
