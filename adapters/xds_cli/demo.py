"""``xds demo``: three hospitals share patients and documents through ``xds serve``, which is killed and loses nothing.

Everything is real: the server is a process of its own, messages go over sockets, the kill is SIGKILL. Each line says
what went over the wire: transaction, bytes out and in, milliseconds, and what came of it.
"""

from __future__ import annotations

import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from xds.clients.documents import Document, DocumentConsumer, DocumentSource
from xds.clients.patients import Parties, PatientIdentitySource
from xds.errors import PeerRejected, PeerUnreachable, XdsError
from xds.metadata.common import plain
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.requests import DocumentRequest
from xds.vocab.ebrim import Status
from xds_cli import demo_patients
from xds_cli.demo_stage import (
    DemoFailed,
    Server,
    check,
    demographics_of,
    entry_for,
    identifiers_of,
    line,
    patient_id,
    say,
    submission_set,
)
from xds_cli.output import size_text
from xds_cli.samples import FORMAT_CODES, LOINC, PATIENTS, SampleDocument, SamplePatient, documents

# submissions that must be acknowledged before the server is killed, and connections that send them
BEFORE_THE_KILL: Final = 60
SENDERS: Final = 4


# --------------------------------------------------------------------------- the acts


def announce(server: Server) -> None:
    """Hospital A tells the registry who its patients are (ITI-8), one of them in GB18030."""
    with server.feed() as feed:
        for patient in PATIENTS:
            charset = "utf-8" if patient.family.isascii() else "gb18030"
            source = PatientIdentitySource(feed, Parties(application="HIS", facility="A", charset=charset))
            source.announce(identifiers_of(patient), demographics_of(patient))
            feed.line("hospital A", "ITI-8", f"{patient.id} announced ({charset}): AA")


def submit(server: Server) -> list[tuple[SamplePatient, DocumentEntry, bytes]]:
    """Hospital A submits a C-CDA, a PDF and a text in GB18030 (ITI-41, MTOM)."""
    sent = []
    cda, pdf, note = documents()
    with server.exchange("/repository") as (exchange, wire):
        source = DocumentSource(exchange)
        for patient, document in ((PATIENTS[0], cda), (PATIENTS[0], pdf), (PATIENTS[1], note)):
            entry = entry_for(patient, document)
            source.submit(submission_set(patient), [(entry, document.content)])
            what = (
                f"{document.title} ({document.mime_type}, {size_text(len(document.content))}) for {patient.id}: Success"
            )
            line("hospital A", "ITI-41", wire.last.sent, wire.last.received, wire.last.seconds, what)
            sent.append((patient, entry, document.content))
    return sent


def refuse(server: Server) -> None:
    """A patient nobody announced has no documents."""
    stranger = SamplePatient("DEMO-9999", "A-99", "Nobody", "Knows", "19700101", "M")
    with server.exchange("/repository") as (exchange, wire):
        try:
            cda = documents()[0]
            DocumentSource(exchange).submit(submission_set(stranger), [(entry_for(stranger, cda), cda.content)])
        except PeerRejected as refused:
            code = str(refused.errors[0].code)
            what = f"a document for {stranger.id}, whom nobody announced: {code}"
            line("hospital A", "ITI-41", wire.last.sent, wire.last.received, wire.last.seconds, what)
            check(code == "XDSUnknownPatientId", f"refused with {code}")
            return
    raise DemoFailed("a document for an unknown patient was accepted")


