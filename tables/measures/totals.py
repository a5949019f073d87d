"""All rows together: what they amount to ever, or between two dates."""

from collections.abc import Callable, Iterable

from typing_extensions import override

from tables.measures.amounts import Metric, distinct, reaching
from tables.measures.choices import ByDate, Choice
from tables.measures.dates import Dates
from tables.measures.measure import NEVER, Measure
from tables.measures.running_stats import RunningStats
from tables.rows import BIAS, DAY_AT, TYPE_MASK, Change, begins, day_in, minutes_in
from tables.types import Day


class Total(Measure):
    """All chosen rows together."""

    __slots__ = ("_dates", "_seen")

    def __init__(self, choice: Choice, metric: Metric) -> None:
        super().__init__(choice, metric)
        self._dates = Dates()
        """The dates that have a row, where dates are counted."""
        self._seen: dict[int, int] = {}
        """How many rows there are of each type, where types are counted."""

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        metric = self.metric
        changes = self.choice.changes(changes)
        if metric == "count":
            self.value += sum([1 if change >= 0 else -1 for change in changes])
        elif metric == "minutes":
            self.value += sum(
                [minutes_in(row) if row >= 0 else -minutes_in(~row) for row in changes]
            )
        else:
            for change in changes:
                row, step = (change, 1) if change >= 0 else (~change, -1)
                if metric == "active_days":
                    self.value += self._dates.count((row >> DAY_AT) - BIAS, step)
                else:
                    self.value += distinct(self._seen, row & TYPE_MASK, step)

    @override
    def newest(self, day: Day) -> int:
        # Rows after the last date that counts add nothing.
        return -NEVER if begins(day) >= self.choice.high else self.value

    @override
    def day(self, level: int, by_date: ByDate) -> Day:
        rows = self.choice.within(by_date)
        if self.metric not in ("count", "minutes"):
            return reaching(self.metric, level, rows)
        # Usually the level was reached a moment ago, at the end of a long history.
        surplus = self.value - level
        for row in reversed(list(rows)):
            surplus -= minutes_in(row) if self.metric == "minutes" else 1
            if surplus < 0:
                return day_in(row)
        raise LookupError(f"the rows do not reach {level}")

    @override
    def first(self, level: int, day: Day) -> Day | None:
        return None

    @override
    def amount(self, level: int, day: Day, by_date: ByDate) -> int:
        return self.value


class AllDates(Total):
    """The dates of all rows, which the running stats keep."""

    __slots__ = ("_running_stats",)

    def __init__(self, choice: Choice, metric: Metric, stats: Callable[[], RunningStats]) -> None:
        super().__init__(choice, metric)
        self._running_stats = stats

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        self.value = len(self._running_stats().dates)
