"""What a measure measures: the part of a rule that is the same for every mentor."""

from collections.abc import Callable
from functools import cache
from typing import Final, Literal

from msgspec import Struct

from tables.measures.amounts import Metric
from tables.measures.best_period import BestPeriod
from tables.measures.best_window import BestWindow, BestWindowOfTypes
from tables.measures.choices import Choice
from tables.measures.longest_run import LongestPlainRun, LongestRun
from tables.measures.measure import Measure
from tables.measures.pauses import Pauses, Spans
from tables.measures.running_stats import RunningStats
from tables.measures.runs import Runs
from tables.measures.totals import AllDates, Total
from tables.periods import PeriodName
from tables.rows import AFTER_ALL, BEFORE_ALL, begins, type_number
from tables.types import Day


class Key(Struct, frozen=True):
    """Everything that tells one measure from another; equal keys share one spec."""

    kind: Literal["total", "calendar", "rolling", "streak"]
    metric: Metric
    types: frozenset[str] | None
    since: Day | None
    until: Day | None = None
    days: int = 0
    period: PeriodName = "day"
    per_period: int = 1
    grace: int = 0


class MeasureSpec:
    """A key, and the choice of rows made from it. Compared by identity: see `spec_of`."""

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

    def build(self, stats: Callable[[], RunningStats], pauses: Spans) -> Measure:
        """A measure that is yet to be given the rows."""
        key, choice = self.key, self.choice
        plain = choice.everything
        if key.kind == "streak":
            if plain and key.metric == "count" and key.per_period == 1 and not key.grace:
                return LongestPlainRun(choice, key.metric, key.period, stats)
            runs = Runs(key.grace, Pauses.of(pauses, key.period))
            return LongestRun(choice, key.metric, key.period, key.per_period, runs)
        if key.kind == "calendar":
            return BestPeriod(choice, key.metric, key.period)
        if key.kind == "rolling":
            rolling = BestWindowOfTypes if key.metric == "distinct_types" else BestWindow
            return rolling(choice, key.metric, key.days)
        if plain and key.metric == "active_days":
            return AllDates(choice, key.metric, stats)
        return Total(choice, key.metric)


@cache
def spec_of(key: Key) -> MeasureSpec:
    """The spec of a key: the same object in the whole process."""
    return MeasureSpec(key)


ROWS: Final = spec_of(Key("total", "count", None, None))
MINUTES: Final = spec_of(Key("total", "minutes", None, None))
"""How many rows, and minutes of rows, there are in all."""
