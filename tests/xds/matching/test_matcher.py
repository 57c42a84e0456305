"""What the matchers of the shipped profiles decide, on people who do not exist."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.xds.matching.people import FLAT, OTHER_HOSPITAL, chinese, latin, number
from tests.xds.patients.matchers import MatcherConformance
from xds.datatypes.hl7 import XPN
from xds.matching import ProfileMatcher, load_profile, matcher_of
from xds.patients.matching import Decision, IdsMatcher, Matcher, Member
from xds.patients.names import divided

CN = ProfileMatcher(load_profile("cn"))
GENERIC = ProfileMatcher(load_profile("generic"))
LINK, REVIEW, NONE = Decision.LINK, Decision.REVIEW, Decision.NONE


class TestTheProfileForChina(MatcherConformance):
    def matcher(self) -> Matcher:
        return ProfileMatcher(load_profile("cn"))


class TestTheGenericProfile(MatcherConformance):
    def matcher(self) -> Matcher:
        return ProfileMatcher(load_profile("generic"))


def decided(one: Member, *person: Member, by: ProfileMatcher = CN) -> Decision:
    there = by.judge(one, person).decision
    if len(person) == 1:
        assert by.judge(person[0], (one,)).decision is there
    return there


def found(one: Member, other: Member, by: ProfileMatcher = CN) -> bool:
    return bool(set(by.terms(one)) & set(by.terms(other)))


# --------------------------------------------------------------------------- one person, written in many ways

PHONE = "14012345978"
SAME_PERSON = {
    "traditional characters": (chinese("闻人", "知微", phone=PHONE), chinese("聞人", "知微", phone=PHONE)),
    "the whole name in one component": (chinese("闻人知微", "", phone=PHONE), chinese("闻人", "知微", phone=PHONE)),
    "a compound family name divided wrongly": (
        chinese("闻", "人知微", phone=PHONE),
        chinese("闻人", "知微", phone=PHONE),
    ),
    "pinyin only": (chinese("WENREN", "ZHIWEI", phone=PHONE), chinese("闻人", "知微", phone=PHONE)),
    "pinyin, given name first": (chinese("ZHIWEI", "WENREN", phone=PHONE), chinese("闻人", "知微", phone=PHONE)),
    "pinyin in three words": (chinese("WEN REN ZHIWEI", "", phone=PHONE), chinese("闻人", "知微", phone=PHONE)),
    "a family name with a reading of its own": (
        chinese("ZENG", "TUBAO", phone=PHONE),
        chinese("曾", "土宝", phone=PHONE),
    ),
    "ü as v": (chinese("LV", "BAIQIONG", phone=PHONE), chinese("吕", "柏琼", phone=PHONE)),
    "a middle dot that was lost": (
        chinese("阿依努·虚构", "", phone=PHONE),
        chinese("阿依努虚构", "", phone=PHONE),
    ),
    "another middle dot": (chinese("阿依努．虚构", "", phone=PHONE), chinese("阿依努", "虚构", phone=PHONE)),
    "another transcription": (
        chinese("克里木·努尔虚构", "", phone=PHONE),
        chinese("柯里木·努尔虚构", "", phone=PHONE),
    ),
    "blanks in the name": (chinese("闻 人", "知　微", phone=PHONE), chinese("闻人", "知微", phone=PHONE)),
    "a character that could not be sent": (chinese("闻人", "知□", phone=PHONE), chinese("闻人", "知微", phone=PHONE)),
    "a character of the same sound": (chinese("闻人", "之微", phone=PHONE), chinese("闻人", "知微", phone=PHONE)),
    "characters changed places": (chinese("闻人", "微知", phone=PHONE), chinese("闻人", "知微", phone=PHONE)),
    "the short number": (
        chinese(id=(number()[:6] + number()[8:17]), birth_time=""),
        chinese(id=number()),
    ),
    "a number without its check digit": (chinese(id=number()[:17]), chinese(id=number(), birth_time="")),
    "a new name, the same number": (chinese("闻人", "大山", id=number()), chinese("闻人", "知微", id=number())),
    "birth date on the first of January": (
        chinese(birth_time="19870101", phone=PHONE),
        chinese(phone=PHONE),
    ),
    "day and month changed places": (
        chinese(birth_time="19871402"[:4] + "0502", phone=PHONE),
        chinese(birth_time="19870205", phone=PHONE),
    ),
    "another hospital's way to write an address": (
        chinese(street=FLAT),
        chinese(street="河东区学苑小区32-2-203", domain=OTHER_HOSPITAL),
    ),
    "a telephone with a slip": (chinese(phone="14012345978"), chinese(phone="14012345987")),
    "the same mother, and nothing else": (chinese(mother="虚构花"), chinese(mother="虛構花")),
}


@pytest.mark.parametrize("way", SAME_PERSON)
def test_one_person_is_recognised(way: str) -> None:
    one, other = SAME_PERSON[way]
    assert found(one, other)
    assert decided(one, other) is LINK


# --------------------------------------------------------------------------- two people

WITH_ALL = {"phone": PHONE, "street": FLAT, "mother": "虚构花"}
TWO_PEOPLE = {
    "two valid numbers": (chinese(id=number(), **WITH_ALL), chinese(id=number(sequence="125"), **WITH_ALL)),
    "twins by the order of birth": (
        chinese("闻人", "知微", birth_order="1", **WITH_ALL),
        chinese("闻人", "之微", birth_order="2", **WITH_ALL),
    ),
    "strangers of one birth date": (chinese("闻人", "知微"), chinese("万俟", "大山", street=FLAT)),
}


@pytest.mark.parametrize("who", TWO_PEOPLE)
def test_two_people_stay_two_and_nobody_is_asked(who: str) -> None:
    assert decided(*TWO_PEOPLE[who]) is NONE


DOUBTFUL = {
    "another given name": (chinese("闻人", "知微", **WITH_ALL), chinese("闻人", "知秋", **WITH_ALL)),
    "a given name with one character less": (chinese("闻人", "知微", **WITH_ALL), chinese("闻人", "知", **WITH_ALL)),
    "the same sound, and a twin is known": (
        chinese("闻人", "知微", multiple_birth="Y", **WITH_ALL),
        chinese("闻人", "之微", **WITH_ALL),
    ),
    "the same sound, and another telephone": (
        chinese("闻人", "知微", phone=PHONE, street=FLAT),
        chinese("闻人", "之微", phone="14087612340", street=FLAT),
    ),
    "a newborn named after the mother": (
        chinese("虚构花之子", "", phone=PHONE, street=FLAT),
        chinese("闻人", "知微", **WITH_ALL),
    ),
    "a namesake who lives elsewhere": (
        chinese(street=FLAT, phone=PHONE),
        chinese(street="南屏市上海大道阳光花园25幢5单元302号", phone="14087612340"),
    ),
}


@pytest.mark.parametrize("why", DOUBTFUL)
def test_people_decide_what_is_doubtful(why: str) -> None:
    one, other = DOUBTFUL[why]
    assert found(one, other)
    assert decided(one, other) is REVIEW


def test_somebody_elses_card_neither_parts_nor_links() -> None:
    mothers = number("19600303", "124")
    child = chinese(birth_time="20200505", id=mothers, phone=PHONE)
    mother = chinese("万俟", "海棠", birth_time="19600303", sex="F", id=mothers, phone=PHONE)
    assert decided(child, mother) is not LINK
    assert decided(child, chinese(birth_time="20200505", id=number("20200505"), phone=PHONE)) is LINK


@pytest.mark.parametrize(
    "placeholder", ["000000000000000000", "123456789012345678", "111111111111111111", "不详", "无"]
)
def test_a_placeholder_is_no_number(placeholder: str) -> None:
    one, other = chinese("闻人", "知微", id=placeholder), chinese("万俟", "大山", birth_time="19550505", id=placeholder)
    assert not found(one, other)
    assert decided(one, other) is NONE


def test_who_is_not_identified_is_found_by_a_number_alone() -> None:
    assert not list(CN.terms(chinese("无名氏", "", phone=PHONE, street=FLAT)))
    assert not list(CN.terms(chinese("未知", "", phone=PHONE)))
    assert not list(CN.terms(chinese("闻人", "知微", identity_unknown="Y", phone=PHONE)))
    assert decided(chinese("无名氏", "", **WITH_ALL), chinese("无名氏", "", **WITH_ALL)) is not LINK
    assert len(list(CN.terms(chinese("无名氏", "", id=number())))) == 1


# --------------------------------------------------------------------------- all members of a person


def test_a_number_of_another_registration_speaks_too() -> None:
    bare = chinese(phone=PHONE)
    person = (chinese(phone=PHONE, domain=OTHER_HOSPITAL), chinese(id=number()))
    assert CN.judge(chinese(id=number(), phone=PHONE), person).decision is LINK
    verdict = CN.judge(chinese(id=number(sequence="125"), phone=PHONE), (bare, chinese(id=number())))
    assert verdict.decision is REVIEW
    assert "two resident numbers" in verdict.reason
    assert verdict.witness == bare.key


def test_a_registration_may_bring_two_people_together() -> None:
    bridge = chinese(phone=PHONE, id=number())
    one, other = chinese(phone=PHONE), chinese(id=number())
    judged = [(CN.judge(bridge, (m,)), (m,)) for m in (one, other)]
    assert [v.decision for v in CN.among(judged, ())] == [LINK, LINK]


def test_of_two_people_who_cannot_be_one_nobody_is_linked_unless_by_far_the_likelier() -> None:
    looking = chinese(phone=PHONE)
    alike = [chinese(phone=PHONE, id=number(sequence=s)) for s in ("123", "125")]
    for order in permutations(alike):
        judged = [(CN.judge(looking, (m,)), (m,)) for m in order]
        assert [v.decision for v in judged and [v for v, _ in judged]] == [LINK, LINK]
        assert [v.decision for v in CN.among(judged, ())] == [REVIEW, REVIEW]
    quoting = chinese(phone=PHONE, id=number(sequence="123"))
    judged = [(CN.judge(quoting, (alike[0],)), (alike[0],)), (CN.judge(looking, (alike[1],)), (alike[1],))]
    assert [v.decision for v in CN.among(judged, ())] == [LINK, REVIEW]


def test_the_persons_own_registrations_may_speak_against_a_link() -> None:
    looking, own = chinese(phone=PHONE), chinese(phone=PHONE, id=number())
    stranger = chinese(phone=PHONE, id=number(sequence="125"))
    judged = [(CN.judge(looking, (stranger,)), (stranger,))]
    [verdict] = CN.among(judged, (own,))
    assert verdict.decision is REVIEW


# --------------------------------------------------------------------------- Latin letters


def test_latin_names_are_recognised() -> None:
    place = {"street": "7 Invented Crescent", "city": "Nowhere", "code": "9999"}
    ada = latin("Müller-Fictitious", "William", **place)
    for family, given_name in (
        ("Mueller Fictitious", "Bill"),
        ("Muller-Fictitious", "Wiliam"),
        ("William", "Müller-Fictitious"),
    ):
        other = latin(family, given_name, **place)
        assert found(ada, other, GENERIC)
        assert decided(ada, other, by=GENERIC) is LINK


def test_latin_twins_stay_two() -> None:
    place = {"street": "7 Invented Crescent", "city": "Nowhere", "code": "9999", "phone": "555123987"}
    assert decided(latin(given="Castor", **place), latin(given="Pollux", **place), by=GENERIC) is REVIEW


# --------------------------------------------------------------------------- whatever is sent


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=20), st.text(max_size=30), st.text(max_size=8))
def test_nothing_that_is_sent_breaks_it(family: str, given_name: str, id: str, street: str, birth: str) -> None:
    one = chinese(family, given_name, id=id, street=street, phone=street, birth_time=birth, mother=family)
    for by in (CN, GENERIC):
        assert all(len(term) <= 40 for term in by.terms(one))
        by.judge(one, (chinese(), one))
        by.judge(chinese(), (one,))


def test_matchers_have_the_names_that_operators_give() -> None:
    assert matcher_of("off") is None
    assert isinstance(matcher_of("ids"), IdsMatcher)
    found_matcher = matcher_of("cn")
    assert found_matcher is not None
    assert found_matcher.name == "cn_1"
    assert divided(XPN("闻人知微")).family_name == "闻人"
