from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from xds.hl7v2.times import instant, own_zone, zone

SHANGHAI = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=UTC)),
        ("202603", datetime(2026, 3, 1, tzinfo=UTC)),
        ("20260304", datetime(2026, 3, 4, tzinfo=UTC)),
        ("2026030405", datetime(2026, 3, 4, 5, tzinfo=UTC)),
        ("202603040506", datetime(2026, 3, 4, 5, 6, tzinfo=UTC)),
        ("20260304050607", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ("20260304050607.25", datetime(2026, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)),
        ("20260304050607.1234567", datetime(2026, 3, 4, 5, 6, 7, 123_456, tzinfo=UTC)),
        ("20260304050607+0800", datetime(2026, 3, 3, 21, 6, 7, tzinfo=UTC)),
        ("20260304-0530", datetime(2026, 3, 4, 5, 30, tzinfo=UTC)),
        ("20261231235960", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_moment_at_any_precision(text: str, expected: datetime) -> None:
    assert instant(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "x", "20260231", "20261301", "2026030", "202603040", "2026-03-04", "00000101", "20260101+9900", "２０２６"],
)
def test_what_is_no_time_is_no_moment(text: str) -> None:
    assert instant(text) is None


def test_the_zone_of_the_sender_holds_for_times_without_one() -> None:
    assert instant("20260304080000", SHANGHAI) == datetime(2026, 3, 4, tzinfo=UTC)
    assert instant("20260304080000+0000", SHANGHAI) == datetime(2026, 3, 4, 8, tzinfo=UTC)
    assert instant("00010101", SHANGHAI) is None


@pytest.mark.parametrize("name", ["+08:00", "+0800", "Asia/Shanghai"])
def test_a_zone_has_a_name_or_an_offset(name: str) -> None:
    assert zone(name).utcoffset(datetime(2026, 1, 1)) == timedelta(hours=8)
    assert zone("UTC") is UTC
    assert zone("-03:30").utcoffset(None) == timedelta(hours=-3, minutes=-30)


@pytest.mark.parametrize("name", ["", "Nowhere/Town", "+99:00", "../etc", "8"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        zone(name)


def test_a_time_may_say_its_zone() -> None:
    assert own_zone("2026+0800") == SHANGHAI
    assert own_zone("2026") is None
    assert own_zone("+0800") is None
    assert own_zone("2026+9900") is None
