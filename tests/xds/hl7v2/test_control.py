from __future__ import annotations

from datetime import UTC, datetime

from xds.hl7v2.control import control_ids, time_of


def test_control_ids_are_short_and_never_the_same() -> None:
    one, other = control_ids(), control_ids()
    ids = [make() for make in (one, other) for _ in range(1000)]
    assert len(set(ids)) == len(ids)
    assert all(len(control_id) <= 20 and control_id.isalnum() for control_id in ids)


def test_a_time_says_its_zone() -> None:
    assert time_of(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "20260102030405+0000"
