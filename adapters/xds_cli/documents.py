"""``xds submit`` and ``xds get``: documents to and from any XDS.b endpoint."""

from __future__ import annotations

import mimetypes
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from xds.clients.documents import DocumentConsumer, DocumentSource
from xds.metadata.requests import DocumentRequest
from xds.metadata.submission_set import SubmissionSet
from xds_cli.describing import Described, describe, described_files
from xds_cli.output import print_errors, print_json, print_table, size_text
from xds_cli.peer import exchange
from xds_cli.reading import DEFAULT_CODES, Refused, WrongInput, explained, read_code, read_patient
from xds_cli.relations import Relations, relate

# --------------------------------------------------------------------------- submit


def submit(
    files: Sequence[Path],
    described: Described,
    relations: Relations,
    *,
    repository: str,
    registry: str,
    timeout: float,
    mtom: bool,
    as_json: bool,
) -> None:
    """Submit files as one submission; raises WrongInput, Refused."""
    for path in files:
        if not path.is_file():
            raise WrongInput(f"{path}: there is no such file")
    relations.check(len(files))
    patient, documents = described_files(files, described)
    submission_set = SubmissionSet(
        patient_id=patient,
        source_id=described.source_id,
        content_type_code=described.code("content_type_code"),
    )
    with explained("submit", as_json=as_json):
        related = relate(
            relations,
            [entry for entry, _ in documents],
            folder_code=described.code("folder_code"),
            registry=registry,
            timeout=timeout,
        )
    total = sum(path.stat().st_size for path in files)
    with (
        explained("submit", as_json=as_json),
        progress("submitting", total, shown=not as_json) as step,
        exchange(repository, timeout=timeout, on_sent=step) as peer,
    ):
        response = DocumentSource(peer).submit(
            submission_set,
            documents,
            folders=related.folders,
            associations=related.associations,
            references=related.references,
            mtom=mtom,
        )
    rows: list[dict[str, Any]] = [
        {
            "file": str(path),
            "unique_id": entry.unique_id,
            "entry_uuid": entry.entry_uuid,
            "mime_type": entry.mime_type,
            "size": path.stat().st_size,
            "submission_set": submission_set.unique_id,
            "folders": [folder.entry_uuid for folder in related.folders],
        }
        for entry, path in documents
    ]
    if as_json:
        print_json(rows)
        return
    table = ((row["file"], row["unique_id"], row["mime_type"], size_text(row["size"])) for row in rows)
    print_table(("file", "uniqueId", "mimeType", "size"), table)
    for warning in response.errors:
        print_errors("submit", "accepted, with a warning", [warning], as_json=False)


def _no_step(_: int) -> None:
    """Nobody watches."""


_WORTH_A_BAR: Final = 4_000_000  # bytes


@contextmanager
def progress(what: str, total: int | None, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal for work that takes a while; nothing for small work, pipes and JSON.

    Without a ``total`` it counts only.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not shown or (total or _WORTH_A_BAR) < _WORTH_A_BAR or not console.is_terminal:
        yield _no_step
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    with Progress(
        TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)


# --------------------------------------------------------------------------- get


def get(
    unique_id: str,
    *,
    repository_unique_id: str,
    home: str | None,
    output: str | None,
    repository: str,
    timeout: float,
    as_json: bool,
) -> None:
    """Retrieve one document into a file, or to standard output with ``-``; raises WrongInput, Refused."""
    request = DocumentRequest(repository_unique_id, unique_id, home)
    with (
        explained("get", as_json=as_json),
        progress("receiving", None, shown=not as_json and output != "-") as step,
        exchange(repository, timeout=timeout, on_received=step) as peer,
    ):
        document = DocumentConsumer(peer, peer).retrieve(request)
    with document:
        if output == "-":
            with open(1, "wb", closefd=False) as out:
                for chunk in document.chunks():
                    out.write(chunk)
            return
        target = Path(output or unique_id + (mimetypes.guess_extension(document.mime_type) or ""))
        if target.is_dir():
            target /= unique_id + (mimetypes.guess_extension(document.mime_type) or "")
        _write(document.chunks(), target)
        row = {
            "file": str(target),
            "unique_id": unique_id,
            "mime_type": document.mime_type,
            "size": document.size,
            "hash": document.hash,
        }
    if as_json:
        print_json([row])
    else:
        print_table(
            ("file", "mimeType", "size", "SHA-1"),
            [(str(target), document.mime_type, size_text(document.size), document.hash)],
        )


def _write(chunks: Iterable[bytes], target: Path) -> None:
    """Whole or not at all: beside the target first, then renamed into its place."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise WrongInput(f"--output {target}: {error.strerror}") from None
    try:
        with open(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, target)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise WrongInput(f"--output {target}: {error.strerror}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


__all__ = ["DEFAULT_CODES", "Refused", "WrongInput", "describe", "get", "read_code", "read_patient", "submit"]
