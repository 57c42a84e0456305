"""Document bytes: staged in memory or in files, kept in files when large (DESIGN: documents are streams).

Layout of the folder::

    owners/<owner>.lock         held while the process that staged under this name lives
    staging/<owner>-<n>         being written
    <hh>/<owner>-<n>            complete and synced; <hh> are the first digits of the SHA-1
    store                       the identity of the database whose documents these are

A file's name carries its *owner*, the start of a process. Files of a living owner are its own affair. A file of a dead
one that nothing refers to is what a crash between the rename and the commit left: :meth:`DocumentFiles.sweep` removes
it when it is old enough that no work which mentions it can still be under way.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from xds.errors import StoreUnavailable
from xds.ports import StagedDocument
from xds.stores.compression import compressed
from xds.stores.files import FileLock, is_locked, remove_unlocked, sync_directory

SMALL: Final = 100_000  # bytes; up to here a document is a row, beside its metadata
_SWEEP_AGE: Final = 3600.0  # seconds
_SWEEP_BATCH: Final = 256  # files looked up at once
_BUFFER: Final = 256 * 1024


class DocumentFiles:
    """The folder, as one process sees it. Thread-safe."""

    def __init__(self, folder: str | os.PathLike[str], *, small: int = SMALL) -> None:
        self.folder = os.path.abspath(folder)
        self.small = small
        self._numbers = itertools.count(1)
        self._made: set[str] = set()
        self._making = threading.Lock()
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        for name in ("owners", "staging"):
            os.makedirs(os.path.join(self.folder, name), mode=0o700, exist_ok=True)
        self.owner, self._lock = self._become_owner()

    def _become_owner(self) -> tuple[str, FileLock]:
        """A name, and the lock that says it lives."""
        while True:
            owner = secrets.token_hex(8)
            path = self._lock_path(owner)
            # a sweep that comes between may hold the lock for a moment, or take the file for one that was left
            with contextlib.suppress(BlockingIOError):
                lock = FileLock(path)
                if os.path.exists(path):
                    return owner, lock
                lock.release()

    def _lock_path(self, owner: str) -> str:
        return os.path.join(self.folder, "owners", f"{owner}.lock")

    def belong_to(self, identity: int) -> None:
        """Tie the folder to its database, the first time; StoreUnavailable when it belongs to another one.

        A sweep removes what its database does not refer to: with the wrong database that would be everything.
        """
        path = self.locate("store")
        text = f"{identity:016x}\n"
        if not os.path.exists(path) and next(self._files(), None) is None:
            fresh = self.locate(f"store.{self.owner}")
            with open(fresh, "x", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # another process of the same store was quicker
                os.link(fresh, path)
            os.unlink(fresh)
            sync_directory(self.folder)
        try:
            with open(path, encoding="ascii") as file:
                belongs = file.read() == text
        except FileNotFoundError:
            belongs = False  # files that nobody has tied to a database
        if not belongs:
            raise StoreUnavailable(
                f"the documents in {self.folder} belong to another database: name that one, or another folder"
            )

    def locate(self, path: str) -> str:
        """The absolute path of a document file."""
        return os.path.join(self.folder, path)

    def stage(self) -> FileStage:
        return FileStage(self)

    def new_name(self) -> str:
        return f"{self.owner}-{next(self._numbers):x}"

    def place(self, name: str, hash_: str) -> str:
        """The relative path a finished file gets; makes its directory, durably."""
        directory = hash_[:2]
        if directory not in self._made:
            with self._making:
                os.makedirs(self.locate(directory), mode=0o700, exist_ok=True)
                # also one that was there: whoever made it may have died, or failed, before it was synced
                sync_directory(self.folder)
                self._made.add(directory)
        return f"{directory}/{name}"

    def remove(self, path: str) -> None:
        """Unlink a file that nothing refers to; one that is gone already is no error."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.locate(path))

    def sweep(
        self, referenced: Callable[[Collection[str]], Collection[str]], *, older_than: float = _SWEEP_AGE
    ) -> list[str]:
        """Remove what dead owners left and nothing refers to; returns the relative paths.

        ``referenced`` gives those of some paths that a document has; it is asked again right before each unlink.
        ``older_than`` is in seconds since the last write.
        """
        living: dict[str, bool] = {}
        removed = []
        candidates = self._left_behind(time.time() - older_than, living)
        while batch := list(itertools.islice(candidates, _SWEEP_BATCH)):
            kept = set(referenced(batch))
            for path in batch:
                if path in kept or (not path.startswith("staging/") and referenced([path])):
                    continue
                self.remove(path)
                removed.append(path)
        self._forget_owners(living)
        return removed

    def _left_behind(self, before: float, living: dict[str, bool]) -> Iterator[str]:
        """Files of dead owners that nobody has written since ``before``."""
        for path in self._files():
            owner = os.path.basename(path).partition("-")[0]
            if not self._alive(owner, living) and self._older(path, before):
                yield path

    def _alive(self, owner: str, known: dict[str, bool]) -> bool:
        if owner not in known:
            known[owner] = owner == self.owner or (
                os.path.exists(self._lock_path(owner)) and is_locked(self._lock_path(owner))
            )
        return known[owner]

    def _older(self, path: str, before: float) -> bool:
        try:
            return os.stat(self.locate(path)).st_mtime < before
        except FileNotFoundError:
            return False

    def _files(self) -> Iterator[str]:
        for directory in sorted(os.listdir(self.folder)):
            if directory == "staging" or (len(directory) == 2 and os.path.isdir(self.locate(directory))):
                for name in sorted(os.listdir(self.locate(directory))):
                    yield f"{directory}/{name}"

    def _forget_owners(self, living: dict[str, bool]) -> None:
        """Lock files of dead owners have no use once their files are swept or referenced."""
        for name in os.listdir(os.path.join(self.folder, "owners")):
            owner = name.removesuffix(".lock")
            path = self._lock_path(owner)
            # an old one only: a process that is starting makes the file before it has the lock
            if self._older(path, time.time() - _SWEEP_AGE) and not self._alive(owner, living):
                remove_unlocked(path)

    def close(self) -> None:
        self._lock.release()
        if not any(Path(self.folder, "staging").glob(f"{self.owner}-*")):
            self.remove(self._lock_path(self.owner))


