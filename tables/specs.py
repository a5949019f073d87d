"""What a measure measures: the part of a rule that is the same for every mentor."""

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from tables import criteria
from tables.calendars import Calendar
from tables.choices import Choice
from tables.criteria import Metric, Threshold, Tier
from tables.measures import Measure
from tables.pauses import Pauses, Spans
from tables.periods import PeriodName, day_number
from tables.rows import AFTER_ALL, BEFORE_ALL, begins, type_number
from tables.runs import Runs
from tables.streaks import Streak, TallyStreak
from tables.tally import Tally
from tables.totals import AllDates, Total
from tables.types import Day
from tables.windows import Rolling, RollingTypes

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


class MeasureSpec:
    """A key, and the choice of rows made from it. Compared by identity: see `Specs`."""

    __slots__ = ("choice", "key")

    def __init__(self, key: Key) -> None:
        self.key = key
        types = None if key.types is None else frozenset(map(type_number, key.types))
        low = BEFORE_ALL if key.since is None else begins(key.since)
        high = AFTER_ALL if key.until is None else begins(key.until + 1)
        self.choice = Choice(types, low, high)

    def least(self, level: int) -> tuple["MeasureSpec", int]:
        """What all rows must amount to at least before a level can be reached."""
        level *= self.key.per_period
        return (MINUTES if self.key.metric == "minutes" else ROWS), level

    def build(self, tally: Callable[[], Tally], pauses: Spans) -> Measure:
        """A measure that is yet to be given the rows."""
        key, choice = self.key, self.choice
        if key.kind == "streak":
            if (
                choice.everything
                and key.metric == "count"
                and key.per_period == 1
                and not key.grace
            ):
                return TallyStreak(choice, key.metric, key.period, tally)
            runs = Runs(key.grace, Pauses.of(pauses, key.period))
            return Streak(choice, key.metric, key.period, key.per_period, runs)
        if key.kind == "calendar":
            return Calendar(choice, key.metric, key.period)
        if key.kind == "rolling":
            rolling = RollingTypes if key.metric == "distinct_types" else Rolling
            return rolling(choice, key.metric, key.days)
        if choice.everything and key.metric == "active_days":
            return AllDates(choice, key.metric, tally)
        return Total(choice, key.metric)


def key_of(node: Threshold | Tier | criteria.Streak, since: Day | None) -> Key:
    """The measure that a threshold, a tier or a streak is about, of rows from a date on."""
    types = None if node.activity_types is None else frozenset(node.activity_types)
    if isinstance(node, criteria.Streak):
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
    if isinstance(window, criteria.Rolling):
        return Key("rolling", node.metric, types, since, days=window.rolling_days)
    if isinstance(window, criteria.Calendar):
        return Key("calendar", node.metric, types, since, period=window.calendar)
    if isinstance(window, criteria.Fixed):
        first = day_number(window.from_)
        since = first if since is None else max(first, since)
        return Key("total", node.metric, types, since, until=day_number(window.to))
    return Key("total", node.metric, types, since)


ROWS: Final = MeasureSpec(Key("total", "count", None, None))
MINUTES: Final = MeasureSpec(Key("total", "minutes", None, None))
"""How many rows, and minutes of rows, there are in all."""


class Specs:
    """The one spec of every key."""

    def __init__(self) -> None:
        self._specs: dict[Key, MeasureSpec] = {each.key: each for each in (ROWS, MINUTES)}

    def of(self, key: Key) -> MeasureSpec:
        """The spec of a key, always the same object."""
        spec = self._specs.get(key)
        if spec is None:
            spec = self._specs[key] = MeasureSpec(key)
        return spec
