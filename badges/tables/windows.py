"""The best window of n consecutive days, without looking at every window.

A row can raise only the windows that end less than n days after it. Windows are therefore kept in
groups of n neighbouring last days, each with an upper bound of what its best window amounts to: a
row raises the bounds of two groups (of one, where n is 1), and only a group whose bound reaches a
level that is asked for is looked through (at most 2n days), which makes its bound exact again.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from typing_extensions import override

from badges.tables.amounts import Amount, Choice
from badges.tables.criteria import Metric
from badges.tables.measures import History, Measure
from badges.tables.rows import BIAS, DAY_AT, MINUTES_AT, MINUTES_MASK, ONE_DAY, Change, Row, day_in
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
        days, bounds, weight = self._days, self._bounds, 1
        for change in self.choice.changes(changes):
            if self.in_minutes:
                weight = (change if change >= 0 else ~change) >> MINUTES_AT & MINUTES_MASK
            if change >= 0:
                group = ((change >> DAY_AT) - BIAS) // days
                bound = bounds[group] = bounds.get(group, 0) + weight
                if days > 1:
                    after = bounds[group + 1] = bounds.get(group + 1, 0) + weight
                    if after > bound:  # noqa: PLR1730 - this is far cheaper than a call
                        bound = after
                if bound > self._ceiling:  # noqa: PLR1730 - here too
                    self._ceiling = bound
            elif self._last - days < day_in(~change) <= self._last:
                self.value -= weight

    @override
    def advance(self, changes: list[Change], now: int) -> bool:
        self.read_on(changes)
        if self.holds(self.up):
            return True
        self.due_late = now + self.up - self._ceiling
        # Windows that end later have of the rows so far at most those of the newest day's group.
        group = ((self.history.newest_day >> DAY_AT) - BIAS) // self._days
        self.due = now + self.up - self._bounds.get(group, 0)
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
        """What windows of a group amount to, at least for each day with a row, and the day.

        Rows before the group's first day count as far as a window of the group reaches back: the
        bound must hold for windows that no row ends yet.
        """
        days = self._days
        rows = list(self.rows((group - 1) * days + 1, (group + 1) * days - 1))
        if self.metric == "count":
            return _differences(rows, range(len(rows) + 1), days)
        if self.metric == "minutes":
            minutes = [row >> MINUTES_AT & MINUTES_MASK for row in rows]
            return _differences(rows, list(accumulate(minutes, initial=0)), days)
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


def _differences(rows: Sequence[Row], sums: Sequence[int], days: int) -> list[tuple[int, Day]]:
    """What the window that ends on each row's day amounts to, and the day.

    `sums` has what the first n rows amount to, n from 0 to all. It takes steps for days, not rows.
    """
    found = []
    reach = (days - 1) << DAY_AT
    start, end, number = 0, 0, len(rows)
    while end < number:
        begin = rows[end] >> DAY_AT << DAY_AT
        end = bisect_left(rows, begin + ONE_DAY, end)
        start = bisect_left(rows, begin - reach, start, end)
        found.append((sums[end] - sums[start], (begin >> DAY_AT) - BIAS))
    return found
