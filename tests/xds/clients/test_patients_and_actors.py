"""Our clients against our manager, registry and supplier, over a socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from xds.clients.patients import Parties, PatientIdentitySource, PdqConsumer, PixConsumer
from xds.datatypes.hl7 import CX, HD, XAD, XPN
from xds.errors import PeerRejected
from xds.patients.demographics import Demographics
from xds.patients.domains import Domain, Domains
from xds.patients.queries import (
    DemographicsQuery,
    PatientCriteria,
    UnknownContinuation,
    UnknownDomain,
    UnknownIdentifier,
)
from xds.pdq.supplier import PatientDemographicsSupplier
from xds.pix import PatientIdentifierCrossReferenceManager
from xds.registry import DEFAULT_ASSIGNING_AUTHORITY as AFFINITY
from xds.registry import AffinityDomain, DocumentRegistry
from xds.stores import open_store
from xds_mllp.client import MllpClient
from xds_mllp.endpoint import Endpoint
from xds_mllp.server import MllpServer

EAST, WEST = HD("EAST", "1.2.3.1", "ISO"), HD("WEST", "1.2.3.2", "ISO")
PARTIES = Parties(application="EHR", facility="CLINIC", receiving_application="PIX", receiving_facility="REGION")
PERSON = Demographics(
    names=(XPN("歐陽", "靜宜"),), birth_time="19800203", sex="F", addresses=(XAD("Kerkstraat 1", "", "Gent"),)
)


@pytest.fixture(params=["pool", "inline"])
def client(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MllpClient]:
    store = open_store(tmp_path / "region.sqlite", documents=tmp_path / "documents", sweep=False)
    domains = Domains([Domain(authority=EAST), Domain(authority=WEST)], affinity=AFFINITY)
    manager = PatientIdentifierCrossReferenceManager(store, domains=domains)
    registry = DocumentRegistry(store, domain=AffinityDomain(assigning_authority=AFFINITY, merges="manager"))
    endpoint = Endpoint([manager, registry, PatientDemographicsSupplier(store, domains=domains)])
    server = MllpServer(endpoint, port=0, inline=request.param == "inline")
    with server.background() as where, MllpClient(*where) as client:
        yield client
    store.close()


@pytest.mark.parametrize("management", [False, True], ids=["ITI-8", "ITI-30"])
def test_what_is_fed_is_found(client: MllpClient, management: bool) -> None:
    source = PatientIdentitySource(client.exchange, PARTIES, management=management)
    pix = PixConsumer(client.exchange, PARTIES)
    east, other, west = CX("1", EAST), CX("2", EAST), CX("9", WEST)
    for identifier in (east, other, west):
        assert source.announce(identifier, PERSON).accepted
    assert pix.identifiers(east) == ()
    source.link(east, west)
    assert pix.identifiers(east, [HD.oid("1.2.3.2")]) == (west,)
    assert pix.identifiers(west, [HD("EAST")]) == (east,)
    source.merge(east, other)
    with pytest.raises(UnknownIdentifier):
        pix.identifiers(other)
    source.change_identifier(CX("1b", EAST), east)
    assert pix.identifiers(west) == (CX("1b", EAST),)
    source.unlink(CX("1b", EAST), west)
    assert pix.identifiers(west) == ()
    with pytest.raises(PeerRejected, match=r"205 at (MRG|PID)"):
        source.merge(west, west)


def test_a_domain_that_is_not_known_is_said(client: MllpClient) -> None:
    PatientIdentitySource(client.exchange, PARTIES).announce(CX("1", EAST), PERSON)
    pix = PixConsumer(client.exchange, PARTIES)
    with pytest.raises(UnknownDomain) as unknown:
        pix.identifiers(CX("1", EAST), [WEST, HD("NOWHERE")])
    assert unknown.value.ordinals == (2,)
    with pytest.raises(UnknownDomain) as unknown:
        PdqConsumer(client.exchange, PARTIES).find(
            PatientCriteria(sex="F", birth_time="19800203"), [HD("NOWHERE"), EAST]
        )
    assert unknown.value.ordinals == (1,)


@pytest.mark.parametrize(
    "criteria",
    [
        PatientCriteria(family_name="欧阳", given_name="静宜"),
        PatientCriteria(family_name="歐陽"),
        PatientCriteria(family_name="OuYang", birth_time="1980"),
        PatientCriteria(given_name="jing*"),
        PatientCriteria(identifiers=(CX("1", EAST),)),
        PatientCriteria(family_name="ouyang", city="gent"),
    ],
)
def test_a_chinese_name_is_found_in_every_spelling(client: MllpClient, criteria: PatientCriteria) -> None:
    PatientIdentitySource(client.exchange, PARTIES).announce([CX("1", EAST), CX("9", WEST)], PERSON)
    (record,) = PdqConsumer(client.exchange, PARTIES).find(criteria)
    assert set(record.identifiers) == {CX("1", EAST), CX("9", WEST)}
    assert record.demographics == PERSON
    (record,) = PdqConsumer(client.exchange, PARTIES).find(criteria, [WEST])
    assert record.identifiers == (CX("9", WEST),)


def test_pages_are_read_and_given_up(client: MllpClient) -> None:
    source, pdq = PatientIdentitySource(client.exchange, PARTIES), PdqConsumer(client.exchange, PARTIES)
    for number in range(5):
        source.announce(CX(f"{number}", EAST), Demographics(names=(XPN("Wohlfahrt", f"Kind{number}"),)))
    criteria = PatientCriteria(family_name="wohlf*")
    pages = list(pdq.search(criteria, page=2))
    assert [len(page.records) for page in pages] == [2, 2, 1]
    assert len({record.identifiers for page in pages for record in page.records}) == 5
    assert {page.total for page in pages} == {5}
    with pdq.search(criteria, page=2) as search:
        first = next(search)
    with pytest.raises(UnknownContinuation):
        pdq.ask(DemographicsQuery(criteria=criteria, pointer=first.pointer, requester=(HD("EHR"), HD("CLINIC"))))