@contextlib.contextmanager
def _unavailable() -> Iterator[None]:
    """What the disk refuses is the store's trouble, not a bug; its paths are nobody's affair."""
    try:
        yield
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, type(error).__name__)
        raise StoreUnavailable(f"the documents folder failed: {name}") from error


class FileStage:
    """``ports.Stage``: memory while small, then a file in ``staging``. StoreUnavailable when the disk fails."""

    __slots__ = ("_file", "_files", "_hash", "_name", "_pieces", "_place", "_size")

    def __init__(self, files: DocumentFiles) -> None:
        self._files = files
        self._hash = hashlib.sha1(usedforsecurity=False)  # what the attribute hash is (ITI TF-3, 4.2.3.2.10)
        self._size = 0
        self._pieces: list[bytes] = []
        self._file: BinaryIO | None = None
        self._name = ""
        self._place: str | None = None

    @property
    def size(self) -> int:
        return self._size

    def write(self, data: bytes | memoryview) -> None:
        self._hash.update(data)
        self._size += len(data) if isinstance(data, bytes) else data.nbytes
        if self._file is None:
            self._pieces.append(bytes(data))
            if self._size > self._files.small:
                with _unavailable():
                    self._spill()
        else:
            with _unavailable():
                self._file.write(data)

    def _spill(self) -> None:
        self._name = self._files.new_name()
        # not a with: the file stays open between writes
        self._file = open(self._files.locate(f"staging/{self._name}"), "xb", buffering=_BUFFER)  # noqa: SIM115
        os.chmod(self._file.fileno(), 0o600)
        self._file.writelines(self._pieces)
        self._pieces.clear()

    def finish(self) -> StagedDocument:
        hash_ = self._hash.hexdigest()
        if self._file is None:
            content = b"".join(self._pieces)
            return StagedDocument(self._size, hash_, content, packed=compressed(content))
        with _unavailable():
            return StagedDocument(self._size, hash_, path=self._kept(self._file, hash_))

    def _kept(self, file: BinaryIO, hash_: str) -> str:
        file.flush()
        os.fsync(file.fileno())
        file.close()
        place = self._files.place(self._name, hash_)
        absolute = self._files.locate(place)
        os.rename(self._files.locate(f"staging/{self._name}"), absolute)
        self._place = place
        sync_directory(os.path.dirname(absolute))
        return place

    def discard(self) -> None:
        self._pieces.clear()
        if self._file is None:
            return
        with contextlib.suppress(OSError):  # closing writes what was buffered, and a full disk does not take it
            self._file.close()
        with contextlib.suppress(OSError):  # a disk that fails keeps the file, for the sweep
            self._files.remove(self._place or f"staging/{self._name}")
