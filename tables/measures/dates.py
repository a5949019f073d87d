"""Dates that have rows, and how many each of them has."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator

from tables.types import Day


class Dates:
    """Distinct dates, ascending, and how many rows each of them has: 8 bytes a date."""

    __slots__ = ("_days", "_rows")

    def __init__(self) -> None:
        self._days = array("i")
        self._rows = array("i")

    def __len__(self) -> int:
        return len(self._days)

    def __iter__(self) -> Iterator[Day]:
        return iter(self._days)

    @property
    def first(self) -> Day | None:
        """The first date."""
        return self._days[0] if self._days else None

    @property
    def last(self) -> Day | None:
        """The last date."""
        return self._days[-1] if self._days else None

    def count(self, day: Day, step: int) -> int:
        """A row came (1) or went (-1): 1 if its date is new thereby, -1 if it has none left."""
        days, rows = self._days, self._rows
        last = days[-1] if days else None
        if last is None or day > last:
            days.append(day)
            rows.append(step)
            return 1
        place = len(days) - 1 if day == last else bisect_left(days, day)
        if days[place] != day:
            days.insert(place, day)
            rows.insert(place, step)
            return 1
        left = rows[place] + step
        if left:
            rows[place] = left
            return 0
        del days[place], rows[place]
        return -1

    def any_between(self, first: Day, after: Day) -> bool:
        """Whether there is a date from one day to the one before another."""
        place = bisect_left(self._days, first)
        return place < len(self._days) and self._days[place] < after

    def around(self, day: Day) -> tuple[Day | None, Day | None]:
        """The last date before a day, and the first after it."""
        days = self._days
        place = bisect_left(days, day)
        after = place + (place < len(days) and days[place] == day)
        return days[place - 1] if place else None, days[after] if after < len(days) else None
