"""The best window of n consecutive days, from what the windows that end on each day come to.

A row raises the windows that end on its date and less than n days after it. Where what counts is
distinct it raises only those that have nothing like it yet: a second row of a date raises none, and
a row of a type none that an earlier or later row of the type is in.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable

from typing_extensions import override

from tables.amounts import Choice
from tables.criteria import Metric
from tables.measures import History, Measure
from tables.rows import BIAS, DAY_AT, MINUTES_AT, MINUTES_MASK, TYPE_MASK, Change, Row
from tables.skyline import Skyline
from tables.types import Day


class Rolling(Measure):
    """The best window of some consecutive days, of activities or of their minutes."""

    __slots__ = ("_days", "_windows")

    def __init__(self, history: History, choice: Choice, metric: Metric, days: int) -> None:
        super().__init__(history, choice, metric)
        self._days = days
        self._windows = Skyline()
        """What the window that ends on a day comes to."""

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        self._windows.put(self._by_date(self.choice.changes(changes)), self._days)
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
    def newest(self) -> int:
        return self._windows.newest

    @override
    def day(self, level: int) -> Day:
        return self._windows.reaching(level)

    @override
    def first(self, level: int, day: Day) -> Day | None:
        return day - self._days + 1


class RollingDays(Rolling):
    """The best window of some consecutive days, of dates that have a row."""

    __slots__ = ("_dates",)

    def __init__(self, history: History, choice: Choice, metric: Metric, days: int) -> None:
        super().__init__(history, choice, metric, days)
        self._dates = _Dates()

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        count = self._dates.count
        dates = [
            (day, by)
            for day, rows in self._by_date(self.choice.changes(changes))
            if (by := count(day, rows))
        ]
        self._windows.put(dates, self._days)
        self.value = self._windows.highest


class RollingTypes(Rolling):
    """The best window of some consecutive days, of types that differ."""

    __slots__ = ("_seen",)

    def __init__(self, history: History, choice: Choice, metric: Metric, days: int) -> None:
        super().__init__(history, choice, metric, days)
        self._seen: dict[int, _Dates] = {}
        """The dates of each type."""

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        seen, windows, days = self._seen, self._windows, self._days
        for change in sorted(self.choice.changes(changes), key=_row):
            row, step = (change, 1) if change >= 0 else (~change, -1)
            day, kind = (row >> DAY_AT) - BIAS, row & TYPE_MASK
            dates = seen.get(kind)
            if dates is None:
                dates = seen[kind] = _Dates()
            by = dates.count(day, step)
            if by:
                before, after = dates.around(day)
                first = day if before is None else max(day, before + days)
                end = day + days if after is None else min(day + days, after)
                windows.come_to(day)
                windows.add(first, end, by)
                if not dates.any:
                    del seen[kind]
        self.value = windows.highest


class _Dates:
    """Distinct dates, ascending, and how many rows each of them has."""

    __slots__ = ("_days", "_rows")

    def __init__(self) -> None:
        self._days = array("q")
        self._rows = array("i")

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self._days)

    def count(self, day: Day, rows: int) -> int:
        """So many rows came, or went: 1 if the date is new thereby, -1 if it is none any more."""
        days = self._days
        if not days or day > days[-1]:
            days.append(day)
            self._rows.append(rows)
            return 1
        place = bisect_left(days, day)
        if days[place] != day:
            days.insert(place, day)
            self._rows.insert(place, rows)
            return 1
        left = self._rows[place] + rows
        self._rows[place] = left
        if left:
            return 0
        del days[place], self._rows[place]
        return -1

    def around(self, day: Day) -> tuple[Day | None, Day | None]:
        """The last date before a day, and the first after it."""
        days = self._days
        place = bisect_left(days, day)
        after = place + (place < len(days) and days[place] == day)
        return days[place - 1] if place else None, days[after] if after < len(days) else None


def _row(change: Change) -> Row:
    return change if change >= 0 else ~change
