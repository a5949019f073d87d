"""What a measure measures: the part of a rule that is the same for every mentor."""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct

from tables import calendars, streaks, totals, windows
from tables.amounts import Choice
from tables.criteria import Calendar, Fixed, Metric, Rolling, Streak, Threshold, Tier
from tables.measures import History, Measure
from tables.periods import PeriodName, day_number
from tables.rows import AFTER_ALL, BEFORE_ALL, DAY_AT, Row, begins, type_number
from tables.types import Day

Kind: TypeAlias = Literal["total", "calendar", "rolling", "streak"]


class Key(Struct, frozen=True):
    """Everything that tells one measure from another; equal keys share one spec."""

    kind: Kind
    metric: Metric
    types: frozenset[str] | None
    since: Day | None
    until: Day | None = None
    days: int = 0
    period: PeriodName = "day"
    per_period: int = 1
    grace: int = 0


class Least(NamedTuple):
    """How many rows and minutes there must be at least, and how far apart in date."""

    rows: int
    minutes: int = 0
    span: Row = 0


class MeasureSpec:
    """A key, and the choice of rows made from it. Compared by identity: see `Specs`."""

    __slots__ = ("choice", "key")

    def __init__(self, key: Key) -> None:
        self.key = key
        types = None if key.types is None else frozenset(map(type_number, key.types))
        low = BEFORE_ALL if key.since is None else begins(key.since)
        high = AFTER_ALL if key.until is None else begins(key.until + 1)
        self.choice = Choice(types, low, high)

    def least(self, level: int) -> Least:
        """What rows there must be, of any kind, before a level can be reached."""
        key = self.key
        if key.kind != "streak":
            return Least(1, level) if key.metric == "minutes" else Least(level)
        apart = (level - 1) if key.period == "day" else (level - 2) * _SHORTEST[key.period] + 1
        # Rows are compared whole: the first day's may lie above the last's but for the date.
        span = max((apart - 1 << DAY_AT) + 1, 0)
        if key.metric == "minutes":
            return Least(level, level * key.per_period, span)
        return Least(level * key.per_period, 0, span)

    def build(self, history: History) -> Measure:
        """A measure that is yet to be given the rows."""
        key, choice = self.key, self.choice
        if key.kind == "rolling":
            return _ROLLING[key.metric](history, choice, key.metric, key.days)
        if key.kind == "streak":
            return self._streak(history)
        if key.metric == "active_days":
            return self._active_days(history)
        if key.kind == "calendar":
            return calendars.Calendar(history, choice, key.metric, key.period)
        return totals.Total(history, choice, key.metric)

    def _streak(self, history: History) -> Measure:
        key, choice = self.key, self.choice
        if choice.everything and key.metric == "count" and key.per_period == 1:
            if key.grace:
                return streaks.GraceStreak(history, choice, key.period, key.grace)
            return streaks.TallyStreak(history, choice, key.period)
        return streaks.AmountStreak(
            history, choice, key.metric, key.period, key.per_period, key.grace
        )

    def _active_days(self, history: History) -> Measure:
        key, choice = self.key, self.choice
        if key.kind == "total":
            kept = totals.AllActiveDays if choice.everything else totals.ActiveDays
            return kept(history, choice)
        if choice.everything:
            return calendars.ActiveCalendar(history, choice, key.period)
        return calendars.Calendar(history, choice, key.metric, key.period)


def key_of(node: Threshold | Tier | Streak, since: Day | None) -> Key:
    """The measure that a threshold, a tier or a streak is about, of rows from a date on."""
    types = None if node.activity_types is None else frozenset(node.activity_types)
    if isinstance(node, Streak):
        # One row is one active day and one type: where one suffices, the metrics agree.
        metric = node.metric if node.per_period > 1 or node.metric == "minutes" else "count"
        return Key(
            "streak",
            metric,
            types,
            since,
            period=node.period,
            per_period=node.per_period,
            grace=node.grace,
        )
    window = node.window
    if isinstance(window, Rolling):
        return Key("rolling", node.metric, types, since, days=window.rolling_days)
    if isinstance(window, Calendar):
        return Key("calendar", node.metric, types, since, period=window.calendar)
    if isinstance(window, Fixed):
        first = day_number(window.from_)
        since = first if since is None else max(first, since)
        return Key("total", node.metric, types, since, until=day_number(window.to))
    return Key("total", node.metric, types, since)


_ROLLING: Final[Mapping[Metric, type[windows.Rolling]]] = {
    "count": windows.Rolling,
    "minutes": windows.Rolling,
    "active_days": windows.RollingDays,
    "distinct_types": windows.RollingTypes,
}

_SHORTEST: Final[Mapping[PeriodName, int]] = {"week": 7, "month": 28}
"""The days of the shortest week and month."""


class Specs:
    """The one spec of every key."""

    def __init__(self) -> None:
        self._specs: dict[Key, MeasureSpec] = {}

    def of(self, key: Key) -> MeasureSpec:
        """The spec of a key, always the same object."""
        spec = self._specs.get(key)
        if spec is None:
            spec = self._specs[key] = MeasureSpec(key)
        return spec
