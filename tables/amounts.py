"""Amounts: what rows come to in one metric, together or period by period."""

from collections.abc import Iterable, Iterator
from typing import Final

from tables.criteria import Metric
from tables.periods import PERIOD_OF, Crossing, Period, PeriodName, day_of
from tables.rows import (
    AFTER_ALL,
    BEFORE_ALL,
    BIAS,
    DAY_AT,
    TYPE_MASK,
    Change,
    Row,
    Timeline,
    begins,
    day_in,
    minutes_in,
)
from tables.types import Day


class Choice:
    """Which rows a measure counts: types (None: all), and packed bounds of the dates."""

    __slots__ = ("everything", "high", "low", "types")

    def __init__(
        self, types: frozenset[int] | None, low: Row = BEFORE_ALL, high: Row = AFTER_ALL
    ) -> None:
        self.types = types
        self.low = low
        self.high = high
        self.everything = types is None and low == BEFORE_ALL and high == AFTER_ALL
        """Whether it leaves nothing out."""

    def chosen(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Those of some rows within its dates that count."""
        types = self.types
        return iter(rows) if types is None else (row for row in rows if row & TYPE_MASK in types)

    def changes(self, changes: Iterable[Change]) -> Iterable[Change]:
        """Those of some changes that are about rows that count."""
        if self.everything:
            return changes
        low, high, types = self.low, self.high, self.types
        return [
            change
            for change in changes
            if low <= (row := change if change >= 0 else ~change) < high
            and (types is None or row & TYPE_MASK in types)
        ]

    def within(self, timeline: Timeline, first: Day | None, last: Day) -> Iterator[Row]:
        """The rows that count from one day to another, by date."""
        low = self.low if first is None else max(self.low, begins(first))
        return self.chosen(timeline.between(low, min(self.high, begins(last + 1))))

    def all(self, timeline: Timeline) -> Iterator[Row]:
        """Every row that counts, by date."""
        return self.chosen(timeline.between(self.low, self.high))

    def backwards(self, timeline: Timeline) -> Iterator[Row]:
        """Every row that counts, the last date first."""
        return self.chosen(timeline.backwards(self.low, self.high))


class Amount:
    """What some rows amount to in one metric; rows can be taken out again."""

    __slots__ = ("_metric", "_seen", "value")

    def __init__(self, metric: Metric) -> None:
        self._metric: Final = metric
        self._seen: dict[int, int] = {}
        self.value = 0

    def apply(self, changes: Iterable[Change]) -> None:
        """Add rows, and take out those whose complement is given."""
        metric = self._metric
        if metric == "count":
            self.value += sum([1 if change >= 0 else -1 for change in changes])
        elif metric == "minutes":
            for change in changes:
                self.value += minutes_in(change) if change >= 0 else -minutes_in(~change)
        elif metric == "active_days":
            for change in changes:
                if change >= 0:
                    self._see(day_in(change), 1)
                else:
                    self._see(day_in(~change), -1)
        else:
            for change in changes:
                if change >= 0:
                    self._see(change & TYPE_MASK, 1)
                else:
                    self._see(~change & TYPE_MASK, -1)

    def _see(self, key: int, step: int) -> None:
        seen = self._seen
        left = seen.get(key, 0) + step
        if left:
            seen[key] = left
        else:
            del seen[key]
        self.value = len(seen)

    def reaching(self, level: int, rows: Iterable[Row]) -> Day:
        """The date of the row, of some by date, that brings the amount to a level."""
        for row in rows:
            self.apply((row,))
            if self.value >= level:
                return day_in(row)
        raise LookupError(f"the rows do not reach {level}")


def amount(metric: Metric, rows: Iterable[Row]) -> int:
    """What some rows amount to."""
    counted = Amount(metric)
    counted.apply(rows)
    return counted.value


class PeriodAmounts:
    """What rows amount to in one metric, period by period; periods without rows have none."""

    __slots__ = ("_metric", "_of", "_seen", "_tops", "values")

    def __init__(self, metric: Metric, period: PeriodName) -> None:
        self._metric: Final = metric
        self._of = PERIOD_OF[period]
        self._seen: dict[int, int] = {}
        self._tops = 0
        """How many periods have the peak that was told last."""
        self.values: dict[Period, int] = {}

    def apply(self, change: Change) -> tuple[Period, int, int]:
        """Add a row or take one out: its period, the amount there before, and after."""
        row, step = (change, 1) if change >= 0 else (~change, -1)
        day = day_of((row >> DAY_AT) - BIAS)
        period = self._of(day)
        metric = self._metric
        if metric == "minutes":
            step *= minutes_in(row)
        elif metric == "active_days":
            step = self._first(day, step)
        elif metric == "distinct_types":
            step = self._first(period << 32 | row & TYPE_MASK, step)
        values = self.values
        before = values.get(period, 0)
        after = before + step
        if after:
            values[period] = after
        elif before:
            del values[period]
        return period, before, after

    def peak(self, changes: Iterable[Change], peak: int) -> int:
        """Add rows and take rows out: the amount of the best period, which was `peak` before."""
        counting, of, values, tops = self._metric == "count", self._of, self.values, self._tops
        for change in changes:
            if counting and change >= 0:
                period = of((change >> DAY_AT) - BIAS)
                after = values[period] = values.get(period, 0) + 1
                before = after - 1
            else:
                _, before, after = self.apply(change)
            if after > peak:
                peak, tops = after, 1
            elif after != before:
                tops += (after == peak) - (before == peak)
        return self._kept(peak, tops)

    def peak_of_days(self, days: Iterable[Crossing], peak: int) -> int:
        """Let days come and go: the most days of a period, which was `peak` before."""
        of, values, tops = self._of, self.values, self._tops
        for day, comes in days:
            period = of(day)
            if comes:
                after = values[period] = values.get(period, 0) + 1
                if after > peak:
                    peak, tops = after, 1
                elif after == peak:
                    tops += 1
                continue
            before = values[period]
            tops -= before == peak
            if before > 1:
                values[period] = before - 1
            else:
                del values[period]
        return self._kept(peak, tops)

    def _kept(self, peak: int, tops: int) -> int:
        """The peak, that so many periods have; they are looked through only when none is left."""
        if not tops:
            amounts = list(self.values.values())
            peak = max(amounts, default=0)
            tops = amounts.count(peak)
        self._tops = tops
        return peak

    def crossing(self, changes: Iterable[Change], level: int) -> list[Crossing]:
        """Add rows and take rows out: the periods that thereby reach a level or lose it."""
        crossed: list[Crossing] = []
        if self._metric != "count":
            for change in changes:
                period, before, after = self.apply(change)
                if (before >= level) != (after >= level):
                    crossed.append((period, after >= level))
            return crossed
        of, values = self._of, self.values
        for change in changes:
            if change >= 0:
                period = of((change >> DAY_AT) - BIAS)
                after = values[period] = values.get(period, 0) + 1
                if after == level:
                    crossed.append((period, True))
            else:
                period, before, _ = self.apply(change)
                if before == level:
                    crossed.append((period, False))
        return crossed

    def _first(self, key: int, step: int) -> int:
        """`step` when the key appears or disappears by it, else 0."""
        before = self._seen.get(key, 0)
        after = before + step
        if after:
            self._seen[key] = after
            return 0 if before else step
        del self._seen[key]
        return step
