from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import reading
from tables.periods import (
    BEGINS,
    PERIOD_OF,
    PeriodName,
    as_date,
    day_number,
    first_instant,
    local_day,
)
from tests.builders import day

PERIODS: list[PeriodName] = ["day", "week", "month", "quarter", "year"]
ANY_DAY = st.integers(-(2**31), 2**31)
ZONES = [
    "Europe/Oslo", "America/Sao_Paulo", "Asia/Beirut", "Africa/Cairo", "America/Havana",
    "America/St_Johns", "Asia/Kolkata", "Pacific/Apia", "America/Toronto", "Asia/Gaza", "UTC",
]  # fmt: skip


def test_periods_are_those_of_the_calendar() -> None:
    on = day("2026-01-01")
    assert as_date(BEGINS["week"](PERIOD_OF["week"](on))) == date(2025, 12, 29)
    assert as_date(BEGINS["month"](PERIOD_OF["month"](on))) == date(2026, 1, 1)
    assert as_date(BEGINS["quarter"](PERIOD_OF["quarter"](day("2026-06-30")))) == date(2026, 4, 1)
    assert as_date(BEGINS["year"](PERIOD_OF["year"](day("2026-12-31")))) == date(2026, 1, 1)


@given(ANY_DAY, st.sampled_from(PERIODS))
def test_a_period_begins_where_its_number_does(on: int, name: PeriodName) -> None:
    of, begins = PERIOD_OF[name], BEGINS[name]
    first = begins(of(on))
    assert first <= on < begins(of(on) + 1)
    assert of(first) == of(on) == of(first - 1) + 1


@given(st.dates(), st.sampled_from(PERIODS))
def test_neighbours_are_one_apart_as_python_counts_them(on: date, name: PeriodName) -> None:
    begin = as_date(BEGINS[name](PERIOD_OF[name](day_number(on))))
    assert (
        begin
        == {
            "day": on,
            "week": date.fromordinal(on.toordinal() - on.weekday()),
            "month": on.replace(day=1),
            "quarter": on.replace(month=(on.month - 1) // 3 * 3 + 1, day=1),
            "year": on.replace(month=1, day=1),
        }[name]
    )


@pytest.mark.parametrize(
    ("zone", "on", "instant"),
    [
        ("Europe/Oslo", "2026-03-29", datetime(2026, 3, 28, 23, tzinfo=UTC)),
        ("America/Sao_Paulo", "2018-11-04", datetime(2018, 11, 4, 3, tzinfo=UTC)),
        ("Asia/Beirut", "2022-03-27", datetime(2022, 3, 26, 22, tzinfo=UTC)),
        ("Africa/Cairo", "2014-05-16", datetime(2014, 5, 15, 22, tzinfo=UTC)),
        ("America/Havana", "2021-11-07", datetime(2021, 11, 7, 4, tzinfo=UTC)),
        ("America/St_Johns", "2010-11-07", datetime(2010, 11, 7, 2, 30, tzinfo=UTC)),
        ("America/Toronto", "1919-03-31", datetime(1919, 3, 31, 4, 30, tzinfo=UTC)),
        ("Pacific/Apia", "2011-12-30", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ],
)
def test_a_date_begins_at_its_first_instant(zone: str, on: str, instant: datetime) -> None:
    """Skipped and doubled midnights, a skip that begins the evening before, a date left out."""
    assert first_instant(day(on), ZoneInfo(zone)) == instant


@given(st.dates(date(1950, 1, 1), date(2040, 1, 1)), st.sampled_from(ZONES))
def test_the_reference_finds_the_same_instant_by_looking_at_every_minute(
    on: date, zone: str
) -> None:
    number = day_number(on)
    assert first_instant(number, ZoneInfo(zone)) == reading.begins(number, ZoneInfo(zone))


@given(ANY_DAY, st.sampled_from(ZONES))
def test_no_date_is_too_far(on: int, zone: str) -> None:
    instant = first_instant(on, ZoneInfo(zone))
    assert instant.tzinfo is UTC
    assert isinstance(local_day(instant, ZoneInfo(zone)), int)
