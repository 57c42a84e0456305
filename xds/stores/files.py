"""What differs between operating systems: locks that end with their process, and syncing a directory."""

from __future__ import annotations

import contextlib
import os
import sys
from types import TracebackType

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def sync_directory(path: str) -> None:
        """Windows has no way to sync a directory; renames are journalled by NTFS."""

    def _unlink_locked(lock: FileLock) -> None:
        lock.release()  # what is open cannot be removed here
        os.unlink(lock.path)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def sync_directory(path: str) -> None:
        """Make names created in, renamed in or removed from a directory durable."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _unlink_locked(lock: FileLock) -> None:
        os.unlink(lock.path)


class FileLock:
    """An exclusive lock that the operating system releases when the process ends, however it ends.

    BlockingIOError (an OSError) when another process, or another FileLock of this one, holds it. The file stays.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(self._descriptor)
        except OSError:
            os.close(self._descriptor)
            raise

    def release(self) -> None:
        """Give the lock up; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def remove_unlocked(path: str) -> None:
    """Remove a lock file that nobody holds. Whoever opened it meanwhile locks a file that is gone."""
    with contextlib.suppress(OSError), FileLock(path) as lock:
        _unlink_locked(lock)


def is_locked(path: str) -> bool:
    """Whether somebody holds the lock at ``path`` now."""
    try:
        FileLock(path).release()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
