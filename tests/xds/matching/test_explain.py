"""Why two registrations are one person's or not."""

from __future__ import annotations

import json

from tests.xds.matching.people import FLAT, chinese, number
from xds.matching import ProfileMatcher, explain, load_profile
from xds.patients.matching import Decision

CN = ProfileMatcher(load_profile("cn"))


def test_the_bits_add_up() -> None:
    found = explain(CN, chinese(phone="14012345978"), chinese(phone="14012345978"))
    assert found.decision is Decision.LINK
    assert found.total == found.prior + sum(field.bits for field in found.fields)
    assert found.rule == ""
    assert {field.name: field.level for field in found.fields}["phone"] == "same"


def test_the_rule_that_decided_is_named() -> None:
    one, other = chinese(id=number(), street=FLAT), chinese(id=number(sequence="125"), street=FLAT)
    found = explain(CN, one, other)
    assert found.rule == "two resident numbers"
    assert found.decision is Decision.NONE
    assert "rule: two resident numbers (apart)" in str(found)


def test_text_and_json_say_the_same_and_nothing_of_the_patients() -> None:
    one = chinese(phone="14012345978", street=FLAT, mother="虚构花", id=number())
    other = chinese("闻人", "知秋", phone="14012345978", street=FLAT)
    found = explain(CN, one, other)
    told = json.loads(found.as_json())
    assert told["decision"] == found.decision.value == "review"
    assert told["profile"] == "cn_1"
    assert told["shared_keys"] > 0
    for field in told["fields"]:
        assert field["level"] == "missing" or field["name"] in str(found)
    for secret in ("闻人", "知微", "知秋", "1987", "14012345978", "学苑", "虚构", number()):
        assert secret not in str(found) + found.as_json()


def test_who_is_never_compared_is_said() -> None:
    assert "neither is a candidate" in str(explain(CN, chinese(), chinese("万俟", "大山", birth_time="19550505")))
