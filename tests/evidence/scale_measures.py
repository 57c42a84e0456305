"""What ``scale`` measures: two servers side by side, a heavy patient, starts, bytes on disk; and how it is told."""

from __future__ import annotations

import random
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.benchmarks.region import Region
from tests.benchmarks.region_words import LOCAL
from tests.evidence import messages
from tests.evidence.postgresql import PostgreSql
from tests.evidence.server import Server, memory_mb, post

PATIENTS: Final = 1_000  # asked for again and again
ROUND: Final = 100  # queries to one server before the other has its turn
ROUNDS: Final = 100
FIRST: Final = 3_000  # patients asked for once
LEAST, MOST = 5, 15  # documents of an ordinary patient
SUCCESS: Final = b"ResponseStatusType:Success"
P50, P99, KB, START = 1.3, 1.5, 2000, 2.0  # what is allowed: ratios, bytes, seconds


# --------------------------------------------------------------------------- queries


def ordinary(region: Region, districts: int, number: int, seed: int) -> list[str]:
    """Identifiers of residents with an ordinary number of documents, from all of the first ``districts``."""
    found: list[str] = []
    for district in list(region.districts)[:districts]:
        counts = district.documents()
        found += [p for p, count in zip(district.patients(), counts, strict=True) if LEAST <= count <= MOST]
    return random.Random(seed).sample(found, number)


def both_statuses(body: bytes) -> bytes:
    """A query for Approved documents made one for Deprecated ones too."""
    approved = b"('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"
    assert approved in body
    return body.replace(approved, approved[:-1] + b",'urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated')")


def query(patient: str, *, return_type: str = "LeafClass") -> bytes:
    """Every document of a patient."""
    return both_statuses(messages.iti18(patient.replace("&", "&amp;"), return_type=return_type))


def mixed(patient: str, number: int) -> bytes:
    """One of the usual queries: everything, what is Approved, and of that what is of a class and not restricted."""
    approved = messages.iti18(patient.replace("&", "&amp;"))
    filters = b"".join(
        b'<rim:Slot name="%s"><rim:ValueList><rim:Value>(%s)</rim:Value></rim:ValueList></rim:Slot>' % (name, values)
        for name, values in _FILTERS.items()
    )
    filtered = approved.replace(b"</rim:AdhocQuery>", filters + b"</rim:AdhocQuery>")
    return (both_statuses(approved), approved, filtered)[number % 3]


_FILTERS: Final = {
    b"$XDSDocumentEntryClassCode": b"'REPORT^^%s','SUMMARY^^%s'" % (LOCAL.encode(), LOCAL.encode()),
    b"$XDSDocumentEntryConfidentialityCode": b"'N^^2.16.840.1.113883.5.25'",
}


def asked(server: Server, patients: Sequence[str]) -> tuple[list[float], int]:
    """Seconds of one query of the mix for each of these patients, over one connection; how many entries came."""
    latencies, entries = [], 0
    with closing(server.connect()) as connection:
        for number, patient in enumerate(patients):
            body = mixed(patient, number)
            started = time.perf_counter()
            answer = post(connection, "/registry", body, mtom=False)
            latencies.append(time.perf_counter() - started)
            assert SUCCESS in answer, answer[:300]
            entries += answer.count(b"<rim:ExtrinsicObject ")
    return latencies, entries


