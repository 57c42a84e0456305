"""Names as a search compares them: without case and accents; Chinese in either script, and by pinyin.

The keys of a name are what an index holds. Two ways to write one name share a key: 歐陽 and 欧阳, 欧阳 and Ouyang,
Müller and Mueller. ``query_keys`` gives those of what somebody looks for, which may begin or end with ``*``.

Chinese is read with OpenCC (traditional to simplified, character by character, so that a character has one form in
every name) and pypinyin. Both are loaded by the first Chinese name.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice, product
from typing import Final, Protocol

from xds.datatypes.hl7 import XPN
from xds.vocab.surnames import COMPOUND_SURNAMES, SURNAME_READINGS

WILDCARD: Final = "*"
_MOST_READINGS: Final = 6  # of one name; given names of two characters rarely have more
_PER_CHARACTER: Final = 3
# letters that have no decomposition
_LETTERS: Final = str.maketrans(
    {"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ı": "i", "ŧ": "t", "æ": "ae", "œ": "oe", "þ": "th"}
)
# how German and Nordic names are written where the letter is missing
_SPELLED_OUT: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
# between the parts of names that are transcribed into Chinese: 阿依古丽·买买提
_MIDDLE_DOTS: Final = dict.fromkeys(map(ord, "·•‧∙・･．●"), "·")
# characters that OpenCC keeps apart and registrations do not
_VARIANTS: Final = {"锺": "钟", "叡": "睿", "昇": "升", "陞": "升", "峯": "峰", "羣": "群"}
_HANZI_RANGES: Final = ((0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))


def is_hanzi(character: str) -> bool:
    """Whether this is a Chinese character."""
    code = ord(character)
    if 0x4E00 <= code <= 0x9FFF or code < 0x2E80:
        return code >= 0x4E00
    return code == 0x3007 or any(first <= code <= last for first, last in _HANZI_RANGES)


# --------------------------------------------------------------------------- folding


@lru_cache(16_384)
def folded(text: str) -> str:
    """``text`` without case, accents, blanks and punctuation, in simplified characters."""
    if text.isascii():
        return text.lower() if text.isalnum() else "".join(filter(str.isalnum, text.lower()))
    text = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join([_simplified(c) if is_hanzi(c) else c for c in text if c.isalnum() or _carries_meaning(c)])


def _carries_meaning(character: str) -> bool:
    """Vowel signs of Indic and Thai scripts; not accents, and not the selectors of glyph variants."""
    if not unicodedata.category(character).startswith("M") or unicodedata.combining(character) not in (0, 9):
        return False
    return not (0xFE00 <= ord(character) <= 0xFE0F or 0xE0100 <= ord(character) <= 0xE01EF)


@lru_cache(65_536)
def _simplified(character: str) -> str:
    simple = _converter().convert(character)
    return _VARIANTS.get(simple, simple)


class _Converter(Protocol):
    def convert(self, text: str, /) -> str: ...


@lru_cache(1)
def _converter() -> _Converter:
    from opencc import OpenCC  # 17 ms, and only where Chinese is read

    return OpenCC("t2s")


# --------------------------------------------------------------------------- keys


def search_keys(name: XPN) -> frozenset[str]:
    """Under which texts the family and given name are found."""
    keys = family_keys(name.family_name) if name.family_name else frozenset()
    return keys | given_keys(name.given_name) if name.given_name else keys


@lru_cache(16_384)
def family_keys(text: str) -> frozenset[str]:
    """The keys of a family name. Chinese ones have readings of their own: 曾 is Zeng, not Ceng; both find it."""
    return _keys(text, family=True)


@lru_cache(16_384)
def given_keys(text: str) -> frozenset[str]:
    """The keys of a given name."""
    return _keys(text, family=False)


def _keys(text: str, *, family: bool) -> frozenset[str]:
    whole = folded(text)
    if text.isascii():
        return frozenset((whole,)) if whole else frozenset()
    keys = {whole, *_spelled_out(text)}
    parts = text.translate(_MIDDLE_DOTS).split("·")
    if len(parts) > 1:
        keys.update(map(folded, parts))
    for part in {whole, *(folded(part) for part in parts[:8])}:
        if any(map(is_hanzi, part)):
            keys.update(_readings(part, family=family))
    return frozenset(keys - {""})


def _spelled_out(text: str) -> tuple[str, ...]:
    lower = unicodedata.normalize("NFC", text).casefold()
    spelled = lower.translate(_SPELLED_OUT)
    return (folded(spelled),) if spelled != lower else ()


def _readings(text: str, *, family: bool) -> list[str]:
    """A folded Chinese name in pinyin, in every usual reading; that of its family name first."""
    surname = surname_of(text) if family else ""
    special = SURNAME_READINGS.get(surname, ())
    plain = list(islice(_spoken(text), _MOST_READINGS))
    if not special:
        return plain
    rest = list(islice(_spoken(text[len(surname) :]), _PER_CHARACTER)) or [""]
    return [first + second for first in special for second in rest] + plain


def _spoken(text: str) -> Iterable[str]:
    from pypinyin import Style, pinyin  # 170 ms and 50 MB, and only where Chinese is read

    if not text:
        return ()
    # by the words it knows, then every character by its own readings
    usual = [options[0] for options in pinyin(text, style=Style.NORMAL)]
    single = [pinyin(character, style=Style.NORMAL, heteronym=True)[0][:_PER_CHARACTER] for character in text[:8]]
    every = ["".join(usual), *map("".join, product(*single))] if len(text) <= 8 else ["".join(usual)]
    spelled = [variant for reading in every[: _MOST_READINGS * 2] for variant in _umlauts(reading)]
    return dict.fromkeys(map(folded, spelled))


def _umlauts(reading: str) -> tuple[str, ...]:
    """lü and nü are typed lv, lu and, in passports, lyu."""
    if "lv" not in reading and "nv" not in reading:
        return (reading,)
    return tuple(reading.replace("lv", f"l{u}").replace("nv", f"n{u}") for u in ("v", "u", "yu"))


# --------------------------------------------------------------------------- Chinese full names


def surname_of(text: str) -> str:
    """The family name at the beginning of a Chinese name in simplified characters."""
    for length in (3, 2):
        if text[:length] in COMPOUND_SURNAMES:
            return text[:length]
    return text[:1]


def divided(name: XPN) -> XPN:
    """A Chinese name that stands whole in one component, divided into family and given name; others as they are.

    Names with a middle dot are not divided: what is the family name in them cannot be told.
    """
    whole = name.family_name or name.given_name
    if (name.family_name and name.given_name) or not 2 <= len(whole) <= 5 or not all(map(is_hanzi, whole)):
        return name
    surname = surname_of(folded(whole))
    if len(surname) == len(whole):
        return name
    return replace(name, family_name=whole[: len(surname)], given_name=whole[len(surname) :])


# --------------------------------------------------------------------------- what is looked for


@dataclass(frozen=True, slots=True)
class NameCriterion:
    """What somebody looks for, as keys: one of them must be, or begin, or end, a key of the name."""

    keys: frozenset[str]
    open_start: bool = False  # anything may stand before
    open_end: bool = False

    def fits(self, keys: Iterable[str]) -> bool:
        """Whether a name with these keys (``search_keys``) fits."""
        return any(self._fits(wanted, key) for wanted in self.keys for key in keys)

    def _fits(self, wanted: str, key: str) -> bool:
        if self.open_start and self.open_end:
            return wanted in key
        if self.open_start:
            return key.endswith(wanted)
        return key.startswith(wanted) if self.open_end else key == wanted


def query_keys(text: str) -> NameCriterion:
    """The keys of a criterion. Characters are looked for as characters (王 is not 汪), Latin letters also as pinyin.

    ``*`` at its beginning or end stands for anything; no keys at all when nothing else is in it.
    """
    core = text.strip(WILDCARD)
    keys = {folded(core), *(_spelled_out(core) if not core.isascii() else ())} - {""}
    return NameCriterion(frozenset(keys), text.startswith(WILDCARD), text.endswith(WILDCARD))
