"""Invented people for the tests of matching."""

from __future__ import annotations

from itertools import count
from typing import Any

from xds.datatypes.hl7 import XAD, XPN, XTN
from xds.matching.resident import check_digit
from xds.patients.demographics import Demographics
from xds.patients.matching import Member
from xds.patients.terms import quoted_entry

HOSPITAL, OTHER_HOSPITAL, NATION = 11, 12, 99
_keys = count(1)
FLAT = "云州市河东区黄河大道89号学苑小区32栋二单元203"


def number(birth: str = "19870214", sequence: str = "123", region: str = "519801") -> str:
    """A resident number of a county that does not exist; an odd sequence is a man's."""
    core = f"{region}{birth}{sequence}"
    return core + check_digit(core)


def chinese(family: str = "闻人", given: str = "知微", *, id: str = "", domain: int = HOSPITAL, **more: Any) -> Member:
    """Somebody of the region."""
    phone, street, mother, alpha = (more.pop(name, "") for name in ("phone", "street", "mother", "alpha"))
    names = [XPN(family, given, name_representation_code="I")] if family or given else []
    if alpha:
        names.append(XPN(*alpha.split("^"), name_representation_code="A"))
    known: dict[str, Any] = {"names": tuple(names), "birth_time": "19870214", "sex": "M", **more}
    if phone:
        known["home_phones"] = (XTN(formatted=phone),)
    if street:
        known["addresses"] = (XAD(street),)
    if mother:
        known["mothers_maiden_names"] = (XPN(mother),)
    quoted = frozenset({quoted_entry(NATION, id)} if id else ())
    return Member(next(_keys), domain, Demographics(**known), quoted)


def latin(family: str = "Fictitious", given: str = "Bartholomew", *, id: str = "", **more: Any) -> Member:
    """Somebody in Latin letters."""
    street, city, code, second, phone = (more.pop(name, "") for name in ("street", "city", "code", "second", "phone"))
    known: dict[str, Any] = {"names": (XPN(family, given),), "birth_time": "19500607", "sex": "M", **more}
    if street or city or code:
        known["addresses"] = (XAD(street, second, city=city, zip_code=code),)
    if phone:
        known["home_phones"] = (XTN(formatted=phone),)
    quoted = frozenset({quoted_entry(NATION, id)} if id else ())
    return Member(next(_keys), HOSPITAL, Demographics(**known), quoted)
