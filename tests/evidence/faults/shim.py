"""The switches of faults.c: which calls fail, on which files, and what the clock says."""

from __future__ import annotations

import errno
import mmap
import random
import struct
from collections.abc import Sequence
from enum import IntFlag
from pathlib import Path
from typing import Final

from tests.evidence.preload import compiled, preloading

SOURCE: Final = Path(__file__).with_name("faults.c")
_CONTROL: Final = struct.Struct("<qIIIiiIII5QQ")  # as in faults.c
_SWITCHES: Final = struct.Struct("<IIIiiI")  # calls, kinds, chance, left, error, loss
_CLOCK: Final = struct.Struct("<q")
_ALWAYS: Final = 65536


class Calls(IntFlag):
    """The calls that may fail."""

    WRITE = 1
    PWRITE = 2
    FSYNC = 4
    FDATASYNC = 8
    RENAME = 16


WRITING: Final = Calls.WRITE | Calls.PWRITE
SYNCING: Final = Calls.FSYNC | Calls.FDATASYNC
EVERY_CALL: Final = WRITING | SYNCING | Calls.RENAME


class Kinds(IntFlag):
    """The files on which they fail."""

    DATABASE = 1
    WAL = 2
    DOCUMENT = 4
    DIRECTORY = 8
    OTHER = 16


EVERY_KIND: Final = Kinds.DATABASE | Kinds.WAL | Kinds.DOCUMENT | Kinds.DIRECTORY | Kinds.OTHER


class Shim:
    """A program that is started with ``prefix`` has the faults that are switched on here, on the files of ``data``."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.library = compiled(SOURCE, folder)
        self._data = data
        self._path = folder / "control"
        self._path.write_bytes(
            _CONTROL.pack(0, 0, 0, 0, 0, 0, 0, random.getrandbits(32), 0, *(0,) * 6).ljust(4096, b"\0")
        )
        with self._path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 4096)

    def prefix(self, *others: Path, **settings: object) -> Sequence[str]:
        return preloading(self.library, *others, FAULTS_FOLDER=self._data, FAULTS_CONTROL=self._path, **settings)

    def fail(
        self,
        calls: Calls,
        kinds: Kinds = EVERY_KIND,
        *,
        chance: float = 1.0,
        times: int = -1,
        error: int = errno.EIO,
        loss: float = 1.0,
    ) -> None:
        """From now on such calls fail: each with this chance, ``times`` of them (below 0: without end).

        ``loss`` is the chance that a failed fsync loses what it was to sync.
        """
        _SWITCHES.pack_into(self._page, 8, calls, kinds, round(chance * _ALWAYS), times, error, round(loss * _ALWAYS))

    def heal(self) -> None:
        _SWITCHES.pack_into(self._page, 8, 0, 0, 0, 0, 0, 0)

    def set_clock(self, seconds: int) -> None:
        """How far the program's clock is ahead of the true time."""
        _CLOCK.pack_into(self._page, 0, seconds * 10**9)

    def failed(self) -> dict[Calls, int]:
        """How many calls have failed so far."""
        counts = _CONTROL.unpack_from(self._page)[9:14]
        return {call: count for call, count in zip(Calls, counts, strict=True) if count}

    def lost(self) -> int:
        """Bytes that were written and are gone because their fsync failed."""
        return int(_CONTROL.unpack_from(self._page)[-1])
