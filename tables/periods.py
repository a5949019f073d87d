"""Calendar arithmetic on days: weeks, months, quarters and years, and where a date begins in time.

A period is named by an integer that grows by one from each to the next, so that neighbours are one
apart. Every function takes any day, years before 1 and after 9999 included, and never raises.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from tables.types import Day

Period: TypeAlias = int
PeriodName: TypeAlias = Literal["day", "week", "month", "quarter", "year"]
EPOCH: Final = date(1970, 1, 1).toordinal()
_CYCLE: Final = 146_097
"""Days in 400 Gregorian years, after which the calendar repeats."""
_FIRST: Final = date.min.toordinal() - EPOCH
_LAST: Final = date.max.toordinal() - EPOCH


@lru_cache(maxsize=1 << 16)
def _day_of(day: Day) -> Period:
    """The day itself, as a period: one object for all mentors, which saves 28 bytes each time."""
    return day


@lru_cache(maxsize=1 << 16)
def week_of(day: Day) -> Period:
    """The ISO week, 0 for the one that begins on Monday 1969-12-29."""
    return (day + 3) // 7


@lru_cache(maxsize=1 << 16)
def month_of(day: Day) -> Period:
    """The month, counted from January of year 0."""
    cycles, rest = divmod(day + EPOCH - 1, _CYCLE)
    within = date.fromordinal(rest + 1)
    return (within.year + 400 * cycles) * 12 + within.month - 1


def _quarter_of(day: Day) -> Period:
    """The quarter, counted from the first of year 0."""
    return month_of(day) // 3


def _year_of(day: Day) -> Period:
    """The year."""
    return month_of(day) // 12


def _month_begins(month: Period) -> Day:
    """The first day of a month."""
    year, index = divmod(month, 12)
    cycles, within = divmod(year - 1, 400)
    return date(within + 1, index + 1, 1).toordinal() - EPOCH + cycles * _CYCLE


PERIOD_OF: Final[Mapping[PeriodName, Callable[[Day], Period]]] = {
    "day": _day_of,
    "week": week_of,
    "month": month_of,
    "quarter": _quarter_of,
    "year": _year_of,
}

BEGINS: Final[Mapping[PeriodName, Callable[[Period], Day]]] = {
    "day": lambda period: period,
    "week": lambda period: 7 * period - 3,
    "month": _month_begins,
    "quarter": lambda period: _month_begins(3 * period),
    "year": lambda period: _month_begins(12 * period),
}
"""The first day of a period; its last is the day before the next one begins."""


def bounds(period: PeriodName, first: Day, last: Day | None) -> tuple[Period, Period | None]:
    """The periods that the first and the last of some days are in; None goes on for ever."""
    of = PERIOD_OF[period]
    return of(first), None if last is None else of(last)


def day_number(value: date) -> Day:
    """A date as days since 1970-01-01."""
    return value.toordinal() - EPOCH


def as_date(day: Day) -> date:
    """The date of a day; days outside the years 1 to 9999 become the nearest date there is."""
    return date.fromordinal(min(max(day, _FIRST), _LAST) + EPOCH)


@lru_cache(maxsize=1 << 14)
def first_instant(day: Day, zone: tzinfo) -> datetime:
    """The instant, in UTC, at which a date begins in a time zone.

    Usually local midnight; where the clock skips it, the instant of the skip; where the clock
    shows it twice, the first.
    """
    midnight = datetime.combine(as_date(day), time(), zone)
    try:
        before = midnight.astimezone(UTC)
        after = midnight.replace(fold=1).astimezone(UTC)
    except OverflowError:
        return midnight.replace(tzinfo=UTC)
    return before if before <= after else _skip(after, before, zone)


def _skip(early: datetime, late: datetime, zone: tzinfo) -> datetime:
    """The second in (early, late] from which the offset of `late` is in force."""
    offset = late.astimezone(zone).utcoffset()
    before, since = 0, int((late - early).total_seconds())
    while since - before > 1:
        middle = (before + since) // 2
        if (early + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offset:
            since = middle
        else:
            before = middle
    return early + timedelta(seconds=since)


def local_day(instant: datetime, zone: tzinfo) -> Day:
    """The date that an instant has in a time zone."""
    try:
        return day_number(instant.astimezone(zone).date())
    except OverflowError:
        return day_number(instant.date())
