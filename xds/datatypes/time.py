"""DTM, the points in time of the metadata (ITI TF-3, table 4.2.3.1.7-2): UTC, digits only, of any precision.

``YYYY[MM[DD[hh[mm[ss]]]]]``. A value of low precision stands for the whole span: ``2026`` is every second from
20260101000000 to 20261231235959.
"""

from __future__ import annotations

import time
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

_LENGTHS: Final = frozenset((4, 6, 8, 10, 12, 14))
_LOWEST: Final = "00000101000000"
_HIGHEST: Final = "99991231235959"
_MONTH_DAYS: Final = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _days(year: int, month: int) -> int:
    return _MONTH_DAYS[month] if month != 2 else monthrange(year, month)[1]


def dtm_number(text: str) -> int | None:
    """``text`` padded with the lowest values, as the number YYYYMMDDhhmmss; None when it is not a DTM.

    A real calendar date is required, and the year 0001 at least; 60 seconds are refused.
    """
    if len(text) not in _LENGTHS or not (text.isdigit() and text.isascii()):
        return None
    number = int(text + _LOWEST[len(text) :])
    days, clock = divmod(number, 1_000_000)
    years, day = divmod(days, 100)
    year, month = divmod(years, 100)
    if not (year and 1 <= month <= 12 and 1 <= day <= _days(year, month)):
        return None
    minutes, second = divmod(clock, 100)
    hour, minute = divmod(minutes, 100)
    return number if hour < 24 and minute < 60 and second < 60 else None


def dtm_latest(text: str) -> int | None:
    """``text`` padded with the highest values, as the number YYYYMMDDhhmmss; None when it is not a DTM."""
    number = dtm_number(text)
    if number is None or len(text) == 14:
        return number
    if len(text) == 6:
        return int(text) * 100_000_000 + _days(int(text[:4]), int(text[4:])) * 1_000_000 + 235959
    return int(text + _HIGHEST[len(text) :])


def _instant(number: int) -> datetime:
    return datetime.strptime(f"{number:014d}", "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def utc_now() -> datetime:
    """The system's clock, aware, in UTC."""
    return datetime.now(UTC)


def since_boot() -> tuple[str, float]:
    """Which start of the machine this is, and the seconds since: for all its processes, whatever its clock does.

    The start is "" where the system has no name for it.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
    except OSError:
        boot = ""
    return boot, time.monotonic()


@dataclass(frozen=True, slots=True)
class DTM:
    """A point in time as the sender wrote it; equal to another when the digits, and so the precision, are equal."""

    text: str

    def __post_init__(self) -> None:
        if dtm_number(self.text) is None:
            raise ValueError("a time is YYYY[MM[DD[hh[mm[ss]]]]], a real date, digits only")

    @classmethod
    def parse(cls, text: str) -> DTM:
        """Reads the wire form; a ValueError when it is not one."""
        return cls(text)

    @classmethod
    def of(cls, moment: date | datetime) -> DTM:
        """A date with day precision, or a datetime to the second in UTC. A datetime must be aware."""
        if not isinstance(moment, datetime):
            return cls(f"{moment.year:04d}{moment.month:02d}{moment.day:02d}")
        if moment.tzinfo is None:
            raise ValueError("a datetime without a time zone does not say when: metadata is in UTC")
        moment = moment.astimezone(UTC)
        return cls(
            f"{moment.year:04d}{moment.month:02d}{moment.day:02d}{moment.hour:02d}{moment.minute:02d}{moment.second:02d}"
        )

    @property
    def earliest(self) -> datetime:
        """The first second it may mean, in UTC."""
        return _instant(self.as_number())

    @property
    def latest(self) -> datetime:
        """The last second it may mean, in UTC."""
        number = dtm_latest(self.text)
        assert number is not None
        return _instant(number)

    def as_number(self) -> int:
        """YYYYMMDDhhmmss, padded with the lowest values: how the stores compare times."""
        number = dtm_number(self.text)
        assert number is not None
        return number

    def __str__(self) -> str:
        return self.text
