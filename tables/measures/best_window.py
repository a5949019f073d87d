"""The best window of n consecutive days, from what the windows that end on each day come to.

A row raises the windows that end on its date and less than n days after it. Where what counts is
distinct it raises only those that have nothing like it yet: a second row of a date raises none, and
a row of a type none that an earlier or later row of the type is in.
"""

from collections.abc import Iterable

from typing_extensions import override

from tables.measures.amounts import Metric
from tables.measures.choices import ByDate, Choice
from tables.measures.dates import Dates
from tables.measures.measure import Measure
from tables.measures.skyline import Skyline
from tables.rows import BIAS, DAY_AT, MINUTES_AT, MINUTES_MASK, TYPE_MASK, Change, Row
from tables.types import Day


class BestWindow(Measure):
    """The best window of some consecutive days, of rows, of their minutes or of their dates."""

    __slots__ = ("_dates", "_days", "_windows")

    def __init__(self, choice: Choice, metric: Metric, days: int) -> None:
        super().__init__(choice, metric)
        self._days = days
        self._dates = Dates() if metric == "active_days" else None
        """The dates that have a row, where dates are counted."""
        self._windows = Skyline()
        """What the window that ends on a day comes to."""

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        by_date = self._by_date(self.choice.changes(changes))
        if self._dates is not None:
            count = self._dates.count
            by_date = [(day, by) for day, rows in by_date if (by := count(day, rows))]
        self._windows.put(by_date, self._days)
        self.value = self._windows.highest

    def _by_date(self, changes: Iterable[Change]) -> list[tuple[Day, int]]:
        """How much more or less there is on each day that has changes, by date."""
        net: dict[Day, int] = {}
        for change in changes:
            row, amount = (change, 1) if change >= 0 else (~change, -1)
            if self.in_minutes:
                amount *= row >> MINUTES_AT & MINUTES_MASK
            day = (row >> DAY_AT) - BIAS
            net[day] = net.get(day, 0) + amount
        days = net.items()
        return [item for item in (sorted(days) if len(days) > 1 else days) if item[1]]

    @override
    def newest(self, day: Day) -> int:
        return self._windows.newest

    @override
    def day(self, level: int, by_date: ByDate) -> Day:
        return self._windows.reaching(level)

    @override
    def first(self, level: int, day: Day) -> Day | None:
        return day - self._days + 1


class BestWindowOfTypes(BestWindow):
    """The best window of some consecutive days, of types that differ."""

    __slots__ = ("_seen",)

    def __init__(self, choice: Choice, metric: Metric, days: int) -> None:
        super().__init__(choice, metric, days)
        self._seen: dict[int, Dates] = {}
        """The dates of each type."""

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        seen, windows, days = self._seen, self._windows, self._days
        for change in sorted(self.choice.changes(changes), key=_row):
            row, step = (change, 1) if change >= 0 else (~change, -1)
            day, kind = (row >> DAY_AT) - BIAS, row & TYPE_MASK
            dates = seen.get(kind)
            if dates is None:
                dates = seen[kind] = Dates()
            by = dates.count(day, step)
            if by:
                before, after = dates.around(day)
                first = day if before is None else max(day, before + days)
                end = day + days if after is None else min(day + days, after)
                windows.come_to(day)
                windows.add(first, end, by)
                if not dates:
                    del seen[kind]
        self.value = windows.highest


def _row(change: Change) -> Row:
    return change if change >= 0 else ~change
