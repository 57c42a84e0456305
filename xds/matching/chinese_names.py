"""Two names of which one at least is Chinese, or its romanisation, and how alike they are.

Who is registered twice writes the same characters, or others that sound alike, or pinyin. Twins are the danger: their
names differ in one character, often one that sounds alike; so these levels are told apart, and a profile's rules let
none of them link by itself.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from xds.matching.people import MASK, PersonName
from xds.matching.reading import Reading
from xds.matching.spoken import heard, readings, spoken

NAME_LEVELS: Final = (
    "same",
    "same_common",
    "masked",
    "homophone",
    "latin",
    "reordered",
    "variant",
    "dialect",
    "lost",
    "given_only",
    "one_character",
    "one_character_of_two",
    "latin_close",
    "infant_same",
    "infant_of_mother",
    "infant",
    "family_only",
    "different",
)
_TRANSCRIBED: Final = 4  # characters of the shorter name from which on it is one that was transcribed
_ALIKE: Final = 70.0
_LATIN_ALIKE: Final = 84.0
_LONG: Final = 12  # letters


def compare_names(a: Reading, b: Reading) -> str:
    """The level of two registrations' names."""
    one, other = a.name, b.name
    if one is None or other is None:
        return "missing"
    if one.infant or other.infant:
        return _compare_infants(a, b)
    if one.hanzi and other.hanzi:
        if one.hanzi == other.hanzi:
            return "same_common" if a.common else "same"
        return _compare_characters(one, other)
    if one.sounds & other.sounds:
        return "latin"
    if not one.sounds or not other.sounds:
        return "missing"
    alike = max(fuzz.ratio(x, y) for x in one.sounds for y in other.sounds)
    slips = min(OSA.distance(x, y, score_cutoff=2) for x in one.sounds for y in other.sounds)
    if slips == 1 or (alike >= _LATIN_ALIKE and min(len(one.sound), len(other.sound)) >= _LONG):
        return "latin_close"
    return "family_only" if alike >= _LATIN_ALIKE else "different"


@lru_cache(65_536)
def _compare_characters(one: PersonName, other: PersonName) -> str:
    x, y = one.hanzi, other.hanzi
    if MASK in x or MASK in y:
        return _compare_masked(x, y)
    if one.sounds & other.sounds:
        return "homophone"
    if len(x) == len(y) and sorted(x) == sorted(y):
        return "reordered"
    if min(len(x), len(y)) >= _TRANSCRIBED and _is_variant(x, y):
        return "variant"
    if min(len(x), len(y)) >= 2 and heard(x) & heard(y):
        return "dialect"
    shorter, longer = (x, y) if len(x) < len(y) else (y, x)
    if len(shorter) < len(longer) and len(shorter) >= 2 and _is_part(shorter, longer):
        return "lost"
    if one.given == other.given and one.given and one.family != other.family:
        return "given_only"
    if one.family == other.family:
        if len(x) == len(y) and sum(p != q for p, q in zip(x, y, strict=True)) == 1:
            return "one_character" if len(x) >= 3 else "one_character_of_two"
        return "family_only"
    return "different"


def _compare_masked(x: str, y: str) -> str:
    """A name of which some characters are not known, and another."""
    if len(x) != len(y) or any(p != q and MASK not in (p, q) for p, q in zip(x, y, strict=True)):
        return "family_only" if x[0] == y[0] else "different"
    return "masked" if sum(p == q for p, q in zip(x, y, strict=True)) > 1 else "missing"


def _is_variant(x: str, y: str) -> bool:
    """Two transcriptions of one name: they differ in few characters, and these begin or end with the same sound."""
    start = next((i for i, (p, q) in enumerate(zip(x, y, strict=False)) if p != q), min(len(x), len(y)))
    end = 0
    while end < min(len(x), len(y)) - start and x[-1 - end] == y[-1 - end]:
        end += 1
    a, b = x[start : len(x) - end], y[start : len(y) - end]
    if max(len(a), len(b)) > max(3, len(x) // 2) or len(a) != len(b):
        return bool(a and b) and fuzz.ratio(_sound(a), _sound(b)) >= _ALIKE
    return all(p == q or _akin(readings(p), readings(q)) for p, q in zip(a, b, strict=True))


def _sound(text: str) -> str:
    return "".join(readings(character)[0] for character in text)


def _akin(ones: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return any(p[0] == q[0] or (p[1:] == q[1:] and len(p) > 2) for p in ones for q in others)


def _is_part(shorter: str, longer: str) -> bool:
    rest = iter(longer)
    return all(character in rest for character in shorter)


def _compare_infants(a: Reading, b: Reading) -> str:
    one, other = a.name, b.name
    assert one is not None
    assert other is not None
    if one.infant and other.infant:
        return "infant_same" if one.hanzi == other.hanzi else "family_only"
    infant, named = (a, b) if one.infant else (b, a)
    assert infant.name is not None
    mother = set(spoken(infant.name.mother, family=True))
    return "infant_of_mother" if mother & named.mother else "infant"
