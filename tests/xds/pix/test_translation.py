"""``translate``: a hospital's number of a patient means the affinity domain's identifier (DESIGN D13)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.xds.pix.people import AFFINITY, HOSPITAL_A, HOSPITAL_B, Region, a, b, person, wire
from tests.xds.registry.build import entry, submission
from xds.datatypes.hl7 import CX, HD
from xds.errors import RequestRejected
from xds.patients.domains import Domain, Domains, Mode
from xds.patients.queries import CrossReferenceQuery
from xds.registry import AffinityDomain, DocumentRegistry
from xds.vocab.errors import ErrorCode


@pytest.fixture
def translating(new_region: Callable[..., Region]) -> Region:
    rows = [Domain(authority=HOSPITAL_A), Domain(authority=HOSPITAL_B)]
    region = new_region(Domains(rows, affinity=AFFINITY, mode=Mode.ASSIGNED))
    domain = AffinityDomain(merges="manager", translate=True)
    return Region(region.manager, DocumentRegistry(region.manager.store, domain=domain))


def ours(region: Region, identifier: CX) -> str:
    """What the manager has assigned."""
    affinity = HD.oid(AFFINITY)
    asked = CrossReferenceQuery(identifier=identifier, domains=(affinity,))
    [found] = region.manager.find_identifiers(asked)
    return wire(found)


def test_submissions_and_queries_under_a_hospitals_number(translating: Region) -> None:
    region = translating
    region.admit(a("1"), demographics=person())
    assert region.submit(a("1")) is None
    own = ours(region, a("1"))
    assert region.documents(a("1")) == region.documents(CX.parse(own)) == [own]


def test_after_a_link_both_numbers_lead_to_everything(translating: Region) -> None:
    region = translating
    for identifier in (a("1"), b("2")):
        region.admit(identifier, demographics=person())
        assert region.submit(identifier) is None
    region.manager.link(a("1"), b("2"), by="clerk")
    assert ours(region, a("1")) == ours(region, b("2"))
    assert region.documents(a("1")) == region.documents(b("2")) == [ours(region, a("1"))] * 2


def test_a_number_that_ended_is_unknown(translating: Region) -> None:
    region = translating
    region.admit(a("1"), demographics=person())
    region.admit(a("2"), demographics=person())
    region.merge(a("2"), a("1"))
    assert region.submit(a("2")) == ErrorCode.UNKNOWN_PATIENT_ID


@pytest.mark.parametrize("patient", [a("9"), CX.of("1", "1.2.3.77"), CX.of("1", AFFINITY)])
def test_what_nobody_is_called_is_refused_as_before(translating: Region, patient: CX) -> None:
    region = translating
    assert region.submit(patient) == ErrorCode.UNKNOWN_PATIENT_ID
    assert region.documents(patient) == []


@pytest.mark.parametrize("patient", ["1", "^^^", "1^^^", "1^^^HA", "1^^^&1.2.3.1&ISO^^x"])
def test_what_is_no_identifier_is_refused_as_before(translating: Region, patient: str) -> None:
    region = translating
    region.admit(a("1"), demographics=person())
    with pytest.raises(RequestRejected) as refused:
        region.registry.register(submission(entry(patient=patient)))
    assert refused.value.code == ErrorCode.REGISTRY_METADATA_ERROR