def find_and_retrieve(server: Server, sent: list[tuple[SamplePatient, DocumentEntry, bytes]]) -> None:
    """Hospital B finds by patient (ITI-18) and retrieves byte for byte (ITI-43)."""
    contents = {entry.unique_id: content for _, entry, content in sent}
    with server.exchange("/registry") as (registry, asked), server.exchange("/repository") as (repository, fetched):
        consumer = DocumentConsumer(registry, repository)
        for patient in PATIENTS[:2]:
            found = consumer.find_documents(patient_id(patient))
            titles = ", ".join(plain(entry.title) or "" for entry in found)
            what = f"{patient.id} has {titles}"
            line("hospital B", "ITI-18", asked.last.sent, asked.last.received, asked.last.seconds, what)
            expected = {entry.unique_id for owner, entry, _ in sent if owner is patient}
            check({entry.unique_id for entry in found} == expected, "the registry found something else")
            for entry in found:
                with consumer.retrieve(entry) as document:
                    same = document.read() == contents[entry.unique_id]
                    what = f"{plain(entry.title)}: {size_text(document.size)}, {'identical' if same else 'DIFFERENT'}"
                    wire = fetched.last
                    line("hospital B", "ITI-43", wire.sent, wire.received, wire.seconds, what)
                    check(same, "a document came back changed")


def replace(server: Server, sent: list[tuple[SamplePatient, DocumentEntry, bytes]]) -> None:
    """Hospital A replaces its summary; the old one is deprecated and stays retrievable."""
    patient, old, _ = sent[0]
    cda = documents()[0]
    content = cda.content.replace(b"on day three", b"on day four")
    new = entry_for(patient, cda)
    with server.exchange("/repository") as (repository, wire), server.exchange("/registry") as (registry, asked):
        DocumentSource(repository).submit(submission_set(patient), [(new, content)], replace=old)
        what = f"{cda.title}, corrected (RPLC): Success"
        line("hospital A", "ITI-41", wire.last.sent, wire.last.received, wire.last.seconds, what)
        found = DocumentConsumer(registry).find_documents(patient_id(patient), status=list(Status))
        statuses = {entry.unique_id: entry.availability_status for entry in found}
        check(statuses[old.unique_id] is Status.DEPRECATED, "the replaced document is not deprecated")
        check(statuses[new.unique_id] is Status.APPROVED, "the new document is not approved")
        what = "the old summary is Deprecated, the new one Approved"
        line("hospital B", "ITI-18", asked.last.sent, asked.last.received, asked.last.seconds, what)


# --------------------------------------------------------------------------- the kill


@dataclass
class Load:
    """Submissions from several connections at once, until the server is gone."""

    acknowledged: dict[str, bytes] = field(default_factory=dict)
    unknown: dict[str, bytes] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: Iterator[int] = field(default_factory=count)
    enough: threading.Event = field(default_factory=threading.Event)

    def run(self, server: Server) -> None:
        with server.exchange("/repository") as (exchange, _):
            source = DocumentSource(exchange)
            while True:
                with self.lock:
                    number = next(self.numbers)
                content = f"Note {number} of the demo.\n".encode() * 40
                note = SampleDocument(f"Note {number}", "text/plain", "en-US", content, _NOTE_TYPE, _NOTE_FORMAT)
                entry = entry_for(PATIENTS[2], note)
                try:
                    source.submit(submission_set(PATIENTS[2]), [(entry, content)])
                except PeerUnreachable:
                    self._keep(self.unknown, entry.unique_id, content)
                    return
                except XdsError as error:
                    self.errors.append(str(error))
                    self.enough.set()
                    return
                self._keep(self.acknowledged, entry.unique_id, content)

    def _keep(self, where: dict[str, bytes], unique_id: str, content: bytes) -> None:
        with self.lock:
            where[unique_id] = content
            if len(self.acknowledged) >= BEFORE_THE_KILL:
                self.enough.set()


_NOTE_TYPE: Final = ("34133-9", LOINC, "Summarization of episode note")
_NOTE_FORMAT: Final = ("urn:ihe:iti:xds-sd:text:2008", FORMAT_CODES, "Text")


