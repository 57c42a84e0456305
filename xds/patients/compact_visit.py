"""Visits as bytes for the store, and back: as ``compact`` does it with demographics. A visit takes some 120 bytes."""

from __future__ import annotations

import json
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final

from xds.datatypes.hl7 import CX, XCN
from xds.patients.compact import FORMAT, encode_json, pack, unpack
from xds.patients.visit import Visit

# the letter of each attribute, and what its values are. Letters are stored: they never change.
_LETTERS: Final[dict[str, tuple[str, type[Any]]]] = {
    "patient_class": ("c", str),
    "location": ("l", tuple),
    "attending_doctors": ("a", XCN),
    "referring_doctors": ("r", XCN),
    "consulting_doctors": ("o", XCN),
    "hospital_service": ("s", str),
    "admitting_doctors": ("d", XCN),
    "visit_number": ("n", CX),
    "admit_time": ("i", str),
    "discharge_time": ("e", str),
}
# what was sent as null is not kept: it is gone from what is
assert {*_LETTERS, "deleted"} == {f.name for f in fields(Visit)}

_values_of: Final = attrgetter(*_LETTERS)
_BY_LETTER: Final = {letter: (name, kind) for name, (letter, kind) in _LETTERS.items()}


def encode(visit: Visit) -> bytes:
    """``visit`` as bytes, without ``deleted``; equal values give equal bytes."""
    found: dict[str, Any] = {}
    for (letter, kind), value in zip(_LETTERS.values(), _values_of(visit), strict=True):
        if kind is CX:
            if packed := pack(value):
                found[letter] = packed
        elif value:
            found[letter] = [pack(v) for v in value] if kind is XCN else value
    return _written(found)


def decode(data: bytes) -> Visit:
    """What ``encode`` was given."""
    values: dict[str, Any] = {}
    for letter, value in _read(data).items():
        name, kind = _BY_LETTER[letter]
        if kind is CX:
            values[name] = unpack(CX, value)
        elif kind is XCN:
            values[name] = tuple([unpack(XCN, v) for v in value])
        else:
            values[name] = tuple(value) if kind is tuple else value
    return Visit(**values)


def overlay(old: bytes, new: bytes, deleted: frozenset[str] = frozenset()) -> bytes:
    """What is known after a message that says ``new``: what it leaves out stays, what it sent as null goes.

    HL7 v2 means both so: a field that is empty has not changed (HL7 2.5, 2.10.4).
    """
    known = _read(old) | _read(new)
    for name in deleted:
        known.pop(_LETTERS[name][0], None)
    return _written({letter: known[letter] for letter in _BY_LETTER if letter in known})


def _read(data: bytes) -> dict[str, Any]:
    if not data:
        return {}
    if data[:1] != FORMAT:
        raise ValueError("a visit in a format that this version does not know")
    found: dict[str, Any] = json.loads(data[1:].decode("utf-8", "surrogatepass"))
    return found


def _written(found: dict[str, Any]) -> bytes:
    return FORMAT + encode_json(found).encode("utf-8", "surrogatepass") if found else b""