def latencies(few: Server, many: Server, region: Region) -> dict[str, Any]:
    """p50 and p99 in ms of both servers, of patients asked for the first time and of patients asked for again."""
    servers = {"small": (few, 1), "large": (many, region.size)}
    result: dict[str, Any] = {}
    for name, patients_of in (("first", 1), ("again", 2)):
        seconds: dict[str, list[float]] = {"small": [], "large": []}
        entries = dict.fromkeys(servers, 0)
        number = PATIENTS if name == "again" else FIRST
        chosen = {key: ordinary(region, size, number, patients_of) for key, (_, size) in servers.items()}
        if name == "again":
            for key, (server, _) in servers.items():
                asked(server, chosen[key])
        for turn in range(ROUNDS if name == "again" else FIRST // ROUND):
            for key, (server, _) in servers.items():
                start = turn * ROUND % number
                more, found = asked(server, chosen[key][start : start + ROUND])
                seconds[key] += more
                entries[key] += found
        for key, values in seconds.items():
            result[f"{key} {name}"] = {
                "p50": quantile(values, 0.5),
                "p99": quantile(values, 0.99),
                "queries": len(values),
                "entries": entries[key] / len(values),
            }
    return result


def quantile(seconds: Sequence[float], share: float) -> float:
    """In ms."""
    return sorted(seconds)[int(len(seconds) * share)] * 1000


# --------------------------------------------------------------------------- a heavy patient


class Peak:
    """The most resident memory while something runs."""

    def __init__(self, pid: int) -> None:
        self._pid, self.most, self._running = pid, memory_mb(pid), True
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while self._running:
            self.most = max(self.most, memory_mb(self._pid))
            time.sleep(0.005)

    def end(self) -> float:
        self._running = False
        self._thread.join()
        return self.most


def heavy(server: Server, region: Region) -> list[dict[str, Any]]:
    """The patient with 10,000 documents, asked for by a client that reads as it comes; memory of the server in MB."""
    patient = next(next(region.districts).patients())
    rows = []
    for return_type in ("ObjectRef", "LeafClass", "LeafClass"):
        before, peak, started = memory_mb(server.pid), Peak(server.pid), time.monotonic()
        size = count = 0
        with closing(server.connect(timeout=300)) as connection:
            body = query(patient, return_type=return_type)
            connection.request("POST", "/registry", body, {"Content-Type": messages.SOAP_TYPE})
            response, tail = connection.getresponse(), b""
            first = None
            while piece := response.read(65536):
                first = first or time.monotonic() - started
                size += len(piece)
                whole = tail + piece
                count += whole.count(b"<rim:ExtrinsicObject ") + whole.count(b"<rim:ObjectRef ")
                tail = whole[whole.rfind(b"<") :]
                count -= tail.startswith((b"<rim:ExtrinsicObject ", b"<rim:ObjectRef "))
            count += tail.startswith((b"<rim:ExtrinsicObject ", b"<rim:ObjectRef "))
        seconds, most = time.monotonic() - started, peak.end()
        rows.append(
            {
                "type": return_type,
                "objects": count,
                "bytes": size,
                "seconds": seconds,
                "first": first,
                "before": before,
                "peak": most,
                "after": memory_mb(server.pid),
            }
        )
        assert count == region.heaviest, f"{count} objects of {region.heaviest}"
    return rows


# --------------------------------------------------------------------------- starts


def starts(served: Callable[[], AbstractContextManager[Server]], region: Region, times: int = 5) -> dict[str, float]:
    """Seconds from the start of the process to its ready line, and to its first answer."""
    patients = ordinary(region, region.size, times, 3)
    ready, answered = [], []
    for patient in patients:
        started = time.monotonic()
        with served() as server:
            _, entries = asked(server, [patient])
            answered.append(time.monotonic() - started)
            ready.append(server.seconds_to_ready)
            assert entries
    return {"ready": statistics.median(ready), "answered": statistics.median(answered), "most": max(answered)}


# --------------------------------------------------------------------------- bytes on disk


def bytes_of_sqlite(url: str) -> dict[str, Any]:
    path = url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        (entries,) = connection.execute("SELECT count(*) FROM document_entry").fetchone()
        tables = dict(connection.execute("SELECT name, tbl_name FROM sqlite_master"))
        rows = connection.execute("SELECT name, sum(pgsize), sum(unused) FROM dbstat GROUP BY name").fetchall()
        parts = [_part(tables.get(name, name), name, size, unused) for name, size, unused in rows]
        for part in parts:
            if part["name"] in ("document_entry", "submission_set", "folder", "association"):
                part["fragments"] = connection.execute(f"SELECT sum(length(fragment)) FROM {part['name']}").fetchone()[
                    0
                ]
    return {"entries": entries, "total": Path(path).stat().st_size, "parts": parts}


def bytes_of_postgresql(url: str) -> dict[str, Any]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        counted = connection.execute("SELECT count(*) FROM document_entry").fetchone()
        total = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        rows = connection.execute(
            "SELECT coalesce(t.relname, c.relname), c.relname, pg_table_size(c.oid) FROM pg_class c"
            " LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_class t ON t.oid = i.indrelid"
            " WHERE c.relkind IN ('r', 'i') AND c.relnamespace = 'public'::regnamespace"
        ).fetchall()
        assert counted is not None
        assert total is not None
        parts = [_part(table, name, size, None) for table, name, size in rows]
        for part in parts:
            if part["name"] in ("document_entry", "submission_set", "folder", "association"):
                row = connection.execute(f"SELECT sum(length(fragment)) FROM {part['name']}".encode()).fetchone()
                part["fragments"] = int(row[0]) if row and row[0] else 0
    return {"entries": counted[0], "total": total[0], "parts": parts}


def _part(table: str, name: str, size: int, unused: int | None) -> dict[str, Any]:
    return {"table": table, "name": name, "size": size, "unused": unused}


# --------------------------------------------------------------------------- PostgreSQL


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    with PostgreSql.running(folder / "postgresql") as server:
        yield server.url("postgres")


def postgresql_databases(uri: str) -> set[str]:
    with psycopg.connect(uri) as connection:
        return {row[0] for row in connection.execute("SELECT datname FROM pg_database").fetchall()}


def create_database(uri: str, name: str, *, template: str = "template1") -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())


