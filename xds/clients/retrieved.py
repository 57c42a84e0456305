"""Documents that came back from ITI-43, as streams."""

from __future__ import annotations

import contextlib
import os
import shutil
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import TracebackType

from xds.errors import RegistryError
from xds.metadata.requests import DocumentRequest, RetrievedDocument
from xds.ports import StagedDocument


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


class Document:
    """A document that was retrieved. A large one lies in a temporary file, removed by ``close`` or with the object.

    ``size`` and ``hash`` (SHA-1, lower-case hexadecimal digits) are those of the bytes that came.
    """

    def __init__(self, retrieved: RetrievedDocument) -> None:
        content: StagedDocument = retrieved.content
        self.repository_unique_id = retrieved.repository_unique_id
        self.document_unique_id = retrieved.document_unique_id
        self.home_community_id = retrieved.home_community_id
        self.new_repository_unique_id = retrieved.new_repository_unique_id
        self.new_document_unique_id = retrieved.new_document_unique_id
        self.mime_type = retrieved.mime_type
        self.size = content.size
        self.hash = content.hash
        self._content = content.content
        self._path = content.path
        self._cleanup = weakref.finalize(self, _remove, content.path) if content.path is not None else None

    def __repr__(self) -> str:
        return f"<Document {self.mime_type} {self.size} bytes>"

    def __enter__(self) -> Document:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def chunks(self, size: int = 256 * 1024) -> Iterator[bytes]:
        """The bytes in pieces of at most ``size``; can be read again."""
        if self._content is not None:
            for start in range(0, len(self._content), size):
                yield self._content[start : start + size]
            return
        with open(self._file, "rb") as file:
            while piece := file.read(size):
                yield piece

    def read(self) -> bytes:
        """All bytes, in memory."""
        return self._content if self._content is not None else Path(self._file).read_bytes()

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the bytes to a file, replacing it, and give back its path."""
        target = Path(path)
        if self._content is not None:
            target.write_bytes(self._content)
        else:
            shutil.copyfile(self._file, target)
        return target

    @property
    def _file(self) -> str:
        if self._path is None or (self._cleanup is not None and not self._cleanup.alive):
            raise ValueError("the document is closed")
        return self._path

    def close(self) -> None:
        """Remove the temporary file. What is in memory stays readable."""
        if self._cleanup is not None:
            self._cleanup()


@dataclass(frozen=True, slots=True)
class Missing:
    """A document that was asked for and did not come, and why; ``error`` is the peer's, or says what was seen here."""

    request: DocumentRequest
    error: RegistryError


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What came back for several requests: documents in the order asked, and what is missing."""

    documents: tuple[Document, ...]
    missing: tuple[Missing, ...]
    errors: tuple[RegistryError, ...]  # everything the repositories reported, warnings too
