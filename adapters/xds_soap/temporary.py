"""Where a client puts the documents it receives: small ones in memory, large ones in temporary files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from typing import IO

from xds.ports import StagedDocument
from xds_soap.limits import MIB


class TemporaryStage:
    """A ``ports.Stage`` that is durable for nobody: what it holds is gone with the process or with ``discard``.

    The ``path`` of a large document is absolute; whoever takes it removes the file.
    """

    def __init__(self, *, in_memory: int = MIB) -> None:
        self._in_memory = in_memory
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._path: str | None = None
        self._size = 0
        self._hash = hashlib.sha1(usedforsecurity=False)  # what DocumentEntry.hash is (ITI TF-3, 4.2.3.2.10)

    @property
    def size(self) -> int:
        return self._size

    def write(self, data: bytes | memoryview) -> None:
        self._hash.update(data)
        self._size += len(data)
        if self._file is None and self._size > self._in_memory:
            self._spill()
        if self._file is None:
            self._pieces.append(bytes(data))
        else:
            self._file.write(data)

    def _spill(self) -> None:
        descriptor, self._path = tempfile.mkstemp(prefix="xds-")
        self._file = os.fdopen(descriptor, "wb", buffering=MIB)
        self._file.writelines(self._pieces)
        self._pieces = []

    def finish(self) -> StagedDocument:
        if self._file is None:
            return StagedDocument(self._size, self._hash.hexdigest(), content=b"".join(self._pieces))
        self._file.close()
        return StagedDocument(self._size, self._hash.hexdigest(), path=self._path)

    def discard(self) -> None:
        self._pieces = []
        if self._file is not None:
            with contextlib.suppress(OSError):  # closing writes what was buffered, and a full disk does not take it
                self._file.close()
        if self._path is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
