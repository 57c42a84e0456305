"""Weights are learned from pairs that numbers label, and from nothing else."""

from __future__ import annotations

import math
import random

from tests.xds.matching.people import chinese, number
from xds.matching import learn, load_profile, parse_profile, rewritten
from xds.matching.train import regress
from xds.patients.matching import Member

FAMILIES, CHARACTERS = "闻万欧诸夏", "知微海棠大山春秋柏琼"


def population(people: int = 220) -> list[Member]:
    """People with valid numbers who are registered twice, and as many namesakes of one birth date."""
    chance = random.Random(7)
    found: list[Member] = []
    for place in range(people):
        family, given = chance.choice(FAMILIES), chance.choice(CHARACTERS) + chance.choice(CHARACTERS)
        birth = f"{1950 + place % 50}{1 + place % 12:02}{1 + place % 28:02}"
        phone = f"140{chance.randrange(10**8):08}"
        ours = {"birth_time": birth, "id": number(birth, f"{2 * (place % 400) + 101:03}"), "phone": phone}
        found.append(chinese(family, given, **ours))
        moved = f"140{chance.randrange(10**8):08}" if place % 4 == 0 else phone
        found.append(chinese(family, given, **{**ours, "phone": moved}))
        theirs = f"140{chance.randrange(10**8):08}"
        namesake = number(birth, f"{2 * (place % 400) + 103:03}")
        found.append(chinese(family, given, birth_time=birth, id=namesake, phone=theirs))
    return found


def test_a_telephone_that_tells_namesakes_apart_gets_weight() -> None:
    learned = learn(load_profile("cn"), population())
    assert learned.same > 100
    assert learned.different > 100
    assert learned.weights["phone"]["same"] > 2
    assert learned.weights["phone"]["different"] < 0
    assert "id" not in learned.weights
    assert "number" not in learned.weights


def test_calibration_is_that_of_pairs_kept_aside() -> None:
    learned = learn(load_profile("cn"), population())
    kept = sum(bin.pairs for bin in learned.calibration)
    assert 0.1 < kept / (kept + learned.same + learned.different) < 0.3
    for bin in learned.calibration:
        if bin.pairs >= 20:
            assert abs(bin.foretold - bin.observed) < 0.2
    assert "calibration" in learned.report()


def test_a_report_tells_no_patient_data() -> None:
    learned = learn(load_profile("cn"), population(30))
    assert not set(FAMILIES + CHARACTERS) & set(learned.report())


def test_a_rewritten_profile_has_the_weights_and_is_otherwise_as_it_was() -> None:
    profile = load_profile("cn")
    learned = learn(profile, population())
    text = rewritten(profile, learned, "ours_2")
    again = parse_profile(text)
    assert again.version == "ours_2"
    assert again.rules == profile.rules
    assert again.keys == profile.keys
    for row, before in zip(again.fields, profile.fields, strict=True):
        if row.name in learned.weights:
            for level, bits in learned.weights[row.name].items():
                assert math.isclose(row.weights[level], bits, abs_tol=0.006), (row.name, level)
        else:
            assert row.weights == before.weights
    comments = [line for line in profile.source.splitlines() if line.startswith("#")]
    assert [line for line in text.splitlines() if line.startswith("#")] == comments


def test_nothing_to_learn_from_changes_nothing_into_certainty() -> None:
    learned = learn(load_profile("cn"), [chinese(), chinese("万俟", "大山")])
    assert learned.same == learned.different == 0
    assert all(bits == 0 for weights in learned.weights.values() for bits in weights.values())


def test_regression_finds_the_log_odds() -> None:
    a, b = (("f", "a"),), (("f", "b"),)
    rows = [(a, True, 900), (a, False, 100), (b, True, 100), (b, False, 900)]
    intercept, weights = regress(rows, ridge=1e-6, rounds=50)
    assert math.isclose(intercept + weights["f", "a"], math.log(9), abs_tol=1e-3)
    assert math.isclose(intercept + weights["f", "b"], -math.log(9), abs_tol=1e-3)
