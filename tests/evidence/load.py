"""The mixed load of the crash and fault lanes, and what must hold of a store after it.

Clients send ITI-41 (small documents, which are rows of the database, and large ones, which are files), ITI-42 (some
into a Folder, whose lastUpdateTime they watch), ITI-18, ITI-43 and ITI-8. A :class:`Round` keeps what they sent and
what was acknowledged; every answer is judged: a success, a refusal in the form the profile has for it, or improper.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import re
import socket
import sqlite3
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.evidence import messages
from tests.evidence.server import Server, exchange, post, tell

SUCCESS: Final = b"ResponseStatusType:Success"
FAILURE: Final = b"ResponseStatusType:Failure"
PATIENTS: Final = 40
FIRST_NEWCOMER: Final = 100_000  # patients that the load announces; the others are known before it
LONGEST_ANSWER: Final = 20.0  # seconds; what takes longer hangs
REGISTERED_ONLY: Final = "1.2.840.42."  # uniqueIds of ITI-42: their documents are in no repository of ours
# what an actor may say of trouble that is its own (ITI TF-3, table 4.2.4.1-2)
TROUBLE: Final = frozenset(
    {
        "XDSRegistryBusy",
        "XDSRegistryError",
        "XDSRegistryOutOfResources",
        "XDSRepositoryBusy",
        "XDSRepositoryError",
        "XDSRepositoryOutOfResources",
    }
)
_CODE: Final = re.compile(rb'errorCode="([^"]*)"')
_UPDATED: Final = re.compile(rb'name="lastUpdateTime"><rim:ValueList><rim:Value>(\d{14})<')


class Improper(Exception):
    """No answer, or one that is neither success nor a refusal in the form the profile has for it."""


@dataclass
class Round:
    """What one round sent: unique id → (patient, document)."""

    sent: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    announced: set[int] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0  # seconds, of an answer
    improper: list[str] = field(default_factory=list)
    dying: threading.Event = field(default_factory=threading.Event)  # connections may break from now on
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledge(self, unique_id: str) -> None:
        with self.lock:
            self.acknowledged.add(unique_id)

    def count(self, what: str, seconds: float) -> None:
        with self.lock:
            self.answers[what] += 1
            self.longest = max(self.longest, seconds)

    def note_improper(self, what: str) -> None:
        with self.lock:
            self.improper.append(what)

    def refused(self) -> int:
        return sum(number for what, number in self.answers.items() if not what.endswith(" done"))

    def successes(self) -> int:
        return sum(number for what, number in self.answers.items() if what.endswith(" done"))


def document(r: random.Random) -> bytes:
    size = r.choice((200, 5_000, 13_000, 60_000, 150_000, 600_000))
    return b"\r\n" + r.randbytes(size) + b"\n"


# --------------------------------------------------------------------------- answers


def judge(transaction: str, status: int, answer: bytes) -> bool:
    """Whether the answer is a success; Improper when it is neither that nor a proper refusal."""
    if b"Traceback" in answer or b"internal error" in answer or b'File "' in answer:
        raise Improper(f"{transaction}: {status} {answer[-600:]!r}")
    if status == 200 and SUCCESS in answer:
        return True
    codes = {code.decode() for code in _CODE.findall(answer)}
    if status == 200 and FAILURE in answer and codes and codes <= TROUBLE:
        return False
    if status == 503 or (status == 500 and b":Fault>" in answer and b"EndpointUnavailable" in answer):
        return False
    raise Improper(f"{transaction}: {status} {answer[-600:]!r}")


def judge_feed(answer: bytes) -> bool:
    """Likewise, of an HL7 v2 acknowledgement."""
    if b"MSA|AA" in answer:
        return True
    if b"MSA|AE" in answer or b"MSA|AR" in answer:
        return False
    raise Improper(f"ITI-8: {answer[:300]!r}")


# --------------------------------------------------------------------------- clients


def load(
    server: Server,
    state: Round,
    prefix: str,
    seed: int,
    stop: threading.Event,
    *,
    patients: int = PATIENTS,
    note: Callable[[str], object] | None = None,
) -> None:
    """Submit by ITI-41 until the server dies; ``note`` is told of each acknowledgement, and otherwise ``state``."""
    r = random.Random(seed)
    connection = server.connect(timeout=LONGEST_ANSWER)
    number = 0
    while not stop.is_set():
        number += 1
        unique_id, patient, content = f"{prefix}.{number}", r.randrange(patients), document(r)
        with state.lock:
            state.sent[unique_id] = (patient, content)
        try:
            answer = post(
                connection,
                "/repository",
                messages.iti41(unique_id, messages.patient(patient), content),
                mtom=True,
            )
        except (OSError, http.client.HTTPException):
            return  # the server is dead: whether this one counts is not known
        if SUCCESS in answer:
            (note or state.acknowledge)(unique_id)
        elif not stop.is_set():
            raise RuntimeError(f"refused: {answer[:500]!r}")


class Client:
    """One of the clients of the mixed load; ``run`` until ``state.stop``, or until the server is dead."""

    def __init__(self, server: Server, state: Round, prefix: str, seed: int) -> None:
        self._server = server
        self._state = state
        self._prefix = prefix
        self._number = 0
        self._newcomer = FIRST_NEWCOMER + seed * 1_000
        self._r = random.Random(seed)
        self._http: http.client.HTTPConnection | None = None
        self._mllp: socket.socket | None = None
        self._mine: list[str] = []
        self._folder = ""
        self._updated = 0
        self._kinds = [self.provide] * 10 + [self.register] * 3 + [self.query] * 2 + [self.retrieve] * 2
        self._kinds += [self.announce] * 2

    def run(self) -> None:
        while not self._state.stop.is_set():
            try:
                self.attempt(self._r.choice(self._kinds))
            except ConnectionRefusedError:
                return  # the server is dead
        self.close()

    def attempt(self, kind: Callable[[], bool]) -> bool:
        """Whether it was a success. A connection that ends is improper, but not while the server is killed."""
        state, name, started = self._state, kind.__name__, time.monotonic()
        try:
            done = kind()
        except Improper as problem:
            state.note_improper(str(problem))
            self.close()
            return False
        except ConnectionRefusedError:
            if state.dying.is_set():
                raise
            state.note_improper(f"{name}: no connection")
            return False
        except TimeoutError:
            state.note_improper(f"{name}: no answer within {LONGEST_ANSWER:.0f} s")
            self.close()
            return False
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not state.dying.is_set():
                state.note_improper(f"{name}: the connection ended with {type(error).__name__}")
            return False
        state.count(f"{name} {'done' if done else 'refused'}", time.monotonic() - started)
        return done

    def _exchange(self, transaction: str, path: str, body: bytes, *, mtom: bool) -> tuple[bool, bytes]:
        if self._http is None:
            self._http = self._server.connect(timeout=LONGEST_ANSWER)
        status, answer = exchange(self._http, path, body, mtom=mtom)
        return judge(transaction, status, answer), answer

    def provide(self) -> bool:
        return self._provide(document(self._r))

    def provide_small(self) -> bool:
        return self._provide(self._r.randbytes(2_000))

    def provide_large(self) -> bool:
        return self._provide(self._r.randbytes(400_000))

    def _provide(self, content: bytes) -> bool:
        unique_id, patient = self._next(self._prefix), self._r.randrange(PATIENTS)
        self._sent(unique_id, patient, content)
        body = messages.iti41(unique_id, messages.patient(patient), content)
        done, _ = self._exchange("ITI-41", "/repository", body, mtom=True)
        if done:
            self._state.acknowledge(unique_id)
            self._mine.append(unique_id)
        return done

    def register(self) -> bool:
        """ITI-42, into the Folder of this client when it has one."""
        patient = messages.patient(0)
        if not self._folder:
            folder = f"urn:uuid:{uuid.uuid4()}"
            body = messages.iti42_folder(self._next(self._prefix), patient, folder)
            done, _ = self._exchange("ITI-42", "/registry", body, mtom=False)
            self._folder = folder if done else ""
            return done
        unique_id, content = self._next(REGISTERED_ONLY + self._prefix), self._r.randbytes(100)
        self._sent(unique_id, 0, content)
        body = messages.iti42(unique_id, patient, content, folder=self._folder)
        done, _ = self._exchange("ITI-42", "/registry", body, mtom=False)
        if not done:
            return False
        self._state.acknowledge(unique_id)
        found, answer = self._exchange("ITI-18", "/registry", messages.iti18_folder(self._folder), mtom=False)
        if found:
            self._moved_on(answer)
        return True

    def _moved_on(self, answer: bytes) -> None:
        """This client alone changes its Folder: each change moves lastUpdateTime (ITI TF-3, 4.2.3.4.6)."""
        match = _UPDATED.search(answer)
        if match is None:
            raise Improper(f"ITI-18: the Folder is not found: {answer[-600:]!r}")
        if int(match[1]) <= self._updated:
            raise Improper(f"lastUpdateTime went from {self._updated} to {int(match[1])}")
        self._updated = int(match[1])

    def query(self) -> bool:
        patient = messages.patient(self._r.randrange(1, PATIENTS))
        return self._exchange("ITI-18", "/registry", messages.iti18(patient, return_type="ObjectRef"), mtom=False)[0]

    def retrieve(self) -> bool:
        """A document of this client, if it has one: an acknowledged one is there at once."""
        if not self._mine:
            return self.query()
        unique_id = self._r.choice(self._mine)
        done, answer = self._exchange("ITI-43", "/repository", messages.iti43(unique_id), mtom=True)
        if done and messages.document_part(answer) != self._state.sent[unique_id][1]:
            raise Improper(f"ITI-43: {unique_id} comes back changed")
        return done

    def announce(self) -> bool:
        if self._mllp is None:
            self._mllp = self._server.feed(timeout=LONGEST_ANSWER)
        self._newcomer += 1
        done = judge_feed(tell(self._mllp, messages.iti8(self._newcomer)))
        if done:
            with self._state.lock:
                self._state.announced.add(self._newcomer)
        return done

    def _next(self, prefix: str) -> str:
        self._number += 1
        return f"{prefix}.{self._number}"

    def _sent(self, unique_id: str, patient: int, content: bytes) -> None:
        with self._state.lock:
            self._state.sent[unique_id] = (patient, content)

    def close(self) -> None:
        for connection in (self._http, self._mllp):
            if connection is not None:
                connection.close()
        self._http = self._mllp = None


@contextlib.contextmanager
def clients(server: Server, state: Round, prefix: str, seed: int, threads: int) -> Iterator[None]:
    """The mixed load, from ``threads`` clients, for the time of the block."""
    running = [
        threading.Thread(target=Client(server, state, f"{prefix}.{n}", seed * 100 + n).run) for n in range(threads)
    ]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        state.stop.set()
        for thread in running:
            thread.join()


def serves_again(server: Server, state: Round, prefix: str, seed: int, *, within: float) -> float:
    """Seconds until every kind of request succeeds; Improper is noted when that takes longer than ``within``."""
    client, started = Client(server, state, f"{prefix}.99", seed * 100 + 99), time.monotonic()
    wanted = [client.provide_small, client.provide_large, client.register, client.query, client.retrieve]
    wanted.append(client.announce)
    while wanted:
        if client.attempt(wanted[0]):
            wanted.pop(0)
        elif time.monotonic() - started > within:
            state.note_improper(f"{wanted[0].__name__} does not succeed {within:.0f} s after the fault ended")
            break
        else:
            time.sleep(0.02)
    client.close()
    return time.monotonic() - started


# --------------------------------------------------------------------------- what must hold


def check(server: Server, state: Round) -> dict[str, int]:
    """Ask the server for everything that was sent."""
    with contextlib.closing(server.connect()) as connection:
        found = _found(connection, state)
        for unique_id, (_, content) in state.sent.items():
            answer = post(connection, "/repository", messages.iti43(unique_id), mtom=True)
            retrieved = messages.document_part(answer) if SUCCESS in answer else None
            if unique_id in state.acknowledged:
                assert unique_id in found, f"acknowledged {unique_id} is not found"
            if unique_id in found and not unique_id.startswith(REGISTERED_ONLY):
                assert retrieved == content, f"{unique_id} comes back changed"
            else:
                assert retrieved is None, f"{unique_id} has a document and no metadata"
    return {
        "sent": len(state.sent),
        "acknowledged": len(state.acknowledged),
        "there without acknowledgement": len(found - state.acknowledged),
    }


def _found(connection: http.client.HTTPConnection, state: Round) -> set[str]:
    """Those of the uniqueIds sent that ITI-18 finds."""
    found: set[str] = set()
    for patient in {patient for patient, _ in state.sent.values()}:
        answer = post(connection, "/registry", messages.iti18(messages.patient(patient)), mtom=False)
        assert SUCCESS in answer, answer[:500]
        found |= set(re.findall(r'value="([0-9.]+)"', answer.decode())) & state.sent.keys()
    return found


Ask = Callable[[str], list[Any]]

_PROBLEMS = {
    "DocumentEntry without its SubmissionSet": """
        SELECT count(*) FROM document_entry e WHERE NOT EXISTS (
            SELECT 1 FROM association a JOIN submission_set s ON s.patient = a.patient AND s.entry_uuid = a.source
            WHERE a.patient = e.patient AND a.target = e.entry_uuid)""",
    "SubmissionSet without a member": """
        SELECT count(*) FROM submission_set s WHERE NOT EXISTS (
            SELECT 1 FROM association a WHERE a.patient = s.patient AND a.source = s.entry_uuid)""",
    "Association whose source or target is not there": """
        WITH there AS (
            SELECT entry_uuid FROM document_entry UNION ALL SELECT entry_uuid FROM submission_set
            UNION ALL SELECT entry_uuid FROM folder UNION ALL SELECT entry_uuid FROM association)
        SELECT count(*) FROM association
            WHERE source NOT IN (SELECT * FROM there) OR target NOT IN (SELECT * FROM there)""",
    "DocumentEntry without its document": f"""
        SELECT count(*) FROM document_entry e WHERE e.unique_id NOT LIKE '{REGISTERED_ONLY}%' AND NOT EXISTS (
            SELECT 1 FROM document d JOIN directory i ON i.identifier = {{as_bytes}}
            WHERE d.unique_id = e.unique_id AND d.hash = i.hash AND d.size = i.size)""",
    "document without its DocumentEntry": """
        SELECT count(*) FROM document WHERE unique_id NOT IN (SELECT unique_id FROM document_entry)""",
}


def check_store(data: Path, announced: set[int] | None = None, database: str | None = None) -> int:
    """Look into the store itself, with the server stopped; returns the number of DocumentEntries.

    ``database`` is its URL when it is not the one in the data folder.
    """
    from xds.stores import open_store

    with open_store(database or sqlite_in(data), documents=data / "documents", sweep=False) as store:
        store.sweep(older_than=0)
    with looking_into(data, database) as ask:
        as_bytes = "convert_to(e.unique_id, 'UTF8')" if database else "CAST(e.unique_id AS BLOB)"
        for problem, query in _PROBLEMS.items():
            [(count,)] = ask(query.replace("{as_bytes}", as_bytes))
            assert count == 0, f"{count} x {problem}"
        if database is None:
            [(verdict,)] = ask("PRAGMA quick_check")
            assert verdict == "ok", verdict
        wanted = files_wanted(ask)
        [(entries,)] = ask("SELECT count(*) FROM document_entry")
        known = {row[0] for row in ask("SELECT identifier FROM patient")}
    for number in announced or ():
        assert messages.patient(number).replace("&amp;", "&") in known, f"the acknowledged patient {number} is lost"
    assert document_files(data / "documents") == wanted, "the document files are not those that are referred to"
    return int(entries)


def sqlite_in(data: Path) -> str:
    return f"sqlite:///{data / 'registry.sqlite'}"


@contextlib.contextmanager
def looking_into(data: Path, database: str | None = None) -> Iterator[Ask]:
    """What asks the database, beside the server: SQL to rows."""
    if database is not None:
        import psycopg

        with psycopg.connect(database.replace("+psycopg", "")) as connection:
            yield lambda query: connection.execute(query.encode()).fetchall()
        return
    path = data / "registry.sqlite"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as embedded:
        yield lambda query: embedded.execute(query).fetchall()


def files_wanted(ask: Ask) -> dict[str, int]:
    """The document files that the database refers to, with their sizes."""
    return dict(ask("SELECT path, size FROM document WHERE path IS NOT NULL"))


def no_orphan_stays(data: Path, database: str | None = None, *, within: float = 5.0) -> None:
    """The server itself, while it runs, has removed the files of what it refused."""
    end = time.monotonic() + within
    while True:
        with looking_into(data, database) as ask:
            wanted = files_wanted(ask)
        there = document_files(data / "documents")
        if there == wanted:
            return
        if time.monotonic() > end:
            raise AssertionError(f"orphans stay while the server runs: {sorted(there.keys() - wanted.keys())[:5]}")
        time.sleep(0.1)


def document_files(documents: Path) -> dict[str, int]:
    """Every file in the documents folder that is a document's, or is on its way to be one, with its size."""
    return {
        str(file.relative_to(documents)): file.stat().st_size
        for file in documents.rglob("*")
        if file.is_file() and file.parent.name not in ("owners", "documents")
    }
