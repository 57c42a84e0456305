"""The name of a person as it is compared: every way it was written, and how it sounds.

Chinese names are in simplified characters without blanks and middle dots; their family name is told from the given one
where that can be known. Latin names have their letters only, in both orders, since nobody knows which came first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from xds.datatypes.hl7 import XPN
from xds.matching.spoken import joined, spoken
from xds.patients.names import divided, folded, is_hanzi, surname_of

_INFANT: Final = re.compile(r"^(.{1,12}?)(?:之|的)?([子女])(?:婴)?([0-9一二三甲乙]?)$")
_INFANT_MARK: Final = re.compile(r"[之的][子女]|[子女]婴|婴$")
_MASKS: Final = re.compile(r"[□■◻〓�?？*＊]")  # for a character that could not be typed or sent
MASK: Final = "?"
_TITLES: Final = frozenset(("mr", "mrs", "ms", "dr", "miss", "prof", "jr", "sr"))


@dataclass(frozen=True, slots=True)
class PersonName:
    """One person's name, normalised."""

    hanzi: str = ""  # family and given name
    family: str = ""  # Chinese, or folded Latin
    given: str = ""
    sounds: frozenset[str] = frozenset()  # whole names in Latin letters, each order and reading
    sound: str = ""  # the likeliest of them
    mother: str = ""  # a newborn named after her: 王琴之子
    infant: str = ""  # … what stands after her name

    @property
    def latin_only(self) -> bool:
        return not self.hanzi


def read_name(names: tuple[XPN, ...]) -> PersonName | None:
    """The name told by these repetitions; None when they say nothing."""
    hanzi: PersonName | None = None
    latin: list[PersonName] = []
    for name in names:
        if not (name.family_name or name.given_name):
            continue
        family, given = name.family_name, name.given_name
        whole = f"{family}{given}"
        if any(map(is_hanzi, whole)):
            hanzi = hanzi or _chinese(family, given)
        elif read := _latin(family, f"{given} {name.further_given_names}" if name.further_given_names else given):
            latin.append(read)
    if hanzi is None:
        if not latin:
            return None
        first = latin[0]
        if len(latin) > 1:
            first = replace(first, sounds=frozenset().union(*(one.sounds for one in latin)))
        return first
    if latin:
        return replace(hanzi, sounds=hanzi.sounds.union(*(one.sounds for one in latin)))
    return hanzi


@lru_cache(16_384)
def _chinese(family: str, given: str) -> PersonName | None:
    whole = folded(family + given)
    if not whole:
        return None
    if _MASKS.search(family + given):
        return _masked(family + given)
    if _INFANT_MARK.search(whole) and (infant := _INFANT.match(whole)):
        mother = infant[1]
        return PersonName(whole, whole, "", frozenset(), "", mother, infant[2] + infant[3])
    known = divided(XPN("".join(family.split()), "".join(given.split())))
    first, last = folded(known.family_name), folded(known.given_name)
    if first and last and len(first) == 1 and surname_of(whole) != first and len(surname_of(whole)) == 2:
        first, last = whole[:2], whole[2:]  # 欧^阳波勇
        if not last:
            first, last = whole[:1], whole[1:]
    ways = spoken(whole, family=True)
    return PersonName(whole, first, last, frozenset(ways), ways[0])


def _masked(text: str) -> PersonName:
    """A name with characters that nobody knows; it sounds like nothing."""
    whole = MASK.join(map(folded, _MASKS.split(text)))
    return PersonName(whole, surname_of(whole), whole[len(surname_of(whole)) :])


@lru_cache(16_384)
def _latin(family: str, given: str) -> PersonName | None:
    first, last = _words(family), _words(given)
    words = first + last
    if not words:
        return None
    ways = {joined("".join(words))}
    if len(words) > 1:
        ways.add(joined(words[-1] + "".join(words[:-1])))
        ways.add(joined("".join(words[1:]) + words[0]))
        if first and last:
            ways.add(joined("".join(last + first)))
    if not (first and last) and len(words) > 1:
        first, last = words[:1], words[1:]
    return PersonName("", "".join(first), "".join(last), frozenset(ways), joined("".join(words)))


def _words(text: str) -> list[str]:
    words = [folded(word) for word in re.split(r"[\s,.·-]+", text)]
    return [word for word in words if word and word not in _TITLES]


def folded_name(text: str) -> str:
    """A name of a list as ``PersonName`` has it."""
    return folded(text)
