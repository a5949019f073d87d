"""Choices: which of a mentor's rows count."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from tables.rows import AFTER_ALL, BEFORE_ALL, TYPE_MASK, Change, Row, begins
from tables.types import Day

ByDate: TypeAlias = Sequence[Row]
"""All rows of a mentor, ascending."""


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

    def within(
        self, by_date: ByDate, first: Day | None = None, last: Day | None = None
    ) -> Iterator[Row]:
        """The rows that count from one day to another (None: no bound), by date."""
        low = self.low if first is None else max(self.low, begins(first))
        high = self.high if last is None else min(self.high, begins(last + 1))
        rows, types = by_date[bisect_left(by_date, low) : bisect_left(by_date, high)], self.types
        return iter(rows) if types is None else (row for row in rows if row & TYPE_MASK in types)
