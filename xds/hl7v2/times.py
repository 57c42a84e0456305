"""TS, the points in time of HL7 v2, as moments that can be compared (HL7 v2.5 2.A.79)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

_match_time = re.compile(r"(\d{4,14})(?:\.(\d{1,6})\d*)?([+-]\d{4})?", re.ASCII).fullmatch
_match_offset = re.compile(r"([+-])(\d{2}):?(\d{2})", re.ASCII).fullmatch
_LENGTHS = frozenset((4, 6, 8, 10, 12, 14))


def zone(name: str) -> tzinfo:
    """A time zone by its IANA name (``Asia/Shanghai``) or its offset (``+08:00``, ``+0800``). ValueError otherwise."""
    try:
        offset = _match_offset(name)
        if offset is not None:
            return _fixed(offset[1] + offset[2] + offset[3])
        return UTC if name == "UTC" else ZoneInfo(name)
    except (LookupError, OSError, ValueError):  # unknown, a folder of the database, a day or more
        raise ValueError(f"no time zone: {name!r}") from None


def _fixed(offset: str) -> tzinfo:
    """``+hhmm``; ValueError for a day or more."""
    minutes = int(offset[1:3]) * 60 + int(offset[3:5])
    if not minutes:
        return UTC
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))


def instant(text: str, default: tzinfo = UTC) -> datetime | None:
    """The moment a TS names, in UTC; None when it is none. What is less precise than a second is its beginning.

    ``default`` is the zone of a time that does not say one.
    """
    match = _match_time(text)
    if match is None or len(match[1]) not in _LENGTHS:
        return None
    digits, fraction, offset = match.groups()
    try:
        there = datetime(
            int(digits[:4]),
            int(digits[4:6] or 1),
            int(digits[6:8] or 1),
            int(digits[8:10] or 0),
            int(digits[10:12] or 0),
            min(int(digits[12:14] or 0), 59),  # a leap second
            int(fraction.ljust(6, "0")) if fraction else 0,
            _fixed(offset) if offset else default,
        )
        return there if there.tzinfo is UTC else there.astimezone(UTC)
    except (ValueError, OverflowError):  # the 31st of February, or the year 0 east of Greenwich
        return None


def own_zone(text: str) -> tzinfo | None:
    """The zone a TS says itself; None when it does not, or is no TS."""
    match = _match_time(text)
    try:
        return _fixed(match[3]) if match is not None and match[3] else None
    except ValueError:
        return None
