"""Documents in files: staging, discarding, and the sweep after a crash."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.xds.stores.support import document_work, entry, no_file_longer_than, register, stage
from xds.errors import RequestRejected, StoreUnavailable
from xds.stores import SqlStore
from xds.stores.documents import SMALL, DocumentFiles
from xds.vocab.errors import ErrorCode

LARGE = os.urandom(SMALL + 1)


def files_of(store: SqlStore) -> list[str]:
    folder = Path(store.documents.folder)
    files = (p for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock" and p != folder / "store")
    return sorted(str(p.relative_to(folder)) for p in files)


@pytest.mark.parametrize("size", [0, 1, 4096, SMALL - 1, SMALL, SMALL + 1, 1_000_000])
def test_bytes_of_any_size_come_back_as_they_were(store: SqlStore, size: int) -> None:
    content = os.urandom(size)
    staged = stage(store, content)
    assert (staged.size, staged.hash) == (size, hashlib.sha1(content).hexdigest())
    assert (staged.path is None) == (size <= SMALL)
    store.transaction(partial(document_work, "1.1", staged))
    document = store.read(lambda r: r.document("1.1"))
    assert document is not None
    assert b"".join(document.chunks(1000)) == content
    assert (document.size, document.hash) == (size, staged.hash)


def test_text_is_kept_compressed_and_noise_is_not(store: SqlStore) -> None:
    text, noise = b"<a>repeated</a>" * 1000, os.urandom(10_000)
    assert stage(store, noise).packed is None
    packed = stage(store, text).packed
    assert packed is not None
    assert len(packed) < len(text) / 5
    store.transaction(partial(document_work, "1.1", stage(store, text)))
    assert getattr(store.read(lambda r: r.document("1.1")), "content", None) == text


def test_a_stage_counts_as_it_goes(store: SqlStore) -> None:
    place = store.stage()
    place.write(b"12345")
    place.write(memoryview(b"678"))
    assert place.size == 8
    place.write(b"x" * SMALL)
    assert place.size == SMALL + 8
    place.discard()


def test_memory_given_to_a_stage_may_be_used_again(store: SqlStore) -> None:
    place, buffer = store.stage(), bytearray(b"first")
    place.write(memoryview(buffer))
    buffer[:] = b"other"
    assert place.finish().content == b"first"


@pytest.mark.parametrize("finished", [False, True])
def test_discarded_bytes_leave_no_file(store: SqlStore, finished: bool) -> None:
    place = store.stage()
    place.write(LARGE)
    assert len(files_of(store)) == 1
    if finished:
        place.finish()
    place.discard()
    assert files_of(store) == []


def test_the_store_discards_only_what_nothing_refers_to(store: SqlStore) -> None:
    kept, lost = stage(store, LARGE), stage(store, LARGE)
    store.transaction(partial(document_work, "1.1", kept))
    for staged in (kept, lost, stage(store, b"small")):
        store.discard(staged)
    assert files_of(store) == [kept.path]


def test_the_same_large_document_again_keeps_the_file_it_has(store: SqlStore) -> None:
    first, second = stage(store, LARGE), stage(store, LARGE)
    store.transaction(partial(document_work, "1.1", first))
    store.transaction(partial(document_work, "1.1", second))
    store.transaction(partial(document_work, "1.1", first))  # work that ran a second time
    store.close()
    assert files_of(store) == [first.path]


def test_other_bytes_under_a_unique_id_in_use_are_refused(store: SqlStore) -> None:
    store.transaction(partial(document_work, "1.1", stage(store, LARGE)))
    other = stage(store, LARGE[::-1])
    with pytest.raises(RequestRejected) as caught:
        store.transaction(partial(document_work, "1.1", other))
    assert caught.value.code is ErrorCode.NON_IDENTICAL_HASH


def test_deleting_a_large_document_removes_its_file_after_the_commit(store: SqlStore) -> None:
    staged = stage(store, LARGE)
    store.transaction(partial(document_work, "1.1", staged))
    store.transaction(lambda t: t.delete_document("1.1"))
    store.close()
    assert files_of(store) == []


def test_deleting_that_is_rolled_back_keeps_the_file(store: SqlStore) -> None:
    staged = stage(store, LARGE)
    store.transaction(partial(document_work, "1.1", staged))

    def work(transaction: object) -> None:
        transaction.delete_document("1.1")  # type: ignore[attr-defined]
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        store.transaction(work)
    store.close()
    assert files_of(store) == [staged.path]


# --------------------------------------------------------------------------- a disk that fails


@pytest.mark.parametrize("pieces", [1, 8], ids=["in one piece", "as it comes"])
def test_a_document_the_disk_does_not_take_is_trouble_of_the_store_and_leaves_no_file(
    store: SqlStore, pieces: int
) -> None:
    content = os.urandom(8 * SMALL)
    place = store.stage()

    def write() -> None:
        for n in range(pieces):
            place.write(content[n * len(content) // pieces : (n + 1) * len(content) // pieces])
        place.finish()

    with no_file_longer_than(2 * SMALL), pytest.raises(StoreUnavailable, match="documents folder failed: EFBIG"):
        write()
    with no_file_longer_than(2 * SMALL):
        place.discard()
    assert files_of(store) == []
    store.transaction(partial(document_work, "1.1", stage(store, content)))


class Syncs:
    """What is synced, by its path below a folder; the call that ``fails`` counts down to fails with EIO."""

    def __init__(self, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._real = os.fsync
        self.paths: list[str] = []
        self.fails = 0
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, descriptor: int) -> None:
        path = os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), self._folder)
        self.fails -= 1
        if self.fails == 0:
            raise OSError(errno.EIO, "Input/output error", path)
        self._real(descriptor)
        self.paths.append(path)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="asks Linux what a descriptor is")
@pytest.mark.parametrize("fails", [1, 2, 3], ids=["its bytes", "its directory's name", "its name"])
def test_a_document_that_could_not_be_synced_is_refused_and_the_next_one_syncs_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    files = DocumentFiles(tmp_path / "documents")
    syncs = Syncs(files.folder, monkeypatch)
    syncs.fails = fails
    place = files.stage()
    place.write(LARGE)
    with pytest.raises(StoreUnavailable, match="EIO"):
        place.finish()
    place.discard()
    directory = hashlib.sha1(LARGE).hexdigest()[:2]
    assert [p for p in Path(files.folder).rglob(f"{files.owner}-*") if p.is_file()] == []
    syncs.paths.clear()
    place = files.stage()
    place.write(LARGE)
    path = place.finish().path
    # of its directory a name was made before: that may not have reached the disk
    assert syncs.paths == [f"staging/{files.owner}-2", *(["."] if fails < 3 else []), directory]
    assert path == f"{directory}/{files.owner}-2"
    files.close()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="asks Linux what a descriptor is")
def test_a_directory_that_a_dead_process_made_is_synced_before_its_first_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = DocumentFiles(tmp_path / "documents")
    directory = hashlib.sha1(LARGE).hexdigest()[:2]
    os.mkdir(files.locate(directory))
    syncs = Syncs(files.folder, monkeypatch)
    for _ in range(2):
        place = files.stage()
        place.write(LARGE)
        place.finish()
    assert syncs.paths.count(".") == 1
    files.close()


def test_a_file_in_doubt_goes_when_the_store_knows_that_nothing_refers_to_it(store: SqlStore) -> None:
    kept, left = stage(store, LARGE), stage(store, LARGE)
    store.transaction(partial(document_work, "1.1", kept))
    for staged in (kept, left):
        store.discard(staged, in_doubt=True)
    assert files_of(store) == sorted([str(kept.path), str(left.path)])  # it may be found done yet
    store.transaction(partial(document_work, "1.2", stage(store, b"small")))
    store.close()
    assert files_of(store) == [str(kept.path)]


def test_a_file_in_doubt_stays_while_the_store_fails(sqlite_store: SqlStore) -> None:
    register(sqlite_store, entry("0.1"))
    left = stage(sqlite_store, LARGE)
    with no_file_longer_than(64):
        with pytest.raises(StoreUnavailable):
            sqlite_store.transaction(partial(document_work, "1.1", left))
        sqlite_store.discard(left, in_doubt=True)
        with pytest.raises(StoreUnavailable):
            sqlite_store.transaction(partial(document_work, "1.2", left))
    assert files_of(sqlite_store) == [left.path]
    register(sqlite_store, entry("0.2"))
    sqlite_store.close()
    assert files_of(sqlite_store) == []


# --------------------------------------------------------------------------- the sweep

CRASHED = """
import os, sys
from functools import partial
from tests.xds.stores.support import document_work, stage
from xds.stores import open_store

