from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.xds.pix.conftest import StillClock
from tests.xds.pix.people import AFFINITY, HOSPITAL_A, HOSPITAL_B, Region, a, b, person, x
from xds.datatypes.hl7 import CX, HD, XAD, XPN, XTN
from xds.patients.demographics import Demographics
from xds.patients.domains import Domains
from xds.patients.queries import (
    DemographicsAnswer,
    DemographicsQuery,
    PatientCriteria,
    UnknownContinuation,
    UnknownDomain,
)
from xds.pdq import PatientDemographicsSupplier
from xds.pdq.continuing import Continuations, Held
from xds.vocab.hl7 import FeedEvent

ME = (HD("CONSUMER"), HD("WARD"))


@pytest.fixture
def supplier(region: Region, clock: StillClock) -> PatientDemographicsSupplier:
    """A region of five people."""
    region.admit(
        a("1"),
        x("P1"),
        demographics=person(
            "Fictitious",
            "Ada",
            sex="F",
            addresses=(XAD("1 Made Up Street", city="Nowhere", state="NS", zip_code="12 345", country="NZL"),),
            home_phones=(XTN("555-0101"),),
            account_number=CX("ACC-1", HOSPITAL_A),
            mothers_maiden_names=(XPN("Invented"),),
        ),
    )
    region.admit(a("2"), demographics=person("Fictitious", "Adam", sex="M", birth_time="197002031200"))
    region.admit(b("3"), demographics=person("Müllerin", "Zoë", birth_time="1985"))
    region.admit(b("4"), demographics=Demographics(names=(XPN("歐陽", "示例"),), birth_time="19900909"))
    region.admit(b("5"), demographics=Demographics(names=(XPN("王虛構"),), birth_time="19910909"))
    return PatientDemographicsSupplier(region.manager.store, domains=region.manager.domains, clock=clock)


def ask(supplier: PatientDemographicsSupplier, **criteria: Any) -> list[str]:
    """The first identifier of each person found."""
    answer = supplier.find(DemographicsQuery(criteria=PatientCriteria(**criteria)))
    assert answer.total == len(answer.records)
    return [record.identifiers[0].id for record in answer.records]


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        ({"family_name": "FICTITIOUS"}, ["P1", "2"]),
        ({"family_name": "Fictitious", "given_name": "Ada"}, ["P1"]),
        ({"family_name": "Fictitious", "given_name": "ada*"}, ["P1", "2"]),
        ({"family_name": "Fict*", "birth_time": "19700102"}, ["P1"]),
        ({"family_name": "*itious"}, ["P1", "2"]),
        ({"family_name": "*ctit*"}, ["P1", "2"]),
        ({"given_name": "*dam"}, ["2"]),
        ({"family_name": "ict*"}, []),
        ({"family_name": "mullerin"}, ["3"]),
        ({"family_name": "Muellerin", "given_name": "zoe"}, ["3"]),
        ({"family_name": "欧阳"}, ["4"]),
        ({"family_name": "歐陽", "given_name": "示例"}, ["4"]),
        ({"family_name": "Ouyang"}, ["4"]),
        ({"family_name": "ouy*"}, ["4"]),
        ({"family_name": "王虚构"}, ["5"]),
        ({"family_name": "Wang", "given_name": "xugou"}, ["5"]),
        ({"family_name": "汪"}, []),
        ({"birth_time": "19700203"}, ["2"]),
        ({"birth_time": "1970020312"}, ["2"]),
        ({"birth_time": "1970"}, ["P1", "2"]),
        ({"birth_time": "1985"}, ["3"]),
        ({"sex": "f"}, ["P1"]),
        ({"street": "1 made up street"}, ["P1"]),
        ({"city": "Nowhere", "state": "NS", "country": "nzl"}, ["P1"]),
        ({"city": "Nowhere", "country": "AUS"}, []),
        ({"postal_code": "12345"}, ["P1"]),
        ({"postal_code": "123*"}, ["P1"]),
        ({"home_phone": "5550101"}, ["P1"]),
        ({"account_number": CX("acc-1")}, ["P1"]),
        ({"account_number": CX("ACC-1", HOSPITAL_B)}, []),
        ({"mothers_maiden_name": "invented"}, ["P1"]),
        ({"identifiers": (CX("1", HD("HA")),)}, ["P1"]),
        ({"identifiers": (CX("1"),)}, ["P1"]),
        ({"identifiers": (a("1"), x("P1"))}, ["P1"]),
        ({"identifiers": (a("1"), b("3"))}, []),
        ({"identifiers": (a("1"),), "family_name": "Else"}, []),
        ({"identifiers": (CX("1", HD.oid("9.9")),)}, []),
    ],
)
def test_who_fits_all_criteria_is_found(
    supplier: PatientDemographicsSupplier, criteria: dict[str, Any], found: list[str]
) -> None:
    assert ask(supplier, **criteria) == found


def test_very_names_come_first(region: Region, supplier: PatientDemographicsSupplier) -> None:
    region.admit(a("6"), demographics=person("Wang", "Ada"))
    assert ask(supplier, family_name="wang") == ["6", "5"]


