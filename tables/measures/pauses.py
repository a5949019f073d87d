"""The periods that have a paused day."""

from bisect import bisect_right
from collections.abc import Collection
from typing import TypeAlias

from tables.periods import PERIOD_OF, Period, PeriodName
from tables.types import Day

Spans: TypeAlias = Collection[tuple[Day, Day | None]]
"""The first and the last day of each pause; None goes on for ever."""


class Pauses:
    """The periods of one kind that have a paused day, as disjoint ascending spans."""

    __slots__ = ("_before", "_ends", "_starts")

    def __init__(self, pauses: Spans, period: PeriodName) -> None:
        of = PERIOD_OF[period]
        self._starts: list[Period] = []
        self._ends: list[Period | None] = []
        self._before: list[int] = []
        for start, end in sorted(pauses, key=lambda pause: pause[0]):
            if end is None or end >= start:
                self._add(of(start), None if end is None else of(end))

    @classmethod
    def of(cls, pauses: Spans, period: PeriodName) -> "Pauses | None":
        """The paused periods, None without any pause."""
        return cls(pauses, period) if pauses else None

    def _add(self, start: Period, end: Period | None) -> None:
        if not self._starts:
            self._before.append(0)
        elif (last := self._ends[-1]) is None:
            return
        elif start <= last + 1:
            self._ends[-1] = None if end is None else max(last, end)
            return
        else:
            self._before.append(self._before[-1] + last + 1 - self._starts[-1])
        self._starts.append(start)
        self._ends.append(end)

    def between(self, first: Period, second: Period) -> int:
        """How many paused periods lie strictly between two periods, `first` being the earlier."""
        return self._up_to(second - 1) - self._up_to(first)

    def _up_to(self, period: Period) -> int:
        index = bisect_right(self._starts, period) - 1
        if index < 0:
            return 0
        end = self._ends[index]
        last = period if end is None else min(period, end)
        return self._before[index] + last + 1 - self._starts[index]
