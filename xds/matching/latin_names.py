"""Family and given names in Latin letters, and how alike two are."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from xds.matching.nicknames import SAME_NAME
from xds.matching.reading import Reading

FAMILY_LEVELS: Final = ("same", "close", "similar", "swapped", "different")
GIVEN_LEVELS: Final = ("same", "nickname", "close", "initial", "similar", "swapped", "different")
_ALIKE, _SLIPS = 0.92, 0.75


def read_latin(reading: Reading) -> tuple[str, str] | None:
    """Family and given name."""
    name = reading.name
    return None if name is None else (name.family, name.given)


def compare_family(a: tuple[str, str], b: tuple[str, str]) -> str:
    return _compare(a[0], b[0], a[1], b[1], given=False)


def compare_given(a: tuple[str, str], b: tuple[str, str]) -> str:
    return _compare(a[1], b[1], a[0], b[0], given=True)


@lru_cache(65_536)
def _compare(x: str, y: str, x_other: str, y_other: str, *, given: bool) -> str:
    if not x or not y:
        return "missing"
    if x == y:
        return "same"
    if given and SAME_NAME.get(x, x) == SAME_NAME.get(y, y):
        return "nickname"
    if DamerauLevenshtein.distance(x, y, score_cutoff=2) <= (1 if min(len(x), len(y)) < 7 else 2):
        return "close"
    if given and (len(x) == 1 or len(y) == 1) and x[0] == y[0]:
        return "initial"
    if _swapped(x, y_other, y, x_other):
        return "swapped"
    return "similar" if JaroWinkler.similarity(x, y) >= 0.86 else "different"


def _swapped(x: str, y_other: str, y: str, x_other: str) -> bool:
    """Whether each name stands in the other's place, one of both perhaps with slips, or missing."""
    first = JaroWinkler.similarity(x, y_other) if y_other else 0.0
    second = JaroWinkler.similarity(y, x_other) if x_other else 0.0
    better, worse = max(first, second), min(first, second)
    return better >= _ALIKE and (worse >= _SLIPS or not (y_other and x_other))
