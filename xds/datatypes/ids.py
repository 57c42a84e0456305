"""Identifiers: OID, UUID, homeCommunityId, and the ones we make ourselves.

The rules are those of ITI TF-3, table 4.2.3.1.7-2. The ``is_…`` functions are called for every submission, so they are
bare regular expressions; none of them raises.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from os import urandom
from typing import Final

OID_MAX_LENGTH: Final = 64

_ARC = r"(?:0|[1-9][0-9]*)"
#: Dot notation without leading zeros and with at least two arcs; the length is checked apart from it.
OID_PATTERN: Final = rf"[0-2](?:\.{_ARC})+"
UUID_PREFIX: Final = "urn:uuid:"
OID_PREFIX: Final = "urn:oid:"

_match_oid = re.compile(OID_PATTERN).fullmatch
_match_uuid = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch


def is_oid(text: str) -> bool:
    """Whether ``text`` is an ISO OID in dot notation, at most 64 characters. First arcs 0, 1 and 2 are all legal."""
    return len(text) <= OID_MAX_LENGTH and _match_oid(text) is not None


def is_uuid(text: str) -> bool:
    """Whether ``text`` is ``urn:uuid:`` and a UUID in lower-case hexadecimal digits, the one legal form."""
    return _match_uuid(text) is not None


def is_symbolic(text: str) -> bool:
    """Whether ``text`` is an id that has a meaning inside its submission only (ITI TF-3, 4.2.3.1.3)."""
    return not text.startswith(UUID_PREFIX)


def is_home_community_id(text: str) -> bool:
    """Whether ``text`` is ``urn:oid:`` and an OID (ITI TF-3, 4.2.3.2.12)."""
    return text.startswith(OID_PREFIX) and is_oid(text[8:])


def _uuid7_hex() -> str:
    # RFC 9562, 5.7 and method 3 of 6.2: 48 bits of milliseconds, 12 bits of their fraction, 62 random bits
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = (rest << 12) // 1_000_000
    random = int.from_bytes(urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    return f"{milliseconds << 16 | 0x7000 | fraction:016x}{random:016x}"


def new_uuid() -> str:
    """A new entryUUID: ``urn:uuid:`` and a UUID that begins with the time (version 7).

    Ids made one after the other lie next to each other, so index inserts stay local.
    """
    h = _uuid7_hex()
    return f"urn:uuid:{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def new_oid() -> str:
    """A new OID below 2.25, made from a UUID (ITU-T X.667): unique without an arc of one's own; up to 44 characters."""
    return f"2.25.{int(_uuid7_hex(), 16)}"


@dataclass(frozen=True, slots=True)
class HomeCommunityId:
    """The OID of a community; on the wire ``urn:oid:…`` (ITI TF-3, 4.2.3.2.12)."""

    oid: str

    def __post_init__(self) -> None:
        if not is_oid(self.oid):
            raise ValueError("a homeCommunityId needs an OID of at most 64 characters")

    @classmethod
    def parse(cls, text: str) -> HomeCommunityId:
        """Reads ``urn:oid:…``; a ValueError when it is anything else."""
        if not text.startswith(OID_PREFIX):
            raise ValueError("a homeCommunityId begins with urn:oid:")
        return cls(text[8:])

    def __str__(self) -> str:
        return OID_PREFIX + self.oid
