"""A registration as a matcher reads it, normalised once from what its source sent; raw values stay where they are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from xds.matching.contacts import Home, read_home, read_phones
from xds.matching.people import PersonName, read_name
from xds.matching.resident import ResidentNumber, has_resident_form, is_slip, read_resident
from xds.patients.demographics import Demographics
from xds.patients.matching import Member
from xds.patients.names import folded

_SEXES: Final = frozenset(("M", "F"))
WHOLE: Final = frozenset(("home", "parts"))
MULTIPLE: Final = "Y"  # one of several, nobody said which
_NUMBER: Final = re.compile(r"\d+[a-z]?")


@dataclass(frozen=True, slots=True)
class Placeholders:
    """What people type where they know nothing; all folded."""

    names: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    births: frozenset[str] = frozenset()


@dataclass(slots=True)
class Address:
    """An address of street, number and place, folded."""

    number: str = ""
    street: str = ""
    second: str = ""
    city: str = ""
    state: str = ""
    code: str = ""


@dataclass(slots=True)
class Reading:
    """One registration."""

    name: PersonName | None = None
    unidentified: bool = False
    births: tuple[str, ...] = ()  # YYYYMMDD, perhaps no day at all; the second one is that of the resident number
    sex: str = ""
    resident: ResidentNumber | None = None
    own: bool = False  # the resident number is the person's, as far as birth and sex can tell
    numbers: frozenset[str] = frozenset()  # other identifiers of trusted domains, with their domain
    phones: tuple[str, ...] = ()
    home: Home | None = None
    address: Address | None = None
    mother: frozenset[str] = frozenset()  # how her name sounds
    order: str = ""  # of a multiple birth
    common: bool = False  # the name is one of many people's
    terms: frozenset[str] | None = None  # under which it is found
    values: tuple[object, ...] = field(default=())  # as the fields of a profile compare them


def read(member: Member, placeholders: Placeholders, *, wanted: frozenset[str] = WHOLE) -> Reading:
    """What ``member`` says, without placeholders; ``wanted``: the address as a ``home``, in ``parts``, or both."""
    told = member.demographics
    reading = Reading()
    name = read_name(told.names or told.aliases)
    if told.identity_unknown == "Y" or (name is not None and _is_nobody(name, placeholders.names)):
        reading.unidentified, name = True, None
    reading.name = name
    sex = told.sex.upper()
    birth = told.birth_time[:8]
    if len(birth) < 8 or not (birth.isascii() and birth.isdigit()):
        birth = ""
    if birth in placeholders.births:
        birth = ""
    residents, reading.numbers = _numbers(member, placeholders.ids)
    reading.sex = sex if sex in _SEXES else ""
    reading.births = (birth,) if birth else ()
    if residents:
        reading.resident = number = next((r for r in residents if r.valid), residents[0])
        reading.own = number.valid and is_own(number, birth, reading.sex)
        if reading.own:
            reading.sex = reading.sex or number.sex
            if number.birth != birth:
                reading.births += (number.birth,)
    phones = read_phones(told.home_phones + told.business_phones)
    reading.phones = tuple(phone for phone in phones if phone not in placeholders.phones)
    if "home" in wanted:
        reading.home = read_home(told.addresses)
    if "parts" in wanted:
        reading.address = _address(told)
    if told.mothers_maiden_names and (mother := read_name(told.mothers_maiden_names)):
        reading.mother = mother.sounds
    multiple = MULTIPLE if told.multiple_birth == "Y" else ""
    reading.order = told.birth_order if told.birth_order.isdigit() else multiple
    return reading


def _is_nobody(name: PersonName, placeholders: frozenset[str]) -> bool:
    whole = name.hanzi or name.family + name.given
    return whole in placeholders or whole.rstrip("0123456789") in placeholders


def _numbers(member: Member, placeholders: frozenset[str]) -> tuple[list[ResidentNumber], frozenset[str]]:
    residents: list[ResidentNumber] = []
    others: set[str] = set()
    texts: Iterable[str] = member.quoted
    if member.demographics.ssn:
        texts = (*texts, f":{member.demographics.ssn}")
    for entry in texts:
        domain, _, text = entry.partition(":")
        if text.upper() in placeholders:
            continue
        resident = read_resident(text)
        if resident is not None:
            residents.append(resident)
        elif domain and not has_resident_form(text) and is_telling(text):
            others.add(entry)
    return sorted(set(residents), key=lambda r: not r.valid), frozenset(others)


def is_telling(text: str) -> bool:
    """Whether an identifier can be one person's alone: 00000, 1111 and 123456 are not."""
    return len(text) >= 5 and len(set(text)) > 2 and text not in "01234567890123456789"


def is_own(number: ResidentNumber, birth: str, sex: str) -> bool:
    """Whether a number can be this person's: their birth date and sex are in it, but for a slip.

    What is in it speaks of another year or another sex on the card of somebody else: a mother's, a twin's.
    """
    if birth and number.birth != birth:
        same_day = number.birth[4:] == birth[4:] and is_slip(number.birth[:4], birth[:4])
        if not same_day and abs(int(number.birth[:4]) - int(birth[:4])) > 1:
            return False
    return not sex or number.sex == sex


def _address(told: Demographics) -> Address | None:
    for address in told.addresses:
        line = folded_words(address.street)
        if not (line or address.city or address.zip_code):
            continue
        found = _NUMBER.match(line)
        number = found[0] if found else ""
        street = line[len(number) :].strip()
        return Address(
            number,
            street,
            folded_words(address.other_designation),
            folded(address.city),
            folded(address.state),
            folded(address.zip_code),
        )
    return None


def folded_words(text: str) -> str:
    """Folded words with one blank between them."""
    return " ".join(filter(None, map(folded, text.split())))
