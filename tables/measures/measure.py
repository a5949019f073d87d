"""Measures: what one mentor's activities amount to, in one respect each.

A rule asks a measure whether it reaches a level, and on which date it first did. Rules that ask the
same (metric, activity types, dates, window or streak) share one measure, whatever their levels.

A measure reads what came and went when it is asked, in one go, which takes a fraction of the time
that it would take to tell it of every row.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Final

from tables.measures.amounts import Metric, amount
from tables.measures.choices import ByDate, Choice
from tables.measures.pauses import Spans
from tables.rows import Change, Row
from tables.types import Day

NEVER: Final = 1 << 60
"""More rows or minutes than there will be."""


class Measure(ABC):
    """One mentor's standing in what a measure measures."""

    __slots__ = ("choice", "in_minutes", "metric", "read", "value")

    def __init__(self, choice: Choice, metric: Metric) -> None:
        self.choice = choice
        self.metric: Metric = metric
        self.in_minutes = metric == "minutes"
        """Whether a row adds its minutes to the value, not 1 at most."""
        self.value = 0
        """The highest level that is reached, as far as the changes are read."""
        self.read = 0
        """How many of the ledger's changes are read."""

    def read_on(self, changes: list[Change]) -> int:
        """Read the changes to their end; the value then."""
        if self.read < len(changes):
            self.apply(changes[self.read :] if self.read else changes)
            self.read = len(changes)
        return self.value

    @abstractmethod
    def apply(self, changes: Iterable[Change]) -> None:
        """Take in rows that came and went."""

    def slack(self, level: int) -> int:
        """How many rows, or minutes, it takes at least to reach a level, whatever their dates."""
        return level - self.value

    def newest(self, day: Day) -> int:  # noqa: ARG002
        """The highest value that rows of the newest date (`day`) or of later ones add to."""
        return self.value

    @abstractmethod
    def day(self, level: int, by_date: ByDate) -> Day:
        """The date on which the level was first reached, going through the rows by date."""

    @abstractmethod
    def first(self, level: int, day: Day) -> Day | None:
        """The date from which rows count towards the level reached on `day`; None: all."""

    def rows(self, by_date: ByDate, first: Day | None, last: Day) -> Iterator[Row]:
        """The rows that count from one day (None: the first) to another, by date."""
        return self.choice.within(by_date, first, last)

    def amount(self, level: int, day: Day, by_date: ByDate) -> int:
        """How much was reached: all of a total, or of the window or run up to that day."""
        return amount(self.metric, self.rows(by_date, self.first(level, day), day))

    def pause(self, spans: Spans, first: Day, last: Day | None) -> None:  # noqa: B027 - most measures have nothing to do then
        """Pauses from `first` to `last` changed, to `spans`: of no matter except to streaks."""
