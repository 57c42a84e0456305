"""Telephone numbers and Chinese addresses as they are compared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from xds.datatypes.hl7 import XAD, XTN

_DIGITS: Final = str.maketrans("０１２３４５６７８９－", "0123456789-")
_NUMERALS: Final = {c: str(n) for n, c in enumerate("零一二三四五六七八九")} | {"〇": "0", "两": "2"}
_BEFORE_UNIT: Final = re.compile(r"([一二三四五六七八九十]{1,3})(?=[组社栋幢座楼单号室村弄])")
_FLAT: Final = re.compile(r"(\d+)(?:栋|幢|号楼|座|#|-)(\d+)(?:单元|门|-)(\d+)(?:室|号|户)?$")
_ROAD: Final = re.compile(r"^.*?(?:大道|路|街|巷|道|弄)(?:\d+号)?")
_REGION: Final = re.compile(
    r"^(?:.{2,4}?(?:省|自治区))?(?:.{2,4}?市(?=.{2,7}?[区县市旗]))?(.{1,7}?(?:自治县|自治旗|[区县市旗]))"
)
_VILLAGE: Final = re.compile(r"(\w{1,8}?[镇乡])?(\w{2,8}?村)(?:(\d+)[组社队])?(?:(\d+)号)?$")
_BARE_REGION: Final = re.compile(r"^.{0,12}[省市区县旗]$")


# --------------------------------------------------------------------------- telephone


def read_phones(phones: tuple[XTN, ...]) -> tuple[str, ...]:
    """The numbers that can be somebody's, without country code and separators."""
    found = []
    for phone in phones:
        text = f"{phone.area_code}{phone.number}" if phone.number else phone.formatted or phone.text
        if number := read_phone(text):
            found.append(number)
    return tuple(dict.fromkeys(found))


@lru_cache(16_384)
def read_phone(text: str) -> str:
    """A telephone number's digits; empty for a placeholder."""
    digits = "".join(c for c in text.translate(_DIGITS) if c in "0123456789")
    for prefix in ("0086", "86"):
        if digits.startswith(prefix) and len(digits) - len(prefix) in (10, 11, 12):
            digits = digits[len(prefix) :]
    if len(digits) == 12 and digits.startswith("01"):  # a mobile number behind a trunk prefix
        digits = digits[1:]
    if len(digits) < 7 or len(set(digits[-7:])) < 2 or digits[-8:] in "0123456789876543210":
        return ""
    return digits


# --------------------------------------------------------------------------- address


@dataclass(frozen=True, slots=True)
class Home:
    """Where somebody lives: a flat of an estate, or a house of a village."""

    district: str = ""
    place: str = ""  # estate, or village with its group
    door: str = ""  # building-unit-room, or house number


def read_home(addresses: tuple[XAD, ...]) -> Home | None:
    """The first address that says anything."""
    for address in addresses:
        home = parse_home(address.street, address.county)
        if home is not None:
            return home
    return None


@lru_cache(8_192)
def parse_home(text: str, county: str = "") -> Home | None:
    """A Chinese address as it is written by hand: 河东区黄河大道89号学苑小区32栋二单元203, 学苑小区32-2-203."""
    text = "".join(text.translate(_DIGITS).split())
    text = _BEFORE_UNIT.sub(lambda found: _number(found[1]), text)
    if not text and not county:
        return None
    region = _REGION.match(text)
    district = county or (region[1] if region else "")
    rest = (
        text[text.find(county) + len(county) :]
        if county and county in text
        else text[region.end() :]
        if region
        else text
    )
    if not rest or _BARE_REGION.match(rest):
        return Home(district) if district else None
    if flat := _FLAT.search(rest):
        estate = _ROAD.sub("", rest[: flat.start()]) or rest[: flat.start()]
        return Home(district, estate, f"{flat[1]}-{flat[2]}-{flat[3]}")
    if village := _VILLAGE.search(rest):
        return Home(district, f"{village[2]}{village[3] or ''}", village[4] or "")
    return Home(district, rest[:40], "")


def _number(text: str) -> str:
    if "十" not in text:
        return "".join(_NUMERALS[c] for c in text)
    tens, _, ones = text.partition("十")
    return f"{_NUMERALS.get(tens, '1')}{_NUMERALS.get(ones, '0')}"
