"""Measures: what one mentor's activities amount to, kept up to date row by row.

A rule asks a measure whether it reaches a level, and on which date it first did. Rules that ask the
same (metric, activity types, dates, window or streak) share one measure, whatever their levels.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from badges.tables.criteria import Metric
from badges.tables.periods import BEGINS, PERIOD_OF, Period, PeriodName
from badges.tables.rows import (
    AFTER_ALL,
    BEFORE_ALL,
    TYPE_MASK,
    Change,
    Row,
    Timeline,
    begins,
    day_in,
    minutes_in,
)
from badges.tables.streaks import Pauses, Runs
from badges.tables.types import Day


class History(Protocol):
    """What a measure reads of a mentor: the rows in date order, and the paused periods."""

    def timeline(self) -> Timeline:
        """All rows, up to date."""
        ...

    def paused(self, period: PeriodName) -> Pauses | None:
        """The paused periods of a kind, None without any."""
        ...


class Choice:
    """Which rows a measure counts: types (None: all), and packed bounds of the dates."""

    __slots__ = ("high", "low", "types")

    def __init__(
        self, types: frozenset[int] | None, low: Row = BEFORE_ALL, high: Row = AFTER_ALL
    ) -> None:
        self.types = types
        self.low = low
        self.high = high

    def chosen(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Those of some rows that count."""
        low, high, types = self.low, self.high, self.types
        for row in rows:
            if low <= row < high and (types is None or row & TYPE_MASK in types):
                yield row

    def changes(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Those of some changes that are about rows that count."""
        low, high, types = self.low, self.high, self.types
        for change in changes:
            row = change if change >= 0 else ~change
            if low <= row < high and (types is None or row & TYPE_MASK in types):
                yield change

    def within(self, history: History, first: Day | None, last: Day) -> Iterator[Row]:
        """The rows that count from one day to another, by date."""
        low = self.low if first is None else max(self.low, begins(first))
        return self.chosen(history.timeline().between(low, min(self.high, begins(last + 1))))

    def all(self, history: History) -> Iterator[Row]:
        """Every row that counts, by date."""
        return self.chosen(history.timeline().between(self.low, self.high))


class Amount:
    """What some rows amount to in one metric; rows can be taken out again."""

    __slots__ = ("_metric", "_seen", "value")

    def __init__(self, metric: Metric) -> None:
        self._metric: Final = metric
        self._seen: dict[int, int] = {}
        self.value = 0

    def apply(self, change: Change) -> None:
        """Add a row, or take one out."""
        row, step = (change, 1) if change >= 0 else (~change, -1)
        if self._metric == "count":
            self.value += step
        elif self._metric == "minutes":
            self.value += step * minutes_in(row)
        else:
            key = day_in(row) if self._metric == "active_days" else row & TYPE_MASK
            left = self._seen.get(key, 0) + step
            if left:
                self._seen[key] = left
            else:
                del self._seen[key]
            self.value = len(self._seen)

    def of(self, rows: Iterable[Row]) -> int:
        """The amount with some rows added."""
        for row in rows:
            self.apply(row)
        return self.value

    def reaching(self, level: int, rows: Iterable[Row]) -> Day:
        """The date of the row, of some by date, that brings the amount to a level."""
        for row in rows:
            self.apply(row)
            if self.value >= level:
                return day_in(row)
        raise LookupError(f"the rows do not reach {level}")


class PeriodAmounts:
    """What rows amount to in one metric, period by period; periods without rows have none."""

    __slots__ = ("_metric", "_of", "_seen", "values")

    def __init__(self, metric: Metric, period: PeriodName) -> None:
        self._metric: Final = metric
        self._of = PERIOD_OF[period]
        self._seen: dict[int, int] = {}
        self.values: dict[Period, int] = {}

    def apply(self, change: Change) -> tuple[Period, int, int]:
        """Add a row or take one out: its period, the amount there before, and after."""
        row, step = (change, 1) if change >= 0 else (~change, -1)
        day = day_in(row)
        period = self._of(day)
        if self._metric == "minutes":
            step *= minutes_in(row)
        elif self._metric == "active_days":
            step = self._first(day, step)
        elif self._metric == "distinct_types":
            step = self._first(period << 32 | row & TYPE_MASK, step)
        before = self.values.get(period, 0)
        after = before + step
        if after:
            self.values[period] = after
        elif before:
            del self.values[period]
        return period, before, after

    def _first(self, key: int, step: int) -> int:
        """`step` when the key appears or disappears by it, else 0."""
        before = self._seen.get(key, 0)
        after = before + step
        if after:
            self._seen[key] = after
            return 0 if before else step
        del self._seen[key]
        return step


class Measure(Protocol):
    """One mentor's standing in what a measure measures."""

    def apply(self, changes: Iterable[Change]) -> None:
        """Take in rows that came and went."""
        ...

    def holds(self, level: int) -> bool:
        """Whether the level is reached."""
        ...

    def day(self, level: int) -> Day:
        """The date on which the level was first reached, going through the rows by date."""
        ...

    def span(self, level: int) -> tuple[Day | None, Day]:
        """The dates in which the rows lie that first reached the level; None: from the first on."""
        ...

    def amount(self, level: int) -> int:
        """How much was reached: all of a total, or of the window or run up to that date."""
        ...

    def done(self, level: int) -> int:
        """How far it is towards the level, at most the level."""
        ...

    def pause(self) -> None:
        """Take in other pauses."""
        ...


class Total:
    """All chosen rows together."""

    __slots__ = ("_amount", "_choice", "_history", "_metric")

    def __init__(self, history: History, choice: Choice, metric: Metric) -> None:
        self._history = history
        self._choice = choice
        self._metric: Metric = metric
        self._amount = Amount(metric)

    def apply(self, changes: Iterable[Change]) -> None:
        """Take in rows that came and went."""
        for change in self._choice.changes(changes):
            self._amount.apply(change)

    def holds(self, level: int) -> bool:
        """Whether the level is reached."""
        return self._amount.value >= level

    def day(self, level: int) -> Day:
        """The date of the row that reached the level."""
        return Amount(self._metric).reaching(level, self._choice.all(self._history))

    def span(self, level: int) -> tuple[Day | None, Day]:
        """From the first row to the one that reached the level."""
        return None, self.day(level)

    def amount(self, level: int) -> int:
        """All that there is."""
        return max(self._amount.value, level)

    def done(self, level: int) -> int:
        """How far it is towards the level."""
        return min(self._amount.value, level)

    def pause(self) -> None:
        """Pauses do not matter here."""


class Calendar:
    """The best calendar period."""

    __slots__ = ("_amounts", "_choice", "_history", "_metric", "_peak", "_period")

    def __init__(
        self, history: History, choice: Choice, metric: Metric, period: PeriodName
    ) -> None:
        self._history = history
        self._choice = choice
        self._metric: Metric = metric
        self._period: PeriodName = period
        self._amounts = PeriodAmounts(metric, period)
        self._peak = 0

    def apply(self, changes: Iterable[Change]) -> None:
        """Take in rows that came and went."""
        lost = False
        for change in self._choice.changes(changes):
            _, before, after = self._amounts.apply(change)
            if after > self._peak:
                self._peak = after
            elif after < before == self._peak:
                lost = True
        if lost:
            self._peak = max(self._amounts.values.values(), default=0)

    def holds(self, level: int) -> bool:
        """Whether the level is reached in some period."""
        return self._peak >= level

    def day(self, level: int) -> Day:
        """The date of the row that reached the level in the first period to get there."""
        values = self._amounts.values
        period = min(period for period, value in values.items() if value >= level)
        begin = BEGINS[self._period]
        rows = self._choice.within(self._history, begin(period), begin(period + 1) - 1)
        return Amount(self._metric).reaching(level, rows)

    def span(self, level: int) -> tuple[Day | None, Day]:
        """From the beginning of that period."""
        day = self.day(level)
        return BEGINS[self._period](PERIOD_OF[self._period](day)), day

    def amount(self, level: int) -> int:
        """What that period amounts to by then."""
        first, last = self.span(level)
        return Amount(self._metric).of(self._choice.within(self._history, first, last))

    def done(self, level: int) -> int:
        """How far the best period is towards the level."""
        return min(self._peak, level)

    def pause(self) -> None:
        """Pauses do not matter here."""


class Streak:
    """The longest run of periods in which the metric reaches an amount."""

    __slots__ = (
        "_amounts",
        "_choice",
        "_history",
        "_metric",
        "_per_period",
        "_period",
        "_runs",
    )

    def __init__(
        self,
        history: History,
        choice: Choice,
        metric: Metric,
        period: PeriodName,
        per_period: int,
        grace: int,
    ) -> None:
        self._history = history
        self._choice = choice
        self._metric: Metric = metric
        self._period: PeriodName = period
        self._per_period = per_period
        self._amounts = PeriodAmounts(metric, period)
        self._runs = Runs(grace, history.paused(period))

    def apply(self, changes: Iterable[Change]) -> None:
        """Take in rows that came and went."""
        needed = self._per_period
        for change in self._choice.changes(changes):
            period, before, after = self._amounts.apply(change)
            if before < needed <= after:
                self._runs.add(period)
            elif after < needed <= before:
                self._runs.remove(period)

    def holds(self, level: int) -> bool:
        """Whether some run is that long."""
        return self._runs.longest >= level

    def day(self, level: int) -> Day:
        """The date on which the first run to get there did."""
        period = self._runs.reaching(level)
        begin = BEGINS[self._period]
        rows = self._choice.within(self._history, begin(period), begin(period + 1) - 1)
        return Amount(self._metric).reaching(self._per_period, rows)

    def span(self, level: int) -> tuple[Day | None, Day]:
        """From the first period of that run."""
        begin = BEGINS[self._period]
        return begin(self._runs.beginning(level)), self.day(level)

    def amount(self, level: int) -> int:
        """The periods of that run by then."""
        return level

    def done(self, level: int) -> int:
        """How long the longest run is."""
        return min(self._runs.longest, level)

    def pause(self) -> None:
        """Link the periods anew, O(periods)."""
        self._runs.pause(self._history.paused(self._period))
