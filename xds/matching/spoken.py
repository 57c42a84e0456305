"""How Chinese names sound: pinyin without tones and separators, per character, and what ears and dialects confuse."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice, product
from typing import Final

from xds.patients.names import folded, is_hanzi, surname_of
from xds.vocab.surnames import SURNAME_READINGS

_PER_CHARACTER: Final = 3
_MOST: Final = 6
# lü and nü are typed lv, lu and, in passports, lyu
_UMLAUT: Final = re.compile(r"(?<=[ln])(?:yu|v)")
# what is one sound to many ears: l and n, r and l, f and h, flat and curled tongues, front and back nasals
_DIALECT: Final = (
    (re.compile(r"([zcs])h"), r"\1"),
    (re.compile(r"(?<=[aei])ng"), "n"),
    (re.compile(r"^[nr]"), "l"),
    (re.compile(r"^hu(?=[aeio])"), "f"),
)


@lru_cache(65_536)
def readings(character: str) -> tuple[str, ...]:
    """The readings of a character in simplified form, the usual one first; other characters are read as they are."""
    if not is_hanzi(character):
        return (character,)
    from pypinyin import Style, pinyin  # 170 ms and 50 MB, and only where Chinese is read

    found = pinyin(character, style=Style.NORMAL, heteronym=True)[0][:_PER_CHARACTER]
    return tuple(dict.fromkeys(joined(folded(reading)) for reading in found))


def joined(latin: str) -> str:
    """Folded Latin letters with one spelling of ü."""
    return _UMLAUT.sub("u", latin) if "v" in latin or "y" in latin else latin


@lru_cache(32_768)
def spoken(text: str, *, family: bool = False) -> tuple[str, ...]:
    """The readings of folded characters, the usual one first; ``family``: they begin with a family name."""
    surname = surname_of(text) if family else ""
    special = SURNAME_READINGS.get(surname, ())
    if special:
        rest = list(islice(product(*map(readings, text[len(surname) :])), _MOST))
        first = [joined(reading) for reading in special]
        ways = [one + "".join(other) for one in first for other in rest]
        # who does not know the name reads its character as usual
        usual = "".join(readings(character)[0] for character in text)
        return tuple(dict.fromkeys([*ways[:_MOST], usual]))
    return tuple(dict.fromkeys(map("".join, islice(product(*map(readings, text)), _MOST))))


@lru_cache(4_096)
def dialect(syllable: str) -> str:
    """A syllable as an ear that does not tell these sounds apart hears it."""
    for pattern, sound in _DIALECT:
        syllable = pattern.sub(sound, syllable)
    return syllable


@lru_cache(32_768)
def heard(text: str) -> frozenset[str]:
    """Characters as such an ear hears them, each in its usual reading and its second one."""
    options = [tuple(map(dialect, readings(character)[:2])) for character in text]
    return frozenset(map("".join, islice(product(*options), _MOST)))
