"""A million entries: what a query costs then, what a start, what the disk, and what a patient with 10,000 documents.

    python -m tests.evidence.scale [--folder DIR] [--districts 10] [--postgresql-districts 5]

An invented region (``tests.benchmarks.region``) is loaded through ``xds.bulk_load``, 100,000 entries first, then all. A
real ``xds serve`` runs on a copy of the small registry, another on the large one; they are asked in turn, so that what
else happens on the machine meets both. The patients asked for are ordinary ones, with 5 to 15 documents, the same
number in both. Interrupted, it goes on in its folder.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from tests.benchmarks.region import District, Region
from tests.evidence import scale_measures as measures
from tests.evidence.server import Server, commit, machine
from xds.registry import DocumentRegistry
from xds.registry.bulk import BATCH, Item, bulk_load
from xds.stores import open_store


@dataclass(frozen=True, slots=True)
class Place:
    """Where a registry of the proof is kept: the folder for ``--data``, and the database when it is not in there."""

    data: Path
    url: str | None = None

    @property
    def database(self) -> str:
        return self.url or f"sqlite:///{self.data / 'registry.sqlite'}"

    @property
    def options(self) -> tuple[str, ...]:
        return () if self.url is None else ("--database", self.url)

    @contextmanager
    def served(self) -> Iterator[Server]:
        server = Server.start(self.data, *self.options)
        try:
            yield server
        finally:
            server.stop()


class Notes:
    """What was measured so far, in a file of the folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.all: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def write(self, name: str, value: Any) -> None:
        self.all[name] = value
        self._path.write_text(json.dumps(self.all, indent=1))


# --------------------------------------------------------------------------- loading


def items(district: District, start: int) -> Iterator[Item]:
    """The patients and submissions of a district from one number on; what comes before is not even written out."""
    residents = district.region.residents
    patients = islice(district.announcements(), min(start, residents), None)
    planned = islice(district.plan(), max(0, start - residents), None)
    return chain(patients, map(district.submission, planned))


def load(place: Place, districts: list[District], notes: Notes, kind: str) -> None:
    place.data.mkdir(parents=True, exist_ok=True)
    with open_store(place.database, documents=place.data / "documents", sweep=False) as store:
        registry = DocumentRegistry(store)
        for district in districts:
            if f"{kind} load {district.number}" in notes.all:
                continue
            started, cpu, first = time.monotonic(), time.process_time(), None
            for progress in bulk_load(registry, lambda start, d=district: items(d, start), name=f"{district.number}"):
                first = progress.number if first is None else first
                if progress.refused:
                    raise RuntimeError(f"{len(progress.refused)} submissions were refused")
            seconds, cpu = time.monotonic() - started, time.process_time() - cpu
            whole = first is not None and first <= BATCH  # not resumed in the middle
            notes.write(f"{kind} load {district.number}", {"seconds": seconds, "cpu": cpu, "whole": whole})
            print(f"{kind}: district {district.number + 1} in {seconds:.0f} s ({cpu:.0f} s of CPU)", flush=True)


def prepare_sqlite(folder: Path, region: Region, notes: Notes) -> tuple[Place, Place]:
    small, large = Place(folder / "small"), Place(folder / "large")
    districts = list(region.districts)
    load(large, districts[:1], notes, "SQLite")
    if not (small.data / "registry.sqlite").exists():
        fresh = folder / "copying"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(large.data, fresh)
        fresh.rename(small.data)
    load(large, districts, notes, "SQLite")
    return small, large


def prepare_postgresql(uri: str, folder: Path, region: Region, notes: Notes) -> tuple[Place, Place]:
    def place(name: str) -> Place:
        url = uri.replace("/postgres?", f"/{name}?").replace("postgresql://", "postgresql+psycopg://")
        return Place(folder / f"postgresql-{name}", url)

    names = measures.postgresql_databases(uri)
    small, large = place("small"), place("large")
    if "large" not in names:
        measures.create_database(uri, "large")
    load(large, list(region.districts)[:1], notes, "PostgreSQL")
    if "small" not in names:
        measures.create_database(uri, "small", template="large")
        shutil.copytree(large.data, small.data, dirs_exist_ok=True)
    load(large, list(region.districts), notes, "PostgreSQL")
    measures.analyse(uri, "large")
    measures.analyse(uri, "small")
    return small, large


# --------------------------------------------------------------------------- measuring


def measure(kind: str, small: Place, large: Place, region: Region, notes: Notes) -> None:
    if f"{kind} queries" not in notes.all:
        with small.served() as few, large.served() as many:
            notes.write(f"{kind} queries", measures.latencies(few, many, region))
            notes.write(f"{kind} heavy", measures.heavy(many, region))
        print(f"{kind}: {notes.all[f'{kind} queries']}\n{notes.all[f'{kind} heavy']}", flush=True)
    if f"{kind} start" not in notes.all:
        notes.write(f"{kind} start", measures.starts(large.served, region))
    if f"{kind} bytes" not in notes.all:
        parts = measures.bytes_of_sqlite if kind == "SQLite" else measures.bytes_of_postgresql
        notes.write(f"{kind} bytes", parts(large.database))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--districts", type=int, default=10, help="of 100,000 entries each")
    parser.add_argument("--postgresql-districts", type=int, default=5)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        notes = Notes(folder / "notes.json")
        region = Region(size=options.districts)
        small, large = prepare_sqlite(folder, region, notes)
        measure("SQLite", small, large, region, notes)
        sizes = {"SQLite": region.size}
        if options.postgresql_districts:
            smaller = Region(size=options.postgresql_districts)
            with measures.postgresql(folder) as uri:
                small, large = prepare_postgresql(uri, folder, smaller, notes)
                measure("PostgreSQL", small, large, smaller, notes)
            sizes["PostgreSQL"] = smaller.size
        text = report(notes.all, sizes)
    print(text)
    if options.report:
        options.report.write_text(text)


def report(notes: dict[str, Any], sizes: dict[str, int]) -> str:
    head = (
        f"# A million entries\n\n{datetime.now(UTC):%Y-%m-%d}, commit {commit()}, {machine()}\n\n"
        "`python -m tests.evidence.scale`: an invented region, loaded by `xds.bulk_load`; a real `xds serve` over"
        " loopback.\n"
    )
    return head + "".join(measures.section(kind, notes, size) for kind, size in sizes.items())


if __name__ == "__main__":
    main()
