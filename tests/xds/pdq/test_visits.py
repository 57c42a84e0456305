"""ITI-22 against the store of the manager, on SQLite and PostgreSQL: who is found by a visit, and which visits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.xds.pix.conftest import StillClock
from tests.xds.pix.people import AFFINITY, HOSPITAL_A, HOSPITAL_B, Region, a, b, person, x
from xds.datatypes.hl7 import CX, HD, XCN, XPN
from xds.hl7v2.queries import Envelope
from xds.patients.demographics import Demographics
from xds.patients.queries import DemographicsQuery, PatientCriteria, UnknownDomain
from xds.patients.visit import Visit
from xds.pdq import PatientDemographicsSupplier
from xds.transactions.iti22 import decode_response, encode_request
from xds.vocab.hl7 import FeedEvent
from xds_mllp.endpoint import Endpoint

ME = (HD("CONSUMER"), HD("WARD"))


def visit(number: str, authority: HD = HOSPITAL_A, **more: Any) -> Visit:
    more.setdefault("patient_class", "I")
    return Visit(visit_number=CX(number, authority), **more)


@pytest.fixture
def supplier(region: Region, clock: StillClock) -> PatientDemographicsSupplier:
    """Three people with six visits, and one without."""
    ada = {"demographics": person("Fictitious", "Ada", sex="F")}
    region.admit(
        a("1"),
        x("P1"),
        **ada,
        visit=visit(
            "V-100",
            location=("W1", "R2", "", "HA&1.2.3.1&ISO"),
            attending_doctors=(XCN("D7", "Imaginaire", "Zoë", assigning_authority=HOSPITAL_A), XCN("D8", "Unreal")),
            hospital_service="CAR",
            admit_time="20260201120000+0100",
            discharge_time="20260203",
        ),
    )
    region.admit(a("1"), x("P1"), **ada, visit=visit("V-101", location=("W\\T\\2",), admit_time="20260210"))
    region.admit(a("1"), **ada, visit=Visit(patient_class="O", admit_time="20251224"))
    adam = {"demographics": person("Fictitious", "Adam", sex="M")}
    region.admit(b("2"), **adam, visit=visit("V-100", HOSPITAL_B, location=("W1",), admit_time="20260105"))
    region.admit(b("2"), **adam, visit=visit("E/9", HOSPITAL_B, patient_class="E", referring_doctors=(XCN("D7"),)))
    chinese = Demographics(names=(XPN("歐陽", "示例"),))
    region.admit(
        b("3"),
        demographics=chinese,
        visit=Visit(
            patient_class="P", consulting_doctors=(XCN("", "王虛構"),), admitting_doctors=(XCN("D9", "王", "虛構"),)
        ),
    )
    region.admit(b("4"), demographics=person("Fictitious", "Bea"))
    return PatientDemographicsSupplier(region.manager.store, domains=region.manager.domains, clock=clock)


def asked(*, domains: tuple[HD, ...] = (), limit: int | None = None, **criteria: Any) -> DemographicsQuery:
    return DemographicsQuery(
        criteria=PatientCriteria(**criteria), with_visits=True, domains=domains, limit=limit, requester=ME, tag="Q1"
    )


def ask(supplier: PatientDemographicsSupplier, **criteria: Any) -> list[tuple[str, str]]:
    """The first identifier and the visit of each record: its number, or its class when it has none."""
    answer = supplier.find(asked(**criteria))
    assert answer.total == len(answer.records)
    found = []
    for record in answer.records:
        assert record.visit is not None
        found.append((record.identifiers[0].id, record.visit.visit_number.id or record.visit.patient_class))
    return found


ADA = [("P1", "V-101"), ("P1", "V-100"), ("P1", "O")]
ADAM = [("2", "E/9"), ("2", "V-100")]
CHINESE = [("3", "P")]


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        ({"family_name": "Fictitious"}, ADA + ADAM),
        ({"given_name": "ada"}, ADA),
        ({"given_name": "bea"}, []),
        ({"identifiers": (x("P1"),)}, ADA),
        ({"identifiers": (a("1"),), "visit": Visit(patient_class="i")}, ADA[:2]),
        ({"visit": Visit(patient_class="I")}, [*ADA[:2], ADAM[1]]),
        ({"visit": Visit(patient_class="*")}, []),
        ({"visit": Visit(location=("w1",))}, [ADA[1], ADAM[1]]),
        ({"visit": Visit(location=("W1", "R2"))}, [ADA[1]]),
        ({"visit": Visit(location=("", "r*"))}, [ADA[1]]),
        ({"visit": Visit(location=("", "", "", "HA"))}, [ADA[1]]),
        ({"visit": Visit(location=("", "", "", "&1.2.3.1&ISO"))}, [ADA[1]]),
        ({"visit": Visit(location=("", "", "", "1.2.3.2"))}, []),
        ({"visit": Visit(location=("W\\T\\2",))}, [ADA[0]]),
        ({"visit": Visit(attending_doctors=(XCN("d-7"),))}, [ADA[1]]),
        ({"visit": Visit(attending_doctors=(XCN("D7", assigning_authority=HD("HA")),))}, [ADA[1]]),
        ({"visit": Visit(attending_doctors=(XCN("D7", assigning_authority=HOSPITAL_B),))}, []),
        ({"visit": Visit(attending_doctors=(XCN("D*"),))}, [ADA[1]]),
        ({"visit": Visit(attending_doctors=(XCN("", "imag*", "zoe"),))}, [ADA[1]]),
        ({"visit": Visit(attending_doctors=(XCN("D7", "Unreal"),))}, []),
        ({"visit": Visit(attending_doctors=(XCN("D7"), XCN("", "Unreal")))}, [ADA[1]]),
        ({"visit": Visit(referring_doctors=(XCN("D7"),))}, [ADAM[0]]),
        ({"visit": Visit(consulting_doctors=(XCN("", "王", "虚构"),))}, CHINESE),
        ({"visit": Visit(consulting_doctors=(XCN("", "wang"),))}, CHINESE),
        ({"visit": Visit(admitting_doctors=(XCN("", "王虚构"),))}, CHINESE),
        ({"visit": Visit(admitting_doctors=(XCN("", "汪"),))}, []),
        ({"visit": Visit(hospital_service="car")}, [ADA[1]]),
        ({"visit": Visit(hospital_service="*a*")}, [ADA[1]]),
        ({"visit": Visit(admit_time="202602")}, ADA[:2]),
        ({"visit": Visit(admit_time="2026020112", discharge_time="20260203")}, [ADA[1]]),
        ({"visit": Visit(visit_number=CX("v100"))}, [ADA[1], ADAM[1]]),
        ({"visit": Visit(visit_number=CX("V-100", HD("HB")))}, [ADAM[1]]),
        ({"visit": Visit(visit_number=CX("V-100", HD("ELSE")))}, []),
        ({"visit": Visit(visit_number=CX("V-10*"))}, [*ADA[:2], ADAM[1]]),
        ({"visit": Visit(visit_number=CX("*01"))}, [ADA[0]]),
        ({"visit": Visit(visit_number=CX("e9")), "family_name": "Fictitious"}, [ADAM[0]]),
        ({"visit": Visit(visit_number=CX("V*")), "given_name": "Adam"}, [ADAM[1]]),
        ({"visit": Visit(visit_number=CX("e9")), "family_name": "Else"}, []),
        ({"visit": Visit(visit_number=CX("V-100"), location=("W9",))}, []),
        ({"family_name": "ouyang"}, CHINESE),
    ],
)
def test_visits_that_fit_are_found_the_best_people_and_the_newest_visit_first(
    supplier: PatientDemographicsSupplier, criteria: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    assert sorted(ask(supplier, **criteria)) == sorted(found)
    for one in {identifier for identifier, _ in found}:
        theirs = [number for identifier, number in ask(supplier, **criteria) if identifier == one]
        assert theirs == [number for identifier, number in found if identifier == one]


def test_very_names_come_first(region: Region, supplier: PatientDemographicsSupplier) -> None:
    region.admit(b("5"), demographics=person("Ouyang"), visit=visit("V-5"))
    assert ask(supplier, family_name="ouyang") == [("5", "V-5"), *CHINESE]


def test_everybody_with_a_visit_is_found_when_nothing_is_asked(supplier: PatientDemographicsSupplier) -> None:
    assert ask(supplier) == ADA + ADAM + CHINESE


def test_a_query_for_people_may_ask_for_a_visit_too(supplier: PatientDemographicsSupplier) -> None:
    query = replace(asked(visit=Visit(patient_class="I")), with_visits=False)
    answer = supplier.find(query)
    assert [(record.identifiers[0].id, record.visit) for record in answer.records] == [("P1", None), ("2", None)]
    assert answer.total == 2


@pytest.mark.parametrize("teller", [a("1"), x("P1")])
def test_a_visit_is_answered_as_last_told(
    region: Region, supplier: PatientDemographicsSupplier, clock: StillClock, teller: CX
) -> None:
    clock.forward(milliseconds=1)
    moved = visit("V-101", location=("W7",))
    region.send(FeedEvent.UPDATE, teller, demographics=person("Fictitious", "Ada"), visit=moved)
    [record] = supplier.find(asked(visit=Visit(location=("W7",)))).records
    assert record.visit == replace(moved, admit_time="20260210")
    assert ask(supplier, visit=Visit(location=("W\\T\\2",))) == []  # where it was before, by the other identifier
    assert ask(supplier, given_name="ada") == ADA


# --------------------------------------------------------------------------- merges, links


def test_visits_of_who_was_merged_away_are_the_survivors_until_it_is_undone(
    region: Region, supplier: PatientDemographicsSupplier
) -> None:
    number = region.manager.merge(b("2"), b("4"), by="a clerk")
    moved = [("4", number) for _, number in ADAM]
    assert ask(supplier, given_name="Bea") == moved
    assert ask(supplier, visit=Visit(visit_number=CX("E/9"))) == [("4", "E/9")]
    assert ask(supplier, visit=Visit(referring_doctors=(XCN("D7"),))) == [("4", "E/9")]
    assert ask(supplier, given_name="Adam") == []
    region.send(FeedEvent.UPDATE, b("2"), demographics=person("Fictitious", "Adam"), visit=visit("V-7", HOSPITAL_B))
    assert ("4", "V-7") in ask(supplier, given_name="Bea")
    region.manager.undo(number, by="a clerk")
    assert ask(supplier, given_name="Bea") == []
    assert sorted(ask(supplier, given_name="Adam")) == sorted([*ADAM, ("2", "V-7")])


def test_visits_of_linked_people_are_found_with_each(region: Region, supplier: PatientDemographicsSupplier) -> None:
    region.manager.link(a("1"), b("2"), by="a clerk")
    both = ask(supplier, given_name="Ada")
    assert [id for id, _ in both] == ["P1"] * 5
    assert sorted(number for _, number in both) == sorted(number for _, number in ADA + ADAM)
    # what is asked of the person need not stand with the identity that has the visit
    assert ask(supplier, given_name="Ada", visit=Visit(visit_number=CX("e9"))) == [("P1", "E/9")]
    region.manager.unlink(a("1"), b("2"), by="a clerk")
    assert ask(supplier, given_name="Ada") == ADA


def test_visits_without_number_are_one_when_they_are_the_same_or_one_sources(
    region: Region, supplier: PatientDemographicsSupplier, clock: StillClock
) -> None:
    walk_in = Visit(patient_class="O", hospital_service="ENT")
    both = (a("6"), b("6"))
    bo = {"demographics": person("Fictitious", "Bo")}
    region.admit(*both, **bo, visit=walk_in)
    assert ask(supplier, given_name="Bo") == [("6", "O")]
    clock.forward(seconds=1)
    region.admit(a("6"), **bo, visit=Visit(patient_class="E"), recorded_at=clock.now)
    assert sorted(ask(supplier, given_name="Bo")) == [("6", "E"), ("6", "O")]  # the first told without a time
    region.admit(*both, **bo, visit=walk_in, recorded_at=clock.now)
    clock.forward(seconds=1)
    region.admit(a("6"), **bo, visit=Visit(patient_class="E"), recorded_at=clock.now)
    assert ask(supplier, given_name="Bo") == [("6", "E")]


# --------------------------------------------------------------------------- domains, pages


def test_only_people_with_an_identifier_of_the_domains_asked_for(supplier: PatientDemographicsSupplier) -> None:
    answer = supplier.find(asked(family_name="Fictitious", domains=(HD.oid(AFFINITY),)))
    assert [[cx.id for cx in record.identifiers] for record in answer.records] == [["P1"]] * 3
    assert answer.total == 3
    assert supplier.find(asked(given_name="Adam", domains=(HOSPITAL_A,))).records == ()
    with pytest.raises(UnknownDomain):
        supplier.find(asked(given_name="Adam", domains=(HD("NOWHERE"),)))


def test_pages_are_of_visits(region: Region, supplier: PatientDemographicsSupplier) -> None:
    query = asked(family_name="Fictitious", limit=2)
    answers = [supplier.find(query)]
    while answers[-1].pointer:
        answers.append(supplier.find(replace(query, pointer=answers[-1].pointer)))
    assert [len(answer.records) for answer in answers] == [2, 2, 1]
    assert {answer.total for answer in answers} == {5}
    numbers = [record.visit.visit_number.id for answer in answers for record in answer.records if record.visit]
    assert numbers == [number if number != "O" else "" for _, number in ADA + ADAM]


def test_a_page_leaves_out_visits_that_are_another_persons_now(
    region: Region, supplier: PatientDemographicsSupplier
) -> None:
    number = region.manager.merge(b("2"), b("4"), by="a clerk")
    query = asked(given_name="Bea", limit=1)
    first = supplier.find(query)
    assert len(first.records) == 1
    region.manager.undo(number, by="a clerk")
    assert supplier.find(replace(query, pointer=first.pointer)).records == ()


def test_a_result_has_a_limit_of_visits(region: Region, supplier: PatientDemographicsSupplier) -> None:
    small = PatientDemographicsSupplier(region.manager.store, domains=region.manager.domains, most=4)
    assert supplier.find(asked()).total == 6
    assert small.find(asked()).total == 4


# --------------------------------------------------------------------------- the wire


def test_a_feed_and_a_query_through_the_endpoint(region: Region, supplier: PatientDemographicsSupplier) -> None:
    endpoint = Endpoint([region.manager, supplier])
    msh = "MSH|^~\\&|HIS|H|PIX|REGION|20260301120000||ADT^{0}^ADT_A01|{1}|P|2.3.1\rEVN|{0}|20260301120000\r"
    pid = "PID|||77^^^HA&1.2.3.1&ISO||Fictitious^Wim||19700102|M\r"
    feeds = (
        ("A01", "PV1||I|W3^R1^B2^HA&1.2.3.1&ISO||||D1^Imaginaire^Noor|||SUR|||||||D2^Unreal||V77^^^HA&1.2.3.1&ISO"),
        ("A08", "PV1||I|W4||||||||||||||||V77^^^HA&1.2.3.1&ISO" + "|" * 25 + "20260301"),
        ("A08", "PV1||N"),
        ("A28", "PV1||I|||||||||||||||||V78"),
    )
    for n, (event, pv1) in enumerate(feeds):
        (ack,) = endpoint.respond((msh.format(event, n) + pid + pv1 + "\r").encode())
        assert b"MSA|AA" in ack
    envelope = Envelope(
        sending_application=ME[0], sending_facility=ME[1], control_id="Q1", time="20260301", charset="UTF-8"
    )
    query = replace(asked(visit=Visit(visit_number=CX("v77*"))), domains=(HOSPITAL_A,), limit=5)
    message = encode_request(query, envelope)
    (answer,) = endpoint.respond(bytes(message))
    assert b"|RSP^ZV2^RSP_ZV2|" in answer
    [record] = decode_response(answer, message).records
    assert [cx.id for cx in record.identifiers] == ["77"]
    assert record.visit == Visit(
        patient_class="I",
        location=("W4",),
        attending_doctors=(XCN("D1", "Imaginaire", "Noor"),),
        hospital_service="SUR",
        admitting_doctors=(XCN("D2", "Unreal"),),
        visit_number=CX("V77", HOSPITAL_A),
        admit_time="20260301",
    )
    nobody = encode_request(asked(visit=Visit(visit_number=CX("V78"))), envelope)
    (answer,) = endpoint.respond(bytes(nobody))
    assert b"|NF|" in answer
    assert b"\rPV1" not in answer


def test_long_numbers_are_compared_whole(region: Region, supplier: PatientDemographicsSupplier) -> None:
    long = "9" * 60
    region.admit(a("8"), visit=visit(f"{long}A"))
    region.admit(a("9"), visit=visit(f"{long}B"))
    assert ask(supplier, visit=Visit(visit_number=CX(f"{long}B"))) == [("9", f"{long}B")]
    assert ask(supplier, visit=Visit(visit_number=CX(f"{long}a*"))) == [("8", f"{long}A")]
    assert len(ask(supplier, visit=Visit(visit_number=CX(f"{long[:50]}*")))) == 2