def analyse(uri: str, database: str) -> None:
    """What autovacuum does sooner or later."""
    with psycopg.connect(uri.replace("/postgres?", f"/{database}?"), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


# --------------------------------------------------------------------------- the report


def section(kind: str, notes: dict[str, Any], size: int) -> str:
    """Everything about one database, as Markdown."""
    entries = f"{notes[f'{kind} bytes']['entries']:,}"
    bars = kind == "SQLite"
    return (
        f"\n## {kind}, {entries} entries\n\n{_loading(kind, notes, size)}\n"
        f"{_latencies(notes[f'{kind} queries'], bars)}\n"
        f"{_start(notes[f'{kind} start'], bars)}\n{_heavy(notes[f'{kind} heavy'])}\n"
        f"{_bytes(notes[f'{kind} bytes'], bars)}"
    )


def _verdict(value: float, bar: float, *, bars: bool) -> str:
    return f" (at most {bar:g}: {'holds' if value <= bar else '**does not hold**'})" if bars else ""


def _loading(kind: str, notes: dict[str, Any], size: int) -> str:
    loads = [notes[f"{kind} load {n}"] for n in range(size)]
    whole = [load for load in loads if load["whole"]]
    rates = ", ".join(f"{100_000 / load['seconds']:,.0f}" for load in whole)
    seconds, cpu = sum(load["seconds"] for load in loads), sum(load["cpu"] for load in loads)
    return (
        f"Loaded in {seconds / 60:.1f} minutes, {cpu / 60:.1f} minutes of CPU, the making of the region included."
        f" Entries per second, 100,000 after 100,000: {rates}.\n"
    )


def _latencies(found: dict[str, Any], bars: bool) -> str:
    lines = ["| FindDocuments, LeafClass | entries found | p50, ms | p99, ms |", "|---|---|---|---|"]
    for name, title in (("again", "asked before"), ("first", "asked for the first time")):
        for key, size in (("small", "100,000 entries"), ("large", "all entries")):
            row = found[f"{key} {name}"]
            lines.append(f"| {size}, {title} | {row['entries']:.1f} | {row['p50']:.2f} | {row['p99']:.2f} |")
        p50, p99 = (found[f"large {name}"][q] / found[f"small {name}"][q] for q in ("p50", "p99"))
        told = bars and name == "again"
        half, most = _verdict(p50, P50, bars=told), _verdict(p99, P99, bars=told)
        lines.append(f"| ratio, {title} | | {p50:.2f}{half} | {p99:.2f}{most} |")
    queries = found["large again"]["queries"]
    return "\n".join(lines) + (
        f"\n\nOne connection, {queries:,} queries to each server in turns of {ROUND}: a third each for everything of a"
        " patient, for what is Approved, and for that by class and confidentiality.\n"
    )


def _start(found: dict[str, float], bars: bool) -> str:
    return (
        f"Start: {found['ready']:.2f} s to the ready line, {found['answered']:.2f} s from the start of the process to"
        f" the first answer (median of five, the longest {found['most']:.2f} s)"
        f"{_verdict(found['most'], START, bars=bars)}.\n"
    )


def _heavy(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| a patient with 10,000 documents | MB | first byte, s | seconds | memory before, MB | peak | after |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['type']}, {row['objects']:,} objects | {row['bytes'] / 1e6:.1f} | {row['first']:.2f} |"
        f" {row['seconds']:.2f} | {row['before']:.0f} | {row['peak']:.0f} | {row['after']:.0f} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _bytes(found: dict[str, Any], bars: bool) -> str:
    entries, total = found["entries"], found["total"]
    parts = sorted((part for part in found["parts"] if part["size"] / entries >= 0.5), key=lambda p: -p["size"])
    lines = ["| on disk | bytes per entry | of them fragments |", "|---|---|---|"]
    for part in parts:
        kind = "" if part["name"] == part["table"] else f", index of {part['table']}"
        inside = f"{part['fragments'] / entries:.0f}" if part.get("fragments") else ""
        lines.append(
            f"| {part['name'].removeprefix('sqlite_autoindex_')}{kind} | {part['size'] / entries:.0f} | {inside} |"
        )
    each = total / entries
    lines.append(f"| everything but the documents | {each:.0f}{_verdict(each, KB, bars=bars)} | |")
    return "\n".join(lines) + "\n"