store = open_store(sys.argv[1], documents=sys.argv[2], sweep=False)
store.transaction(partial(document_work, "1.1", stage(store, b"committed" * 20_000)))
orphan = stage(store, b"finished" * 20_000)
half = store.stage()
half.write(b"half" * 50_000)
half._file.flush()
print(orphan.path, flush=True)
sys.stdin.read() if len(sys.argv) > 3 else None
os.kill(os.getpid(), 9)
"""


def crashed(database: str, store: SqlStore) -> str:
    command = [sys.executable, "-c", CRASHED, database, store.documents.folder]
    result = subprocess.run(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3], check=False)
    assert result.returncode == -9
    return result.stdout.decode().strip()


def test_the_sweep_removes_what_a_crash_left_and_nothing_else(
    database: str, opened: Callable[..., SqlStore], tmp_path: Path
) -> None:
    opened(database).close()
    store = opened(database) if "postgresql" in database else None
    folder = DocumentFiles(tmp_path / "documents")
    folder.close()
    if store is not None:
        store.close()

    class Place:
        documents = folder

    orphan = crashed(database, Place)  # type: ignore[arg-type]
    store = opened(database)
    mine = stage(store, LARGE)  # of a living owner: its own affair, however old
    assert len(files_of(store)) == 4
    assert store.sweep() == []  # not old enough
    removed = store.sweep(older_than=-1)
    assert len(removed) == 2
    assert orphan in removed
    assert store.sweep(older_than=-1) == []
    document = store.read(lambda r: r.document("1.1"))
    assert document is not None
    assert b"".join(document.chunks()) == b"committed" * 20_000
    assert mine.path in files_of(store)
    assert len(files_of(store)) == 2


def test_files_of_another_living_owner_are_left_alone(tmp_path: Path) -> None:
    mine, theirs = DocumentFiles(tmp_path), DocumentFiles(tmp_path)
    place = theirs.stage()
    place.write(LARGE)
    staged = place.finish()
    assert staged.path is not None
    assert mine.sweep(lambda paths: [], older_than=-1) == []
    theirs.close()
    asked: list[str] = []
    assert mine.sweep(lambda paths: asked.extend(paths) or paths, older_than=-1) == []
    assert asked == [staged.path]  # of a dead owner, but referred to: it stays
    assert mine.sweep(lambda paths: [], older_than=-1) == [staged.path]
    mine.close()


def test_a_sweep_does_not_take_the_name_of_a_process_that_is_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock that is hours ahead its lock file looks old, and it does not hold the lock yet."""
    sweeping = DocumentFiles(tmp_path)
    real, interrupted = fcntl.flock, []

    def flock(descriptor: int, operation: int) -> None:
        if not interrupted:
            interrupted.append(descriptor)
            monkeypatch.setattr(time, "time", lambda: os.stat(descriptor).st_mtime + 36_000)
            sweeping.sweep(lambda paths: [])
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    started = DocumentFiles(tmp_path)
    assert interrupted
    place = started.stage()
    place.write(LARGE)
    place.finish()
    assert sweeping.sweep(lambda paths: [], older_than=-1) == []
    assert sorted(os.listdir(tmp_path / "owners")) == sorted(f"{o.owner}.lock" for o in (sweeping, started))
    for each in (started, sweeping):
        each.close()


def test_files_are_private_to_the_user(tmp_path: Path) -> None:
    files = DocumentFiles(tmp_path / "documents")
    place = files.stage()
    place.write(LARGE)
    path = Path(files.locate(place.finish().path or ""))
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    files.close()
