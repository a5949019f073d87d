"""The best window of n consecutive days, without looking at every window.

A row can raise only the windows that end less than n days after it. Windows are therefore kept in
groups of n neighbouring last days, each with an upper bound of what its best window amounts to: a
row raises the bounds of two groups, and only a group whose bound reaches a level that is asked for
is looked through (at most 2n days), which makes its bound exact again.
"""

from collections.abc import Iterable

from typing_extensions import override

from badges.tables.amounts import Amount, Choice, History
from badges.tables.criteria import Metric
from badges.tables.measures import Measure
from badges.tables.rows import BIAS, DAY_AT, MINUTES_AT, MINUTES_MASK, Change, Row, day_in
from badges.tables.types import Day


class Rolling(Measure):
    """The best window of some consecutive days."""

    __slots__ = ("_bounds", "_ceiling", "_days", "_last")

    def __init__(self, history: History, choice: Choice, metric: Metric, days: int) -> None:
        super().__init__(history, choice, metric)
        self._days = days
        self._bounds: dict[int, int] = {}
        self._ceiling = 0
        """At least the highest bound."""
        self._last: Day = 0
        """`value` is at most what the window that ends on this day amounts to."""

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        if not self.choice.everything:
            changes = self.choice.changes(changes)
        days, bounds, weight = self._days, self._bounds, 1
        for change in changes:
            if self.in_minutes:
                weight = (change if change >= 0 else ~change) >> MINUTES_AT & MINUTES_MASK
            if change >= 0:
                group = ((change >> DAY_AT) - BIAS) // days
                bound = bounds[group] = bounds.get(group, 0) + weight
                after = bounds[group + 1] = bounds.get(group + 1, 0) + weight
                if bound > self._ceiling or after > self._ceiling:
                    self._ceiling = max(bound, after)
            elif self._last - days < day_in(~change) <= self._last:
                self.value -= weight

    @override
    def advance(self, changes: list[Change], length: int, now: int) -> bool:
        self.apply(changes[self.read :] if self.read else changes)
        self.read = length
        if self.holds(self.up):
            return True
        self.due_late = now + self.up - self._ceiling
        group = ((self.history.newest_day >> DAY_AT) - BIAS) // self._days
        bounds = self._bounds
        self.due = now + self.up - max(bounds.get(group, 0), bounds.get(group + 1, 0))
        return False

    @override
    def holds(self, level: int) -> bool:
        if self.value >= level:
            return True
        if self._ceiling < level:
            return False
        for group in self._groups(level):
            best, last = max(self._windows(group), default=(0, 0))
            self._bounds[group] = best
            if best >= level:
                self.value, self._last = best, last
                return True
        self._ceiling = max(self._bounds.values(), default=0)
        return False

    def _groups(self, level: int) -> list[int]:
        """The groups whose bounds reach a level, the first days first."""
        return sorted([group for group, bound in self._bounds.items() if bound >= level])

    def _windows(self, group: int) -> list[tuple[int, Day]]:
        """What windows of a group amount to, up to each row, and the row's day.

        Rows before the group's first day count as far as a window of the group reaches back: the
        bound must hold for windows that no row ends yet.
        """
        days = self._days
        rows = list(
            self.choice.within(self.history, (group - 1) * days + 1, (group + 1) * days - 1)
        )
        if self.metric == "count":
            return _sums(rows, [1] * len(rows), days)
        if self.metric == "minutes":
            return _sums(rows, [row >> MINUTES_AT & MINUTES_MASK for row in rows], days)
        window = Amount(self.metric)
        found: list[tuple[int, Day]] = []
        oldest = 0
        for row in rows:
            day = day_in(row)
            while day_in(rows[oldest]) <= day - days:
                window.apply((~rows[oldest],))
                oldest += 1
            window.apply((row,))
            found.append((window.value, day))
        return found

    @override
    def day(self, level: int) -> Day:
        for group in self._groups(level):
            for value, day in self._windows(group):
                if value >= level:
                    return day
        raise LookupError(f"no window reaches {level}")

    @override
    def first(self, level: int, day: Day) -> Day | None:
        return day - self._days + 1

    @override
    def done(self, level: int) -> int:
        best = 0
        for group, bound in self._bounds.items():
            if bound > best:
                best = max(best, max((value for value, _ in self._windows(group)), default=0))
        return min(best, level)


def _sums(rows: list[Row], weights: list[int], days: int) -> list[tuple[int, Day]]:
    """What the rows weigh in the window that ends with each of them, and its day."""
    found = []
    oldest = total = 0
    reach = days << DAY_AT
    for row, weight in zip(rows, weights, strict=True):
        while (rows[oldest] >> DAY_AT << DAY_AT) + reach <= row:
            total -= weights[oldest]
            oldest += 1
        total += weight
        found.append((total, (row >> DAY_AT) - BIAS))
    return found
