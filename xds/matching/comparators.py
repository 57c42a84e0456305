"""How two values of a field are compared: a comparator reads a value from a registration and names a level for a pair.

A value that is None is missing; a pair with a missing value has no level and counts nothing. The levels of a comparator
go from best to worst; a profile gives each a weight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Final

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from xds.matching.chinese_names import NAME_LEVELS, compare_names
from xds.matching.latin_names import FAMILY_LEVELS, GIVEN_LEVELS, compare_family, compare_given, read_latin
from xds.matching.reading import MULTIPLE, Reading
from xds.matching.resident import ResidentNumber, is_slip

MISSING: Final = "missing"


@dataclass(frozen=True, slots=True)
class Comparator:
    """``compare`` is only given values that are not None."""

    levels: tuple[str, ...]
    read: Callable[[Reading], Any]
    compare: Callable[[Any, Any], str]
    label: bool = False  # says by itself who is one person: weights of others are learned from it


# --------------------------------------------------------------------------- identifiers


def _resident(reading: Reading) -> tuple[ResidentNumber, bool] | None:
    return None if reading.resident is None else (reading.resident, reading.own)


def compare_residents(a: tuple[ResidentNumber, bool], b: tuple[ResidentNumber, bool]) -> str:
    """``same``; ``doubtful``: the same on somebody else's card; ``close``: one has a slip that shows."""
    (one, own), (other, others_own) = a, b
    if one.core == other.core:
        return "same" if own and others_own else "doubtful"
    if own and others_own:
        return "different"
    if one.valid and other.valid:
        return "unclear"  # the card of somebody else says nothing
    return "close" if is_slip(one.core, other.core) else "far"


def _numbers(reading: Reading) -> frozenset[str] | None:
    return reading.numbers or None


def compare_numbers(a: frozenset[str], b: frozenset[str]) -> str:
    if a & b:
        return "same"
    domains = {entry.partition(":")[0] for entry in a} & {entry.partition(":")[0] for entry in b}
    if not domains:
        return "unclear"
    texts = [(x.partition(":")[2], y.partition(":")[2]) for x in a for y in b]
    return "close" if any(is_slip(x, y) for x, y in texts) else "different"


# --------------------------------------------------------------------------- birth, sex


def _births(reading: Reading) -> tuple[str, ...] | None:
    return reading.births or None


BIRTH_LEVELS: Final = ("same", "swapped", "year_only", "slip", "lunar", "year_off", "near", "same_year", "different")
_RANK: Final = {level: rank for rank, level in enumerate(BIRTH_LEVELS)}


def compare_births(a: tuple[str, ...], b: tuple[str, ...]) -> str:
    """The best level of any birth date told with any other."""
    if a[0] == b[0]:
        return "same"
    if len(a) == len(b) == 1:
        return _compare_days(a[0], b[0])
    return min((_compare_days(x, y) for x in a for y in b), key=_RANK.__getitem__)


def _compare_days(a: str, b: str) -> str:
    if a == b:
        return "same"
    if a[:4] == b[:4]:
        if a[4:6] == b[6:] and a[6:] == b[4:6]:
            return "swapped"
        if a[4:] == "0101" or b[4:] == "0101":
            return "year_only"
    if is_slip(a, b):
        return "slip"
    if abs(int(a[:4]) - int(b[:4])) <= 1:
        one, other = _day(a), _day(b)
        if one is None or other is None:
            return "same_year" if a[:4] == b[:4] else "different"
        days = abs((one - other).days)
        if 17 <= days <= 52:
            return "lunar"
        if a[4:] == b[4:]:
            return "year_off"
        if days <= 3:
            return "near"
        if a[:4] == b[:4]:
            return "same_year"
    return "different"


@lru_cache(32_768)
def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def _sex(reading: Reading) -> str | None:
    return reading.sex or None


def _equal(a: object, b: object) -> str:
    return "same" if a == b else "different"


# --------------------------------------------------------------------------- contacts


