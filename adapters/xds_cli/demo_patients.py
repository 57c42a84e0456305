"""The acts of the demo about patients: recognised across hospitals, merged, and the merge undone."""

from __future__ import annotations

from typing import Final

from xds.clients.documents import DocumentConsumer, DocumentSource
from xds.clients.patients import Parties, PatientIdentitySource, PdqConsumer, PixConsumer
from xds.datatypes.hl7 import CX, XPN
from xds.errors import PeerRejected
from xds.patients.demographics import Demographics
from xds.patients.queries import PatientCriteria
from xds_cli.assemble import open_identities
from xds_cli.config import load_settings
from xds_cli.demo_stage import (
    HOSPITAL_B,
    HOSPITAL_C,
    RESIDENTS,
    DemoFailed,
    Server,
    check,
    demographics_of,
    entry_for,
    identifiers_of,
    line,
    patient_id,
    submission_set,
)
from xds_cli.samples import PATIENTS, SamplePatient, documents

_HER: Final = PATIENTS[1]
_TWICE: Final = PATIENTS[0]
_AGAIN: Final = SamplePatient("DEMO-1004", "A-80", _TWICE.family, _TWICE.given, _TWICE.birth_date, _TWICE.sex)


def recognise(server: Server) -> None:
    """B writes the name of A's patient in Latin letters, C in traditional ones and GB18030: the number is the same."""
    resident = CX.of(_HER.resident_number, RESIDENTS)
    for facility, charset, id, name in (
        ("B", "ascii", CX.of("5521", HOSPITAL_B), XPN("Chen", "Xiaoyu")),
        ("C", "gb18030", CX.of("C-0307", HOSPITAL_C), XPN("陳", "曉雨")),
    ):
        with server.feed() as feed:
            source = PatientIdentitySource(
                feed, Parties(application="HIS", facility=facility, charset=charset), management=True
            )
            source.announce([id, resident], Demographics(names=(name,), birth_time=_HER.birth_date, sex=_HER.sex))
            feed.line(f"hospital {facility}", "ITI-30", f"{id.id} announced ({charset}): AA")

    with server.feed() as feed:
        consumer = PixConsumer(feed, Parties(application="HIS", facility="B"))
        found = {identifier.id for identifier in consumer.identifiers(CX.of("5521", HOSPITAL_B))}
        what = f"5521 of hospital B is known elsewhere as {', '.join(sorted(found))}"
        feed.line("hospital B", "ITI-9", what)
        check(found == {_HER.id, _HER.local_id, "C-0307", _HER.resident_number}, "the patient was not recognised")

    with server.feed() as feed:
        supplier = PdqConsumer(feed, Parties(application="HIS", facility="C", charset="gb18030"))
        people = supplier.find(PatientCriteria(family_name="chen", given_name="xiao*", birth_time=_HER.birth_date[:4]))
        names = {f"{name.family_name}{name.given_name}" for person in people for name in person.demographics.names}
        feed.line("hospital C", "ITI-21", f"asked by pinyin, found {len(people)}: {', '.join(sorted(names))}")
        check(bool(people), "nobody was found by pinyin")


def merge_and_undo(server: Server) -> None:
    """What was submitted under either identifier is found under the one that stays, until the merge is undone."""
    with server.feed() as feed:
        source = PatientIdentitySource(feed, Parties(application="HIS", facility="A"))
        source.announce(identifiers_of(_AGAIN), demographics_of(_AGAIN))
        feed.line("hospital A", "ITI-8", f"{_AGAIN.id} announced: AA")
    report = documents()[1]
    with server.exchange("/repository") as (exchange, wire):
        DocumentSource(exchange).submit(submission_set(_AGAIN), [(entry_for(_AGAIN, report), report.content)])
        traffic = wire.last
        line(
            "hospital A",
            "ITI-41",
            traffic.sent,
            traffic.received,
            traffic.seconds,
            f"a report for {_AGAIN.id}: Success",
        )
    before = _found(server, _TWICE)
    with server.feed() as feed:
        source = PatientIdentitySource(feed, Parties(application="HIS", facility="A"))
        source.merge(patient_id(_TWICE), patient_id(_AGAIN))
        feed.line("hospital A", "ITI-8", f"A40: {_AGAIN.id} ends, {_TWICE.id} stands for it: AA")
    check(_found(server, _TWICE) == before + 1, "the report is not found under the identifier that stays")
    _refused(server)

    with open_identities(load_settings({"data": str(server.data)}, config=str(server.configuration))) as parts:
        parts.manager.unmerge(patient_id(_AGAIN), by="demo", reason="two people after all")
    line("operator", "", 0, 0, 0.0, f"xds patient unmerge {_AGAIN.id}: they were two people after all")
    check(_found(server, _TWICE) == before, "the report stayed where the merge had put it")
    check(_found(server, _AGAIN) == 1, "the report is lost")


def _found(server: Server, patient: SamplePatient) -> int:
    with server.exchange("/registry") as (exchange, wire):
        entries = DocumentConsumer(exchange).find_documents(patient_id(patient))
        check(all(entry.patient_id == patient_id(patient) for entry in entries), "an entry names somebody else")
        traffic = wire.last
        what = f"{patient.id} has {len(entries)} documents"
        line("hospital B", "ITI-18", traffic.sent, traffic.received, traffic.seconds, what)
        return len(entries)


def _refused(server: Server) -> None:
    report = documents()[1]
    with server.exchange("/repository") as (exchange, wire):
        try:
            DocumentSource(exchange).submit(submission_set(_AGAIN), [(entry_for(_AGAIN, report), report.content)])
        except PeerRejected as refused:
            code = str(refused.errors[0].code)
            traffic = wire.last
            what = f"another for {_AGAIN.id}, which has ended: {code}"
            line("hospital A", "ITI-41", traffic.sent, traffic.received, traffic.seconds, what)
            check(code == "XDSUnknownPatientId", f"refused with {code}")
            return
    raise DemoFailed("a document for an identifier that has ended was accepted")
