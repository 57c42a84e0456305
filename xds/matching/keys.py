"""Under what a registration is found by those that might be the same person's: the parts that keys are composed of.

A key of a profile is a list of parts. A registration has one key for each combination of their values, and none where
a part has no value. A part alone may be common; composed, they must stay selective among ten million people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from itertools import islice, product
from typing import Final

from xds.matching.reading import Reading
from xds.matching.spoken import dialect, readings, spoken

_MOST: Final = 4  # keys that one registration has of one kind
LETTER: Final = "k"  # of these among the store's search terms


def key_terms(keys: Iterable[tuple[str, tuple[str, ...]]], reading: Reading) -> set[str]:
    """The search terms of the keys ``(name, parts)``."""
    if reading.unidentified:  # only a number can tell who this is
        keys = [key for key in keys if key[1] in (("resident",), ("number",))]
    cache: dict[str, list[str]] = {}
    terms: set[str] = set()
    for name, parts in keys:
        values: list[list[str]] = []
        for part in parts:
            if part not in cache:
                cache[part] = list(islice(PARTS[part](reading), _MOST))
            if not cache[part]:
                break
            values.append(cache[part])
        else:
            for combination in islice(product(*values), _MOST):
                terms.add(LETTER + blake2b("|".join((name, *combination)).encode(), digest_size=8).hexdigest())
    return terms


def _resident(reading: Reading) -> Iterable[str]:
    return (reading.resident.core,) if reading.resident is not None else ()


def _number(reading: Reading) -> Iterable[str]:
    return sorted(reading.numbers)


def _birth(reading: Reading) -> Iterable[str]:
    return reading.births


def _birth_year(reading: Reading) -> Iterable[str]:
    return (reading.births[0][:4],) if reading.births else ()


def _birth_day(reading: Reading) -> Iterable[str]:
    return (reading.births[0][4:],) if reading.births else ()


def _sex(reading: Reading) -> Iterable[str]:
    return (reading.sex,) if reading.sex else ()


def _sound(reading: Reading) -> Iterable[str]:
    """The letters of the whole name as it is usually read, in no order: whichever part came first, wherever blanks are.

    One key and not one for each reading and order: every key costs a page of the index when a registration is new.
    """
    name = reading.name
    if name is None or name.infant or not name.sound:
        return ()
    return ("".join(sorted(name.sound)),)


def _given_sound(reading: Reading) -> Iterable[str]:
    """Each character of a given name as an ear hears it; of a transcribed name the first and the last."""
    name = reading.name
    if name is None or name.infant or not name.hanzi:
        return ()
    given = name.given or name.hanzi
    if len(given) > 2:
        given = name.hanzi[0] + name.hanzi[-1]
    return dict.fromkeys(dialect(reading) for character in given for reading in readings(character)[:1])


def _mother(reading: Reading) -> Iterable[str]:
    """The mother's name, or that of the mother for whom a newborn was named."""
    found = set(reading.mother)
    if reading.name is not None and reading.name.infant:
        found.update(spoken(reading.name.mother, family=True))
    return sorted(found)


def _phone(reading: Reading) -> Iterable[str]:
    return reading.phones


def _door(reading: Reading) -> Iterable[str]:
    """A flat or a house of a village."""
    home = reading.home
    if home is None or not (home.place and home.door):
        return ()
    return (f"{home.place[-2:]}{home.door}",)


def _family(reading: Reading) -> Iterable[str]:
    return (reading.name.family,) if reading.name is not None and reading.name.family else ()


def _given(reading: Reading) -> Iterable[str]:
    return (reading.name.given,) if reading.name is not None and reading.name.given else ()


def _names(reading: Reading) -> Iterable[str]:
    """Either name, whichever of both it is."""
    return (*_family(reading), *_given(reading))


def _starts(reading: Reading) -> Iterable[str]:
    """The beginning of either name."""
    return dict.fromkeys(name[:3] for name in _names(reading))


def _both_names(reading: Reading) -> Iterable[str]:
    """Both names in no order."""
    first, last = "".join(_family(reading)), "".join(_given(reading))
    return ("".join(sorted((first, last))),) if first and last else ()


def _initials(reading: Reading) -> Iterable[str]:
    """The beginnings of both names in either order."""
    first, last = "".join(_family(reading))[:3], "".join(_given(reading))[:3]
    return ("".join(sorted((first, last))),) if first and last else ()


def _part(attribute: str, length: int = 20) -> Callable[[Reading], Iterable[str]]:
    def read(reading: Reading) -> Iterable[str]:
        value = getattr(reading.address, attribute) if reading.address is not None else ""
        return (value[:length],) if value else ()

    return read


PARTS: Final[dict[str, Callable[[Reading], Iterable[str]]]] = {
    "resident": _resident,
    "number": _number,
    "birth": _birth,
    "birth_year": _birth_year,
    "birth_day": _birth_day,
    "sex": _sex,
    "sound": _sound,
    "given_sound": _given_sound,
    "mother": _mother,
    "phone": _phone,
    "door": _door,
    "family": _family,
    "given": _given,
    "names": _names,
    "starts": _starts,
    "both_names": _both_names,
    "initials": _initials,
    "house_number": _part("number"),
    "street": _part("street"),
    "second_line": _part("second"),
    "city": _part("city"),
    "postal_code": _part("code"),
}
