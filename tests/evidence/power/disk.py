"""What a disk may hold after the power failed: a model of a file system that keeps its promises and nothing more.

POSIX promises that after fsync the content of a file is there, and after fsync of a directory the names in it. Of what
was not synced, any part may be there: each sector of each write for itself, each cut of a file, and of the changes to
the names in a directory any first few.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the recorder's log, or an acknowledgement that a client noted there (kind ``a``)."""

    kind: str
    numbers: tuple[int, ...] = ()
    texts: tuple[bytes, ...] = ()


def read_log(path: Path) -> Iterator[Record]:
    """The records in order; a last one that was cut off by the death of its process is left out."""
    data, position = path.read_bytes(), 0
    while position < len(data):
        kind, position = chr(data[position]), position + 1
        numbers: list[int] = []
        texts: list[bytes] = []
        while True:
            end = position
            while end < len(data) and data[end] in b"-0123456789":
                end += 1
            if end == len(data):
                return
            number, mark = int(data[position:end]), data[end : end + 1]
            position = end + 1
            if mark == b":":
                if position + number >= len(data):
                    return
                texts.append(data[position : position + number])
                mark, position = data[position + number : position + number + 1], position + number + 1
            else:
                numbers.append(number)
            if mark == b"\n":
                break
            if mark != b" ":
                raise ValueError(f"the log is damaged at {position}")
        yield Record(kind, tuple(numbers), tuple(texts))


@dataclass(slots=True, eq=False)
class File:
    """Content that is safe, and what was done since: (offset, bytes) or the new size."""

    safe: bytearray = field(default_factory=bytearray)
    since: list[tuple[int, bytes] | int] = field(default_factory=list)

    def sync(self) -> None:
        for change in self.since:
            _apply(self.safe, change)
        self.since.clear()

    def survived(self, r: random.Random, share: float) -> bytes:
        content = bytearray(self.safe)
        for change in self.since:
            if isinstance(change, int):
                if r.random() < share:
                    _apply(content, change)
                continue
            offset, data = change
            while data:
                size = SECTOR - offset % SECTOR
                if r.random() < share:
                    _apply(content, (offset, data[:size]))
                offset, data = offset + size, data[size:]
        return bytes(content)


def _apply(content: bytearray, change: tuple[int, bytes] | int) -> None:
    if isinstance(change, int):
        del content[change:]
        content.extend(bytes(change - len(content)))
        return
    offset, data = change
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


Names = dict[str, File | None]  # path → file, None for a directory


@dataclass(frozen=True, slots=True, eq=False)
class Naming:
    """One change of names; a rename is in the directories of both."""

    directories: frozenset[str]
    gone: str | None
    there: str | None
    file: File | None

    def apply(self, names: Names) -> None:
        if self.gone is not None:
            names.pop(self.gone, None)
        if self.there is not None:
            names[self.there] = self.file


class Disk:
    """The folder ``root`` as its processes see it, and what of it is safe."""

    def __init__(self, root: Path) -> None:
        """What is there now counts as safe."""
        self._root = str(root)
        self._files: dict[int, File] = {}  # by inode
        self._names: Names = {}
        for path in sorted(root.rglob("*")) if root.is_dir() else []:
            if path.is_dir():
                self._names[str(path)] = None
            else:
                file = self._files[path.stat().st_ino] = File(bytearray(path.read_bytes()))
                self._names[str(path)] = file
        self._safe: Names = dict(self._names)
        self._since: list[Naming] = []

    def play(self, record: Record) -> None:
        """One step of the recording."""
        paths = [text.decode() for text in record.texts] if record.kind in "orlum" else []
        match record.kind:
            case "o":
                inode, existed = record.numbers
                if not existed:
                    self._files[inode] = File()
                    self._name(None, paths[0], self._files[inode])
            case "m":
                self._name(None, paths[0], None)
            case "w":
                inode, offset = record.numbers
                self._files[inode].since.append((offset, record.texts[0]))
            case "t":
                inode, size = record.numbers
                self._files[inode].since.append(size)
            case "s":
                self._sync(record.numbers[0], record.texts[0].decode())
            case "r":
                self._name(paths[0], paths[1], self._names[paths[0]])
            case "l":
                self._name(None, paths[1], self._names[paths[0]])
            case "u":
                self._name(paths[0], None, None)

    def _name(self, gone: str | None, there: str | None, file: File | None) -> None:
        directories = frozenset(path.rpartition("/")[0] for path in (gone, there) if path is not None)
        naming = Naming(directories, gone, there, file)
        naming.apply(self._names)
        self._since.append(naming)

    def _sync(self, inode: int, path: str) -> None:
        if inode in self._files and self._names.get(path, ...) is not None:
            self._files[inode].sync()
            return
        for naming in self._since:
            if path in naming.directories:
                naming.apply(self._safe)
        self._since = [naming for naming in self._since if path not in naming.directories]

    def survived(self, r: random.Random, share: float, target: Path) -> None:
        """Put into ``target`` what is left when the power fails now; ``share`` of what was not synced survives."""
        names = dict(self._safe)
        for directory in sorted({d for naming in self._since for d in naming.directories}):
            changes = [naming for naming in self._since if directory in naming.directories]
            for naming in changes[: round(len(changes) * r.random() * share * 1.2)]:
                naming.apply(names)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True, mode=0o700)
        for path, file in sorted(names.items()):
            own = target / path.removeprefix(self._root).lstrip("/")
            if path == self._root or not own.parent.is_dir():
                continue  # its directory did not survive
            if file is None:
                own.mkdir(mode=0o700, exist_ok=True)
            else:
                own.write_bytes(file.survived(r, share))
