"""A matcher of a profile at work in the manager, on both databases."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from tests.xds.matching.people import FLAT, number
from tests.xds.pix.conftest import StillClock, make_region
from tests.xds.pix.people import AFFINITY, HOSPITAL_A, HOSPITAL_B, Region, a, b
from xds.datatypes.hl7 import CX, HD, XAD, XPN, XTN
from xds.matching import matcher_of
from xds.matching.rehearsal import Rehearsal
from xds.patients.demographics import Demographics
from xds.patients.domains import Domain, Domains
from xds.patients.matching import Member, trusted_entries
from xds.patients.records import FactKind
from xds.stores import SqlStore

NATION = HD("", "2.16.156.10011.1.3", "ISO")
PHONE = "14012345978"


def domains() -> Domains:
    trusted = Domain(authority=NATION, trusted=True, in_pid_19=True)
    return Domains([Domain(authority=HOSPITAL_A), Domain(authority=HOSPITAL_B), trusted], affinity=AFFINITY)


@pytest.fixture
def china(store: SqlStore, clock: StillClock) -> Region:
    return make_region(store, clock, domains(), matcher=matcher_of("cn"))


def person(family: str = "闻人", given: str = "知微", **more: Any) -> Demographics:
    phone, street = more.pop("phone", ""), more.pop("street", "")
    known: dict[str, Any] = {"names": (XPN(family, given),), "birth_time": "19870214", "sex": "M", **more}
    if phone:
        known["home_phones"] = (XTN(formatted=phone),)
    if street:
        known["addresses"] = (XAD(street),)
    return Demographics(**known)


def linked(region: Region, identifier: CX) -> list[str]:
    """Ids of the hospitals for the same person."""
    return region.others(identifier, HOSPITAL_A, HOSPITAL_B) or []


def test_one_person_is_recognised_and_the_history_says_why(china: Region) -> None:
    china.admit(a("1"), demographics=person(phone=PHONE))
    china.admit(b("2"), demographics=person("WENREN", "ZHIWEI", phone=PHONE))
    assert linked(china, a("1")) == ["2"]
    [found] = [entry for entry in china.manager.history(a("1")) if entry.fact.kind is FactKind.MATCH]
    assert found.fact.origin == "matcher cn_1"
    assert "name latin" in found.fact.reason
    assert "知" not in found.fact.reason


def test_a_number_with_a_slip_is_kept_for_the_matcher_and_not_shown(store: SqlStore, clock: StillClock) -> None:
    china = make_region(store, clock, domains(), matcher=matcher_of("cn"))
    right = number()
    wrong = right[:16] + ("1" if right[16] != "1" else "3") + right[17:]
    china.admit(a("1"), CX(right, NATION), demographics=person("闻人", "知微"))
    china.admit(b("2"), CX(wrong, NATION), demographics=person("闻人", "知秋"))
    assert linked(china, a("1")) == ["2"]


def test_what_is_doubtful_waits_for_people(china: Region) -> None:
    china.admit(a("1"), demographics=person(phone=PHONE, street=FLAT))
    china.admit(b("2"), demographics=person("闻人", "知秋", phone=PHONE, street=FLAT))
    assert linked(china, a("1")) == []
    [waiting] = china.manager.reviews()
    assert waiting.fact.kind is FactKind.REVIEW
    assert "another given name" in waiting.fact.reason


def test_a_registration_brings_two_people_together(china: Region) -> None:
    china.admit(a("1"), demographics=person(phone=PHONE, birth_time=""))
    china.admit(b("2"), demographics=person(ssn=number()))
    assert linked(china, a("1")) == []
    china.admit(a("3"), demographics=person(phone=PHONE, ssn=number()))
    assert sorted(linked(china, a("1"))) == ["2", "3"]


def test_an_update_that_speaks_against_it_undoes_a_link(china: Region) -> None:
    china.admit(a("1"), demographics=person(phone=PHONE, ssn=number()))
    china.admit(b("2"), demographics=person(phone=PHONE))
    assert linked(china, a("1")) == ["2"]
    china.admit(b("2"), demographics=person(phone=PHONE, ssn=number(sequence="125")))
    assert linked(china, a("1")) == []
    assert [e.fact.reason for e in china.manager.history(b("2")) if e.fact.kind is FactKind.UNDO] != []
    china.admit(b("2"), demographics=person(phone=PHONE, ssn=number()))
    assert linked(china, a("1")) == ["2"]


def test_who_ended_speaks_as_the_survivor_does(china: Region) -> None:
    china.admit(a("1"), demographics=person(phone=PHONE))
    china.admit(b("2"), demographics=person(phone=PHONE, ssn=number()))
    assert linked(china, b("2")) == ["1"]
    china.admit(a("3"), demographics=person(ssn=number(sequence="125"), birth_time=""))
    china.merge(a("1"), a("3"))
    assert linked(china, b("2")) == []


def test_a_link_that_people_took_back_is_not_made_again(china: Region) -> None:
    china.admit(a("1"), demographics=person(phone=PHONE))
    china.admit(b("2"), demographics=person(phone=PHONE))
    [found] = [entry for entry in china.manager.history(a("1")) if entry.fact.kind is FactKind.MATCH]
    china.manager.undo(found.fact.number, by="clerk")
    assert linked(china, a("1")) == []
    china.admit(b("2"), demographics=person(phone=PHONE, street=FLAT))
    assert linked(china, a("1")) == []


def test_keys_follow_what_is_known(china: Region) -> None:
    china.admit(a("1"), demographics=person("万俟", "大山", birth_time="19550505", phone="14087612340"))
    china.admit(a("1"), demographics=person(phone=PHONE))
    china.admit(b("2"), demographics=person("万俟", "大山", birth_time="19550505", phone="14087612340"))
    china.admit(b("3"), demographics=person(phone=PHONE))
    assert linked(china, a("1")) == ["3"]


def test_keys_that_too_many_share_find_nobody_and_are_counted(china: Region) -> None:
    for place in range(104):
        china.admit(a(f"{place}"), demographics=person("万俟", f"甲{chr(0x4E00 + place)}", phone=PHONE))
    assert china.manager.tolerated["too many candidates"] > 0


@pytest.mark.parametrize("seed", range(3))
def test_a_rehearsal_comes_to_the_same_people(sqlite_store: SqlStore, clock: StillClock, seed: int) -> None:
    region = make_region(sqlite_store, clock, domains(), matcher=matcher_of("cn"))
    matcher = matcher_of("cn")
    assert matcher is not None
    rehearsal = Rehearsal(matcher)
    chance = random.Random(seed)
    known: dict[CX, int] = {}
    ended: set[CX] = set()
    names = [("闻人", "知微"), ("闻人", "知秋"), ("WENREN", "ZHIWEI"), ("闻人", "之微"), ("万俟", "大山")]
    for _ in range(150):
        make = a if chance.random() < 0.5 else b
        identifier = make(str(chance.randrange(40)))
        if identifier in ended:
            continue
        others = [cx for cx in known if cx.assigning_authority == identifier.assigning_authority and cx not in ended]
        if identifier in known and len(others) > 1 and chance.random() < 0.2:
            prior = chance.choice([cx for cx in others if cx != identifier])
            region.merge(prior, identifier)
            rehearsal.retire(known[prior], known[identifier])
            ended.add(prior)
            continue
        told = person(
            *chance.choice(names),
            phone=chance.choice(["", PHONE, "14087612340"]),
            ssn=chance.choice(["", "", number(), number(sequence="125")]),
            birth_time=chance.choice(["19870214", "19870214", "", "19870412"]),
        )
        # what a message leaves out stays as it was: say it all
        told = replace(told, deleted=frozenset(n for n in ("ssn", "birth_time", "home_phones") if not getattr(told, n)))
        region.admit(identifier, demographics=told)
        key = known.setdefault(identifier, len(known) + 1)
        told = replace(told, deleted=frozenset())
        found = domains().find(identifier.assigning_authority)
        assert found is not None
        quoted = frozenset(trusted_entries(domains(), [], told, slips=True))
        before = rehearsal.members.get(key)
        if not quoted and before is not None:  # a number that was quoted once stays
            quoted = before.quoted
        rehearsal.announce(Member(key, found.number, told, quoted))
    people = rehearsal.people()
    for identifier in known.keys() - ended:
        wanted = {cx.id for cx in known.keys() - ended - {identifier} if people[known[cx]] == people[known[identifier]]}
        assert set(linked(region, identifier)) == wanted