def _phones(reading: Reading) -> tuple[str, ...] | None:
    return reading.phones or None


def compare_phones(a: tuple[str, ...], b: tuple[str, ...]) -> str:
    if any(x in b for x in a):
        return "same"
    return "slip" if any(is_slip(x, y) for x in a for y in b) else "different"


def _home(reading: Reading) -> Any:
    return reading.home


def compare_homes(a: Any, b: Any) -> str:
    """``same``: to the door; ``place``: estate or village; ``district``."""
    together = a.place and b.place and _one_place(a.place, b.place)
    if together and (a.door == b.door != ""):
        return "same"
    if together and not (a.door and b.door):
        return "place"
    if together:
        return "neighbour"
    if a.district and a.district == b.district:
        return "district" if a.place and b.place else "unclear"
    return "different" if a.district and b.district else "unclear"


def _one_place(a: str, b: str) -> bool:
    return a == b or (min(len(a), len(b)) >= 2 and (a.endswith(b) or b.endswith(a)))


def _mother(reading: Reading) -> frozenset[str] | None:
    if reading.mother:
        return reading.mother
    return None


def compare_sounds(a: frozenset[str], b: frozenset[str]) -> str:
    return "same" if a & b else "different"


def _order(reading: Reading) -> str:
    return reading.order


def compare_orders(a: str, b: str) -> str:
    """``one``: only one of both is known to have a twin."""
    if not (a and b):
        return "one" if a or b else MISSING
    return "different" if a != b and MULTIPLE not in (a, b) else "same"


def _address(part: str) -> Callable[[Reading], str | None]:
    def read(reading: Reading) -> str | None:
        return (getattr(reading.address, part) or None) if reading.address else None

    return read


def compare_texts(a: str, b: str) -> str:
    """``close``: one or two letters, or the end, are different."""
    if a == b:
        return "same"
    if DamerauLevenshtein.distance(a, b, score_cutoff=2) <= (1 if min(len(a), len(b)) < 6 else 2):
        return "close"
    if JaroWinkler.similarity(a, b) >= 0.9:
        return "similar"
    return "different"


def compare_short(a: str, b: str) -> str:
    """House numbers and postal codes: ``close`` is one slip, or one that is part of the other."""
    if a == b:
        return "same"
    return "close" if DamerauLevenshtein.distance(a, b, score_cutoff=1) <= 1 else "different"


_TEXT: Final = ("same", "close", "similar", "different")
COMPARATORS: Final[dict[str, Comparator]] = {
    "resident": Comparator(
        ("same", "close", "doubtful", "unclear", "far", "different"), _resident, compare_residents, label=True
    ),
    "numbers": Comparator(("same", "close", "unclear", "different"), _numbers, compare_numbers, label=True),
    "chinese_name": Comparator(NAME_LEVELS, lambda reading: reading, compare_names),
    "family_name": Comparator(FAMILY_LEVELS, read_latin, compare_family),
    "given_name": Comparator(GIVEN_LEVELS, read_latin, compare_given),
    "birth": Comparator(BIRTH_LEVELS, _births, compare_births),
    "sex": Comparator(("same", "different"), _sex, _equal),
    "phone": Comparator(("same", "slip", "different"), _phones, compare_phones),
    "home": Comparator(("same", "place", "neighbour", "district", "unclear", "different"), _home, compare_homes),
    "mother": Comparator(("same", "different"), _mother, compare_sounds),
    "birth_order": Comparator(("same", "one", "different"), _order, compare_orders),
    "house_number": Comparator(("same", "close", "different"), _address("number"), compare_short),
    "street": Comparator(_TEXT, _address("street"), compare_texts),
    "second_line": Comparator(_TEXT, _address("second"), compare_texts),
    "city": Comparator(_TEXT, _address("city"), compare_texts),
    "state": Comparator(("same", "different"), _address("state"), _equal),
    "postal_code": Comparator(("same", "close", "different"), _address("code"), compare_short),
}
