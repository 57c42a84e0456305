"""Resident identity numbers of China (GB 11643): 18 characters with a check digit, 15 digits before 1999.

What identifies are the first 17 digits of the long form, the *core*: a short number has them without the century, and
people type the check digit ``X`` in many ways. A number says its bearer's birth date and sex.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK: Final = "10X98765432"
_FULL_WIDTH: Final = str.maketrans("０１２３４５６７８９Ｘｘ＊", "0123456789XX*")
_EARLIEST: Final = 1880


class ResidentNumber(NamedTuple):
    """A number that was read: ``valid`` when it can be one, as far as its form tells."""

    core: str  # 17 digits
    valid: bool
    birth: str  # YYYYMMDD, empty when it is no day of the calendar
    sex: str  # M or F


@lru_cache(65_536)
def read_resident(text: str) -> ResidentNumber | None:
    """The resident number that was meant by ``text``; None when it has not the form of one, or is a placeholder."""
    text = "".join(text.translate(_FULL_WIDTH).split()).upper()
    if text[:2] == "19" and len(text) == 17:  # a short number is never longer
        return None
    body, check = text[:17], text[17:]
    if len(text) == 15:
        body, check = f"{text[:6]}19{text[6:]}", ""
    if len(body) != 17 or len(check) > 1 or not (body.isascii() and body.isdigit()) or _is_placeholder(body):
        return None
    right = check_digit(body)
    birth = body[6:14]
    known = check not in ("", "*")
    valid = _is_day(birth) and (not known or check == right)
    return ResidentNumber(body, valid, birth if _is_day(birth) else "", "M" if int(body[16]) % 2 else "F")


def has_resident_form(text: str) -> bool:
    """Whether ``text`` has the length and the digits of one, a placeholder's too."""
    return len(text) in (15, 17, 18) and text[:15].isdigit()


def check_digit(core: str) -> str:
    """The eighteenth character after these seventeen (ISO 7064, MOD 11-2)."""
    return _CHECK[sum(w * int(d) for w, d in zip(_WEIGHTS, core, strict=True)) % 11]


def _is_day(text: str) -> bool:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:])).year >= _EARLIEST
    except ValueError:
        return False


def _is_placeholder(core: str) -> bool:
    return (
        len(set(core)) < 3 or core[6:] == "0" * 11 or core in "01234567890123456789012345" or core[6:14] == "12345678"
    )


def is_slip(one: str, other: str) -> bool:
    """Whether two texts of one length differ in one place, or in two neighbours that changed theirs."""
    if len(one) != len(other):
        return False
    places = [i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    if len(places) == 1:
        return True
    if len(places) != 2 or places[1] != places[0] + 1:
        return False
    first, second = places
    return one[first] == other[second] and one[second] == other[first]
