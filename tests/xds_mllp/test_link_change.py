"""ADT^A43 as a PIX Manager sends it, to the actors that xds serve has: documents move, and can still be retrieved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from tests.xds.registry.build import AUTHORITY, BOTH, entry, query, submission, unique_id
from tests.xds.transactions.test_iti64 import CHANGE
from tests.xds_mllp.test_actors import ask
from xds.datatypes.hl7 import CX
from xds.hl7v2.er7 import parse
from xds.metadata.requests import DocumentRequest, ProvidedDocuments
from xds.patients.domains import Domains
from xds.pdq import PatientDemographicsSupplier
from xds.pix import PatientIdentifierCrossReferenceManager
from xds.registry import AffinityDomain, DocumentRegistry
from xds.repository import DocumentRepository
from xds.stores import SqlStore, open_store
from xds.transactions.iti64 import encode_request
from xds.vocab.ebrim import ResponseStatus, SlotName, Status
from xds_mllp.endpoint import Endpoint

OLD, NEW, LOCAL, MERGED = (
    CX.of("X1", AUTHORITY),
    CX.of("X2", AUTHORITY),
    CX.of("L1", "1.2.3.1"),
    CX.of("L0", "1.2.3.1"),
)
TEXT = b"discharge summary\r\n"
_numbers = count(1)


class Region:
    """A manager, a registry, a repository and a supplier on one store."""

    def __init__(self, store: SqlStore) -> None:
        domains = Domains(affinity=AUTHORITY)
        self.store = store
        self.registry = DocumentRegistry(store, domain=AffinityDomain(merges="manager"))
        self.repository = DocumentRepository(store, self.registry)
        manager = PatientIdentifierCrossReferenceManager(store, domains=domains)
        self.endpoint = Endpoint([manager, self.registry, PatientDemographicsSupplier(store, domains=domains)])

    def admit(self, *identifiers: CX) -> None:
        pid_3 = "~".join(map(str, identifiers))
        answer = ask(self.endpoint, "ADT^A01", "EVN|A01|20260301115900", f"PID|||{pid_3}||FICTITIOUS^ADA", "PV1||I")
        assert answer.value("MSA-1") == "AA"

    def provide(self, patient: CX, local: CX) -> str:
        unique = unique_id()
        document = entry(patient=str(patient), unique=unique, slots={SlotName.SOURCE_PATIENT_ID: [str(local)]})
        document.slots[SlotName.REPOSITORY_UNIQUE_ID] = [self.repository.unique_id]
        del document.slots[SlotName.HASH], document.slots[SlotName.SIZE]
        stage = self.store.stage()
        stage.write(TEXT)
        self.repository.provide_and_register(ProvidedDocuments(submission(document), {document.id: stage.finish()}))
        return unique

    def change(self, new: CX, local: CX, *prior: CX) -> tuple[str, str, str]:
        """A message of ours; MSA-1, ERR-3 and ERR-2 of the answer."""
        feed = replace(
            CHANGE,
            identifiers=(new, local),
            prior_identifiers=prior,
            control_id=f"X{next(_numbers)}",
        )
        [answer] = self.endpoint.respond(bytes(encode_request(feed)))
        found = parse(answer)
        return found.value("MSA-1"), found.value("ERR-3.1"), found.value("ERR-2")

    def found(self, patient: CX) -> list[tuple[Status, int, str]]:
        asked = {"XDSDocumentEntryPatientId": str(patient), "XDSDocumentEntryStatus": list(BOTH)}
        objects = self.registry.query(query("FindDocuments", **asked)).objects
        return [(o.status, o.version, o.unique_id) for o in objects]


@pytest.fixture
def region(tmp_path: Path) -> Iterator[Region]:
    with open_store(tmp_path / "xds.sqlite", documents=tmp_path / "documents", sweep=False) as store:
        yield Region(store)


def test_a_documents_way_to_another_patient(region: Region) -> None:
    region.admit(OLD, LOCAL)
    region.admit(NEW)
    unique = region.provide(OLD, LOCAL)
    assert region.change(NEW, LOCAL, OLD) == ("AA", "", "")
    assert region.found(OLD) == [(Status.DEPRECATED, 1, unique)]
    assert region.found(NEW) == [(Status.APPROVED, 2, unique)]
    result = region.repository.retrieve([DocumentRequest(region.repository.unique_id, unique)])
    assert result.status is ResponseStatus.SUCCESS
    assert [b"".join(document.content.chunks()) for document in result.documents] == [TEXT]
    before = region.found(NEW)
    assert region.change(NEW, LOCAL, OLD) == ("AA", "", "")
    assert region.found(NEW) == before


def test_a_local_identifier_ends_in_another(region: Region) -> None:
    region.admit(OLD, LOCAL, MERGED)
    kept, merged = region.provide(OLD, LOCAL), region.provide(OLD, MERGED)
    assert region.change(OLD, LOCAL, OLD, MERGED) == ("AA", "", "")
    assert sorted(region.found(OLD)) == sorted(
        [(Status.APPROVED, 1, kept), (Status.APPROVED, 2, merged), (Status.DEPRECATED, 1, merged)]
    )


def test_the_manager_here_is_not_asked(region: Region) -> None:
    region.admit(OLD, LOCAL)
    region.admit(NEW)
    region.change(NEW, LOCAL, OLD)
    pix_query = f"QPD|IHE PIX Query|T1|{LOCAL}|^^^&{AUTHORITY}&ISO"
    assert ask(region.endpoint, "QBP^Q23^QBP_Q21", pix_query, "RCP|I").value("PID-3.1") == OLD.id


@pytest.mark.parametrize(
    ("new", "local", "prior", "where"),
    [
        (CX.of("X9", AUTHORITY), LOCAL, (OLD,), "PID^1^3^1^1"),
        (CX.of("X2", "1.9.9"), LOCAL, (OLD,), "PID^1^3^1^4"),
        (NEW, LOCAL, (CX.of("X9", AUTHORITY),), "MRG^1^1^1^1"),
        (NEW, LOCAL, (CX.of("X1", "1.9.9"),), "MRG^1^1^1^4"),
        (NEW, LOCAL, (OLD, CX.of("L0", "1.9.9")), "MRG^1^1^2^4"),
    ],
)
def test_a_refusal_names_the_identifier(region: Region, new: CX, local: CX, prior: tuple[CX, ...], where: str) -> None:
    region.admit(OLD, LOCAL)
    region.admit(NEW)
    unique = region.provide(OLD, LOCAL)
    assert region.change(new, local, *prior) == ("AE", "204", where)
    assert region.found(OLD) == [(Status.APPROVED, 1, unique)]


def test_a_foreign_message_moves_documents_too(region: Region) -> None:
    region.admit(OLD, LOCAL)
    region.admit(NEW)
    region.provide(OLD, LOCAL)
    segments = f"EVN|A43|20260301115900+0000\rPID|||{NEW}~{LOCAL}|| |\rMRG|{OLD}~\r"
    for control_id, msh_3 in (("M1", "MPI"), ("M2", "^1.2.3.4^ISO")):
        msh = f"MSH|^~\\&|{msh_3}|REGION|XDS|REGION|20260301115900||ADT^A43^ADT_A43|{control_id}|P|2.5\r"
        [answer] = region.endpoint.respond((msh + segments).encode())
        assert parse(answer).value("MSA-1") == "AA"
    assert [version for _, version, _ in region.found(NEW)] == [2]
    assert region.registry.tolerated["MSH-3 of A43 is no OID"] == 1