def kill_and_look(server: Server) -> None:
    """SIGKILL in the middle of submissions; then everything that was acknowledged must be there."""
    load = Load()
    senders = [threading.Thread(target=load.run, args=(server,)) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    check(load.enough.wait(120), "the server took no submissions")
    server.kill()
    for sender in senders:
        sender.join()
    check(not load.errors, f"a submission was refused: {load.errors[:1]}")
    line("server", "", 0, 0, 0.0, f"SIGKILL while {len(load.unknown)} submissions were on their way")
    line("hospital A", "ITI-41", 0, 0, 0.0, f"{len(load.acknowledged)} submissions had been acknowledged before")
    server.start()
    with server.exchange("/registry") as (registry, asked), server.exchange("/repository") as (repository, wire):
        consumer = DocumentConsumer(registry, repository)
        entries = {entry.unique_id: entry for entry in consumer.find_documents(patient_id(PATIENTS[2]))}
        what = f"{len(entries)} documents of {PATIENTS[2].id}"
        line("hospital B", "ITI-18", asked.last.sent, asked.last.received, asked.last.seconds, what)
        lost = [unique_id for unique_id in load.acknowledged if unique_id not in entries]
        check(not lost, f"{len(lost)} acknowledged documents are gone")
        retrieval = consumer.retrieve_all(entries.values())
        everything = {**load.acknowledged, **load.unknown}
        check(not retrieval.missing, "an entry has no document")
        _check_contents(retrieval.documents, everything)
        half = len(entries) - len(load.acknowledged)
        what = (
            f"all {len(load.acknowledged)} acknowledged documents are there, byte for byte; of those on their way"
            f" {half} had arrived whole, {len(load.unknown) - half} not at all"
        )
        line("hospital B", "ITI-43", wire.last.sent, wire.last.received, wire.last.seconds, what)
        _nothing_half(consumer, set(load.unknown) - set(entries), next(iter(entries.values())))


def _check_contents(found: tuple[Document, ...], contents: Mapping[str, bytes]) -> None:
    for document in found:
        with document:
            check(document.read() == contents[document.document_unique_id], "a document changed")


def _nothing_half(consumer: DocumentConsumer, absent: set[str], some: DocumentEntry) -> None:
    """What has no entry has no document either."""
    for unique_id in absent:
        try:
            consumer.retrieve(DocumentRequest(some.repository_unique_id or "", unique_id))
        except PeerRejected:
            continue
        raise DemoFailed("a document is there without its entry")


# --------------------------------------------------------------------------- the whole


def run_demo(*, stay: bool = False, data: Path | None = None) -> None:
    """Run everything; raises DemoFailed when something is not as it should be."""
    with ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xds-demo-")))
        folder.mkdir(parents=True, exist_ok=True)
        check(not any(folder.iterdir()), f"{folder} is not empty: the demo starts from nothing")
        server = Server(folder / "data")
        stack.callback(_kill_if_alive, server)
        try:
            _acts(server)
            if stay:
                _stay(server)
            server.stop()
        except (XdsError, subprocess.TimeoutExpired) as error:
            raise DemoFailed(f"{type(error).__name__}: {error}") from error
    say("\nEverything was as it should be.")


def _acts(server: Server) -> None:
    say("A registry and a repository start on an empty store.")
    server.start()
    say("\nHospital A announces its patients and submits documents.")
    announce(server)
    sent = submit(server)
    refuse(server)
    say("\nHospital B finds and retrieves them.")
    find_and_retrieve(server, sent)
    say("\nHospital A corrects a document.")
    replace(server, sent)
    say("\nHospitals B and C know one of the patients under names of their own.")
    demo_patients.recognise(server)
    say("\nHospital A finds that it has a patient twice.")
    demo_patients.merge_and_undo(server)
    say("\nThe server is killed in the middle of submissions, and started again.")
    kill_and_look(server)
    say("")


def _stay(server: Server) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    say(f"Still running, until Ctrl-C: {server.http}/registry and /repository, mllp://{server.ready['mllp']}")
    say(f"  xds find --patient {PATIENTS[0].id} --registry {server.http}/registry")
    while not stop.wait(0.5):
        check(server.process is not None and server.process.poll() is None, "xds serve has ended")


def _kill_if_alive(server: Server) -> None:
    if server.process is not None and server.process.poll() is None:
        server.kill()
