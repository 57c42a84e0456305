"""Automatic links by trusted identifiers, end to end, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.xds.pix.conftest import StillClock, make_region
from tests.xds.pix.people import AFFINITY, HOSPITAL_A, HOSPITAL_B, Region, a, b, person, wire, x
from xds.datatypes.hl7 import CX, HD
from xds.patients.domains import CheckDigit, Domain, Domains, Mode
from xds.patients.records import FactKind
from xds.registry import AffinityDomain, DocumentRegistry
from xds.stores import SqlStore
from xds.vocab.hl7 import FeedEvent

NATION = HD("NATION", "1.2.156.1", "ISO")
CARD = HD("CARD", "1.2.156.2", "ISO")
RIGHT = "11010519491231002X"  # the example of the standard


def national(id: str = RIGHT) -> CX:
    return CX(id, NATION)


def with_trust(mode: Mode = Mode.EXTERNAL) -> Domains:
    rows = [
        Domain(authority=HOSPITAL_A),
        Domain(authority=HOSPITAL_B),
        Domain(authority=NATION, trusted=True, in_pid_19=True, check_digit=CheckDigit.CN),
        Domain(authority=CARD, trusted=True),
    ]
    return Domains(rows, affinity=AFFINITY, mode=mode)


@pytest.fixture
def trusting(store: SqlStore, clock: StillClock) -> Region:
    return make_region(store, clock, with_trust())


def test_who_quotes_the_same_trusted_identifier_is_one_person(trusting: Region) -> None:
    trusting.admit(a("1"), national())
    trusting.admit(b("2"), demographics=person(ssn=RIGHT.lower()))
    assert trusting.others(a("1")) == ["2", RIGHT]
    assert trusting.others(national()) == ["1", "2"]
    [fact] = [entry.fact for entry in trusting.manager.history(a("1"))]
    assert (fact.kind, fact.origin, fact.reason) == (FactKind.MATCH, "matcher ids", "the same trusted identifier")


@pytest.mark.parametrize("wrong", ["110105194912310021", "000000000000000000", "1234567890", "RIGHT"])
def test_slips_and_placeholders_are_no_evidence(trusting: Region, wrong: str) -> None:
    trusting.admit(a("1"), national(wrong))
    trusting.admit(b("2"), national(wrong))
    assert trusting.others(a("1")) == []
    assert trusting.others(national(wrong)) is None


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"birth_time": "20200101"}, "birth dates differ"),
        ({"sex": "M"}, "sexes differ"),
        ({"family": "Different"}, "no name in common"),
        ({"family": "Different", "sex": "M"}, "no name in common, sexes differ"),
    ],
)
def test_what_speaks_against_it_makes_people_decide(trusting: Region, other: dict[str, Any], reason: str) -> None:
    trusting.admit(a("1"), national(), demographics=person(sex="F"))
    trusting.admit(b("2"), national(), demographics=person(**{"sex": "F", **other}))
    assert trusting.others(a("1"), HOSPITAL_B) == []
    [review] = trusting.manager.reviews()
    assert review.fact.reason == f"the same trusted identifier, but {reason}"
    assert trusting.others(national()) is None  # of two people
    trusting.manager.link(a("1"), b("2"), by="a clerk")
    assert trusting.manager.reviews() == ()
    assert trusting.others(a("1"), HOSPITAL_B) == ["2"]


def test_another_trusted_identifier_that_differs_makes_people_decide(trusting: Region) -> None:
    trusting.admit(a("1"), national(), CX("CARD-10001", CARD))
    trusting.admit(b("2"), national(), CX("CARD-20002", CARD))
    assert trusting.others(a("1"), HOSPITAL_B) == []
    assert len(trusting.manager.reviews()) == 1


def test_what_people_parted_stays_apart(trusting: Region) -> None:
    trusting.admit(a("1"), national())
    trusting.admit(b("2"), national())
    trusting.manager.unlink(a("1"), b("2"), by="a clerk")
    trusting.send(FeedEvent.UPDATE, b("2"), national(), demographics=person(marital_status="M"))
    assert trusting.others(a("1"), HOSPITAL_B) == []


def test_a_corrected_number_dissolves_the_link(trusting: Region) -> None:
    trusting.admit(a("1"), national())
    trusting.admit(b("2"), national())
    assert trusting.others(a("1"), HOSPITAL_B) == ["2"]
    trusting.send(FeedEvent.UPDATE, b("2"), CX("CARD-30003", CARD))
    assert trusting.others(a("1"), HOSPITAL_B) == []


def test_without_a_matcher_nobody_is_linked(new_region: Callable[..., Region]) -> None:
    region = new_region(with_trust(), matcher=None)
    region.admit(a("1"), national())
    region.admit(b("2"), national())
    assert region.others(a("1"), HOSPITAL_B) == []


# --------------------------------------------------------------------------- identifiers of our own


@pytest.fixture
def assigning(store: SqlStore, clock: StillClock) -> Region:
    return make_region(store, clock, with_trust(Mode.ASSIGNED))


def ours(region: Region, identifier: CX) -> CX:
    found = region.others(identifier, HD.oid(AFFINITY))
    assert found is not None
    [id] = found
    return x(id)


def test_a_person_gets_one_identifier_and_keeps_it(assigning: Region) -> None:
    assigning.admit(a("1"), b("2"))
    minted = ours(assigning, a("1"))
    assert ours(assigning, b("2")) == minted
    assert assigning.submit(minted) is None
    assigning.admit(a("3"))
    assert ours(assigning, a("3")) != minted


def test_linked_people_keep_the_older_identifier_and_get_their_own_back(assigning: Region) -> None:
    assigning.admit(a("1"))
    assigning.admit(b("2"))
    one, two = ours(assigning, a("1")), ours(assigning, b("2"))
    assigning.submit(one)
    assigning.submit(two)
    number = assigning.manager.link(a("1"), b("2"), by="a clerk")
    assert ours(assigning, b("2")) == one
    assert len(assigning.documents(one)) == 2
    assert assigning.documents(two) == []
    assigning.manager.undo(number, by="a clerk")
    assert ours(assigning, b("2")) == two
    assert len(assigning.documents(one)) == len(assigning.documents(two)) == 1


def test_a_part_without_an_identifier_gets_one(assigning: Region) -> None:
    assigning.admit(a("1"), b("2"))
    minted = ours(assigning, a("1"))
    assigning.manager.unlink(a("1"), b("2"), by="a clerk")
    assert {ours(assigning, a("1")), ours(assigning, b("2"))} > {minted}


def test_nobody_else_speaks_for_identifiers_that_we_assign(assigning: Region) -> None:
    from xds.patients.feed import FeedRejected, Refusal

    with pytest.raises(FeedRejected) as refused:
        assigning.admit(x("P1"))
    assert refused.value.reason is Refusal.SOURCE_NOT_ALLOWED


def test_people_who_both_have_documents_are_not_joined_unseen(assigning: Region) -> None:
    assigning.admit(a("1"))
    assigning.submit(ours(assigning, a("1")))
    assigning.admit(b("2"))
    assigning.submit(ours(assigning, b("2")))
    for identifier in (a("1"), b("2")):
        assigning.send(FeedEvent.UPDATE, identifier, national())
    assert assigning.others(a("1"), HOSPITAL_B) == []
    [review] = assigning.manager.reviews()
    assert review.fact.reason == "the same trusted identifier; both have documents"


# --------------------------------------------------------------------------- submissions under other identifiers


def test_a_submission_under_a_hospitals_identifier_is_put_under_ours(assigning: Region) -> None:
    translating = AffinityDomain(merges="manager", translate=True)
    region = Region(assigning.manager, DocumentRegistry(assigning.registry.store, domain=translating))
    region.admit(a("1"))
    assert region.submit(a("1")) is None
    assert region.submit(ours(region, a("1"))) is None
    assert region.documents(ours(region, a("1"))) == [wire(ours(region, a("1")))] * 2
    for stranger in (a("9"), x("P9"), CX("1", HD.oid("1.9.9"))):
        assert region.submit(stranger) == "XDSUnknownPatientId"
    assert assigning.submit(a("1")) == "XDSUnknownPatientId"


def test_of_two_names_in_the_affinity_domain_neither_is_taken(region: Region) -> None:
    translating = AffinityDomain(merges="manager", translate=True, patients="any")
    of_both = Region(region.manager, DocumentRegistry(region.registry.store, domain=translating))
    of_both.admit(a("1"), x("P1"))
    assert of_both.submit(a("1")) is None
    of_both.admit(a("1"), x("P2"))
    assert of_both.submit(a("1")) == "XDSUnknownPatientId"
    assert of_both.submit(a("9")) == "XDSUnknownPatientId"
    assert of_both.submit(x("P3")) is None
