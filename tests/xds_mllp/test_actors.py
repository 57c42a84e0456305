"""Messages as hospitals send them, to the actors that xds serve has: what one announces the others find."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from xds.hl7v2.er7 import Message, parse
from xds.patients.domains import Domains
from xds.pdq import PatientDemographicsSupplier
from xds.pix import PatientIdentifierCrossReferenceManager
from xds.registry import DEFAULT_ASSIGNING_AUTHORITY as AFFINITY
from xds.registry import AffinityDomain, DocumentRegistry
from xds.stores import open_store
from xds_mllp.endpoint import Endpoint

DOMAIN = f"&{AFFINITY}&ISO"
EAST = "EAST&1.2.3.1&ISO"
_numbers = count(1)


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    with open_store(tmp_path / "xds.sqlite", documents=tmp_path / "documents", sweep=False) as store:
        domains = Domains(affinity=AFFINITY)
        yield Endpoint(
            [
                PatientIdentifierCrossReferenceManager(store, domains=domains),
                DocumentRegistry(store, domain=AffinityDomain(merges="manager")),
                PatientDemographicsSupplier(store, domains=domains),
            ]
        )


def ask(endpoint: Endpoint, kind: str, *segments: str, charset: str = "") -> Message:
    msh = f"MSH|^~\\&|HIS|EAST|PIX|REGION|20260301120000||{kind}|C{next(_numbers)}|P|2.5||||||{charset}"
    [answer] = endpoint.respond("\r".join((msh, *segments, "")).encode("gb18030" if charset else "utf-8"))
    return parse(answer)


def test_a_region_in_a_conversation(endpoint: Endpoint) -> None:
    def told(trigger: str, pid: str, *more: str, charset: str = "") -> str:
        answer = ask(endpoint, f"ADT^{trigger}", f"EVN|{trigger}|20260301115900", pid, *more, charset=charset)
        return answer.value("MSA-1")

    assert told("A01", f"PID|||P1^^^{DOMAIN}~7^^^{EAST}||FICTITIOUS^ADA||19700102|F", "PV1||I") == "AA"
    assert (
        told("A04", f"PID|||P2^^^{DOMAIN}~8^^^{EAST}||歐陽^示例||19900909|M", "PV1||O", charset="GB 18030-2000") == "AA"
    )
    found = ask(endpoint, "QBP^Q23^QBP_Q21", f"QPD|IHE PIX Query|T1|7^^^EAST|^^^{DOMAIN}", "RCP|I")
    assert (found.value("QAK-2"), found.value("PID-3.1")) == ("OK", "P1")
    found = ask(endpoint, "QBP^Q22^QBP_Q21", "QPD|IHE PDQ Query|T2|@PID.5.1.1^欧阳", "RCP|I")
    assert (found.value("QAK-2"), found.value("PID-3.1"), found.value("PID-7")) == ("OK", "P2", "19900909")
    assert told("A40", f"PID|||P1^^^{DOMAIN}||FICTITIOUS^ADA", f"MRG|P2^^^{DOMAIN}") == "AA"
    found = ask(endpoint, "QBP^Q23^QBP_Q21", f"QPD|IHE PIX Query|T3|8^^^EAST|^^^{DOMAIN}", "RCP|I")
    assert found.value("PID-3.1") == "P1"
    assert told("A40", f"PID|||P2^^^{DOMAIN}||FICTITIOUS^ADA", f"MRG|P1^^^{DOMAIN}") == "AE"
    gone = ask(endpoint, "QBP^Q23^QBP_Q21", f"QPD|IHE PIX Query|T4|P2^^^{DOMAIN}", "RCP|I")
    assert (gone.value("QAK-2"), gone.value("ERR-3.1")) == ("AE", "204")
    assert told("A37", f"PID|||7^^^{EAST}", f"PID|||8^^^{EAST}") == "AA"
    assert told("A24", f"PID|||7^^^{EAST}", f"PID|||8^^^{EAST}") == "AA"
    assert told("A47", f"PID|||9^^^{EAST}||FICTITIOUS^ADA", f"MRG|8^^^{EAST}") == "AA"
    found = ask(endpoint, "QBP^Q23^QBP_Q21", f"QPD|IHE PIX Query|T5|P1^^^{DOMAIN}|^^^EAST", "RCP|I")
    assert found.value("QAK-2") == "OK"