def test_one_person_is_one_record_with_all_identifiers(region: Region, supplier: PatientDemographicsSupplier) -> None:
    region.manager.link(a("2"), b("3"), by="a clerk")
    answer = supplier.find(DemographicsQuery(criteria=PatientCriteria(family_name="Müllerin")))
    [record] = answer.records
    assert [cx.id for cx in record.identifiers] == ["2", "3"]
    assert record.demographics.birth_time == "1985"
    assert ask(supplier, birth_time="19700203") == ["2"]


def test_who_was_merged_away_does_not_appear(region: Region, supplier: PatientDemographicsSupplier) -> None:
    region.merge(a("2"), a("1"))
    assert ask(supplier, family_name="Fictitious") == ["P1"]
    assert ask(supplier, identifiers=(a("2"),)) == []


def test_only_identifiers_of_the_domains_asked_for_are_answered(supplier: PatientDemographicsSupplier) -> None:
    criteria = PatientCriteria(family_name="Fictitious")
    answer = supplier.find(DemographicsQuery(criteria=criteria, domains=(HD.oid(AFFINITY),)))
    assert [[cx.id for cx in record.identifiers] for record in answer.records] == [["P1"]]
    assert answer.total == 1
    with pytest.raises(UnknownDomain) as refused:
        supplier.find(DemographicsQuery(criteria=criteria, domains=(HOSPITAL_A, HD("X"), HD.oid("9.9"))))
    assert refused.value.ordinals == (2, 3)


# --------------------------------------------------------------------------- pages


def pages(supplier: PatientDemographicsSupplier, query: DemographicsQuery) -> list[DemographicsAnswer]:
    answers = [supplier.find(query)]
    while answers[-1].pointer:
        answers.append(supplier.find(replace(query, pointer=answers[-1].pointer)))
    return answers


def paged(**more: Any) -> DemographicsQuery:
    return DemographicsQuery(criteria=PatientCriteria(birth_time="19"), limit=2, requester=ME, tag="Q1", **more)


def test_pages_are_those_of_the_result_as_first_found(region: Region, supplier: PatientDemographicsSupplier) -> None:
    first = supplier.find(paged())
    region.admit(a("9"), demographics=person("Newcomer"))
    second = supplier.find(paged(pointer=first.pointer))
    again = supplier.find(paged(pointer=first.pointer))
    third = supplier.find(paged(pointer=second.pointer))
    assert second == again
    ids = [record.identifiers[0].id for answer in (first, second, third) for record in answer.records]
    assert ids == ["P1", "2", "3", "4", "5"]
    assert {first.total, second.total, third.total} == {5}
    assert third.pointer == ""
    assert first.pointer.isalnum()


def test_a_pointer_is_good_for_its_requester_until_it_is_cancelled_or_too_old(
    supplier: PatientDemographicsSupplier, clock: StillClock
) -> None:
    pointer = supplier.find(paged()).pointer
    for wrong in (paged(pointer="nobody"), paged(pointer=pointer + "999"), paged(pointer=pointer.partition("P")[0])):
        with pytest.raises(UnknownContinuation):
            supplier.find(wrong)
    with pytest.raises(UnknownContinuation):
        supplier.find(replace(paged(pointer=pointer), requester=(HD("OTHER"), HD())))
    clock.forward(minutes=4)
    supplier.find(paged(pointer=pointer))
    supplier.cancel((HD("OTHER"), HD()), "Q1")
    supplier.find(paged(pointer=pointer))
    clock.forward(minutes=6)
    with pytest.raises(UnknownContinuation):
        supplier.find(paged(pointer=pointer))
    pointer = supplier.find(paged()).pointer
    supplier.cancel(ME, "Q1")
    with pytest.raises(UnknownContinuation):
        supplier.find(paged(pointer=pointer))
    supplier.cancel(ME, "Q1")


def test_results_are_kept_in_bounded_memory(clock: StillClock) -> None:
    continuations = Continuations(keep=60, clock=clock, most_keys=100)
    pointers = [continuations.keep(Held(range(40), None, ME, str(n)), 20) for n in range(4)]
    for pointer in pointers[:2]:
        with pytest.raises(UnknownContinuation):
            continuations.find(pointer, ME)
    for pointer in pointers[2:]:
        assert continuations.find(pointer, ME)[1] == 20


def test_a_result_has_a_limit(region: Region, supplier: PatientDemographicsSupplier) -> None:
    small = PatientDemographicsSupplier(region.manager.store, domains=Domains(affinity=AFFINITY), most=3)
    assert supplier.find(DemographicsQuery(criteria=PatientCriteria())).total == 5
    assert small.find(DemographicsQuery(criteria=PatientCriteria())).total == 3


def test_changed_names_are_found_and_old_ones_are_not(region: Region, supplier: PatientDemographicsSupplier) -> None:
    region.send(FeedEvent.UPDATE, a("2"), demographics=person("Renamed", "Adam"))
    assert ask(supplier, family_name="Renamed") == ["2"]
    assert ask(supplier, family_name="Fictitious", given_name="Adam") == []
