"""A real disk that is small: a tmpfs, or an ext4 in a file; filled and freed again while a server works on it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

MIB: Final = 2**20
FILE_SYSTEMS: Final = ("tmpfs", "ext4")
_PIECE: Final = bytes(64 * 1024)


def can_mount(folder: Path) -> bool:
    """Whether this user may mount a tmpfs here."""
    place = folder / "may-mount"
    place.mkdir(parents=True, exist_ok=True)
    try:
        SmallDisk(place, "tmpfs", 1, folder).unmount()
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def can_loop() -> bool:
    """Whether an ext4 in a file can be made and mounted here."""
    return shutil.which("mkfs.ext4") is not None and Path("/dev/loop-control").exists()


class SmallDisk:
    """Mounted at ``place``. A reserve takes up ``reserve`` of it until ``free``: what the load may need afterwards."""

    def __init__(self, place: Path, file_system: str, megabytes: int, folder: Path, *, reserve: float = 0.0) -> None:
        self.place = place
        self._image = folder / f"{place.name}.img"
        self._fillers: list[Path] = []
        place.mkdir(parents=True, exist_ok=True)
        if file_system == "ext4":
            with self._image.open("wb") as file:
                file.truncate(megabytes * MIB)
            _run("mkfs.ext4", "-q", "-m", "0", "-E", "root_owner", str(self._image))
            _run("mount", "-o", "loop", str(self._image), str(place))
        else:
            _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "xds-faults", str(place))
        if reserve:
            self.fill(leave=round(megabytes * MIB * (1 - reserve)))

    def fill(self, *, leave: int) -> None:
        """Take all but ``leave`` bytes of what is free."""
        filler = self.place / f"filler.{len(self._fillers)}"
        self._fillers.append(filler)
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while (there := self._free()) > leave:
                file.write(_PIECE[: max(1, min(len(_PIECE), there - leave))])

    def _free(self) -> int:
        found = os.statvfs(self.place)
        return found.f_bavail * found.f_frsize

    def free(self, *, keep: int = 0) -> None:
        """Give back all but the first ``keep`` fillings."""
        while len(self._fillers) > keep:
            self._fillers.pop().unlink()

    def unmount(self) -> None:
        _run("umount", str(self.place))
        self._image.unlink(missing_ok=True)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
