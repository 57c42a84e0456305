from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.datatypes.time import DTM, dtm_latest, dtm_number

LENGTHS = (4, 6, 8, 10, 12, 14)


@pytest.mark.parametrize(
    ("text", "earliest", "latest"),
    [
        ("2026", 20260101000000, 20261231235959),
        ("202602", 20260201000000, 20260228235959),
        ("202402", 20240201000000, 20240229235959),
        ("190002", 19000201000000, 19000228235959),
        ("20260904", 20260904000000, 20260904235959),
        ("2026090412", 20260904120000, 20260904125959),
        ("202609041230", 20260904123000, 20260904123059),
        ("20260904123015", 20260904123015, 20260904123015),
    ],
)
def test_a_time_of_low_precision_is_a_span(text: str, earliest: int, latest: int) -> None:
    assert (dtm_number(text), dtm_latest(text)) == (earliest, latest)
    assert DTM(text).as_number() == earliest
    assert DTM(text).earliest == datetime.strptime(str(earliest), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    assert DTM(text).latest == datetime.strptime(str(latest), "%Y%m%d%H%M%S").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "", "26", "202", "20260", "2026090", "0000", "202613", "202600", "20260931", "20260229", "20260900",
        "2026090424", "202609041260", "20260904123060", "2026090412301", "20260904123015.5", "20260904123015+0800",
        "2026-09-04", " 20260904", "20260904\n", "²026", "٢٠٢٦", "2026090412301500",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    assert dtm_number(text) is None
    assert dtm_latest(text) is None
    with pytest.raises(ValueError) as refused:
        DTM.parse(text)
    assert not text or text not in str(refused.value)


@given(st.datetimes(min_value=datetime(1, 1, 1)), st.sampled_from(LENGTHS))
def test_every_real_moment_is_accepted_at_every_precision(moment: datetime, length: int) -> None:
    text = f"{moment.year:04d}{moment:%m%d%H%M%S}"[:length]
    value = DTM.parse(text)
    assert str(value) == text
    instant = moment.replace(microsecond=0, tzinfo=UTC)
    assert value.earliest <= instant <= value.latest


@given(st.text("0123456789", max_size=16))
def test_digits_are_accepted_exactly_when_the_calendar_has_them(text: str) -> None:
    formats = dict(zip(LENGTHS, ("%Y", "%Y%m", "%Y%m%d", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S"), strict=True))
    try:
        # second 60 or 61 is a time to strptime
        datetime.strptime(text, formats.get(len(text), "-"))
        real = not (len(text) == 14 and text[-2:] > "59")
    except ValueError:
        real = False
    assert (dtm_number(text) is not None) is real


def test_a_datetime_becomes_utc_and_a_date_stays_a_day() -> None:
    beijing = timezone(timedelta(hours=8))
    assert str(DTM.of(datetime(2026, 9, 4, 7, 30, tzinfo=beijing))) == "20260903233000"
    assert str(DTM.of(date(2026, 9, 4))) == "20260904"


def test_a_datetime_without_zone_does_not_say_when() -> None:
    with pytest.raises(ValueError, match="time zone"):
        DTM.of(datetime(2026, 9, 4))
