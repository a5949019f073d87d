"""The best window of n consecutive days, without looking at every window.

A row can raise only the windows that end less than n days after it. Windows are therefore kept in
groups of n neighbouring last days, each with an upper bound of what its best window amounts to: a
row raises the bounds of two groups, and only a group whose bound reaches a level that is asked for
is looked through (at most 2n days), which makes its bound exact again.
"""

from collections.abc import Iterable, Iterator

from badges.tables.criteria import Metric
from badges.tables.measures import Amount, Choice, History
from badges.tables.rows import Change, day_in, minutes_in
from badges.tables.types import Day


class Rolling:
    """The best window of some consecutive days."""

    __slots__ = ("_best", "_bounds", "_choice", "_days", "_history", "_last", "_metric")

    def __init__(self, history: History, choice: Choice, metric: Metric, days: int) -> None:
        self._history = history
        self._choice = choice
        self._metric: Metric = metric
        self._days = days
        self._bounds: dict[int, int] = {}
        self._best = 0
        """A lower bound of what the window that ends on `_last` amounts to."""
        self._last: Day = 0

    def apply(self, changes: Iterable[Change]) -> None:
        """Take in rows that came and went."""
        for change in self._choice.changes(changes):
            row = change if change >= 0 else ~change
            day = day_in(row)
            weight = minutes_in(row) if self._metric == "minutes" else 1
            if change >= 0:
                group = day // self._days
                self._bounds[group] = self._bounds.get(group, 0) + weight
                self._bounds[group + 1] = self._bounds.get(group + 1, 0) + weight
            elif self._last - self._days < day <= self._last:
                self._best -= weight

    def holds(self, level: int) -> bool:
        """Whether the level is reached in some window."""
        if self._best >= level:
            return True
        for group in sorted(group for group, bound in self._bounds.items() if bound >= level):
            best, last = max(self._windows(group), default=(0, 0))
            if best:
                self._bounds[group] = best
            else:
                del self._bounds[group]
            if best >= level:
                self._best, self._last = best, last
                return True
        return False

    def _windows(self, group: int) -> Iterator[tuple[int, Day]]:
        """What windows of a group amount to, up to each row, and the row's day.

        Rows before the group's first day count as far as a window of the group reaches back: the
        bound must hold for windows that no row ends yet.
        """
        days = self._days
        window = Amount(self._metric)
        rows = list(
            self._choice.within(self._history, (group - 1) * days + 1, (group + 1) * days - 1)
        )
        oldest = 0
        for row in rows:
            day = day_in(row)
            while day_in(rows[oldest]) <= day - days:
                window.apply(~rows[oldest])
                oldest += 1
            window.apply(row)
            yield window.value, day

    def day(self, level: int) -> Day:
        """The last day of the first window to reach the level."""
        for group in sorted(group for group, bound in self._bounds.items() if bound >= level):
            for value, day in self._windows(group):
                if value >= level:
                    return day
        raise LookupError(f"no window reaches {level}")

    def span(self, level: int) -> tuple[Day | None, Day]:
        """The days of that window."""
        day = self.day(level)
        return day - self._days + 1, day

    def amount(self, level: int) -> int:
        """What that window amounts to."""
        first, last = self.span(level)
        return Amount(self._metric).of(self._choice.within(self._history, first, last))

    def done(self, level: int) -> int:
        """How far the best window is towards the level."""
        best = 0
        for group, bound in self._bounds.items():
            if bound > best:
                best = max(best, max((value for value, _ in self._windows(group)), default=0))
        return min(best, level)

    def pause(self) -> None:
        """Pauses do not matter here."""
