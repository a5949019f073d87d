"""Runs of counting periods, with misses bridged by grace and by pauses."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable

from badges.tables.periods import PERIOD_OF, Period, PeriodName
from badges.tables.types import Day


class Pauses:
    """The periods of one kind that have a paused day, as disjoint ascending spans."""

    __slots__ = ("_before", "_ends", "_starts")

    def __init__(self, pauses: Iterable[tuple[Day, Day | None]], period: PeriodName) -> None:
        of = PERIOD_OF[period]
        self._starts: list[Period] = []
        self._ends: list[Period | None] = []
        self._before: list[int] = []
        for start, end in sorted(pauses, key=lambda pause: pause[0]):
            if end is None or end >= start:
                self._add(of(start), None if end is None else of(end))

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


class Runs:
    """The runs that a set of counting periods forms; O(log n) to add, to remove and to ask.

    Two neighbours are of one run when at most `grace` periods between them were missed; a period
    with a paused day is not missed.
    """

    __slots__ = ("_grace", "_lengths", "_pauses", "_periods", "_starts", "longest")

    def __init__(
        self, grace: int = 0, pauses: Pauses | None = None, periods: Iterable[Period] = ()
    ) -> None:
        self._grace = grace
        self._pauses = pauses
        self._periods = sorted(periods)
        self.longest = 0
        self._link()

    def _link(self) -> None:
        periods = self._periods
        self._starts = [
            period
            for index, period in enumerate(periods)
            if not index or not self._linked(periods[index - 1], period)
        ]
        bounds = [bisect_left(periods, start) for start in self._starts] + [len(periods)]
        self._lengths: dict[int, int] = {}
        for index in range(len(self._starts)):
            length = bounds[index + 1] - bounds[index]
            self._lengths[length] = self._lengths.get(length, 0) + 1
        self.longest = max(self._lengths, default=0)

    def pause(self, pauses: Pauses | None) -> None:
        """Take in other pauses: every pair of neighbours is looked at again, O(periods)."""
        self._pauses = pauses
        self._link()

    def _linked(self, first: Period, second: Period) -> bool:
        missed = second - first - 1
        if missed <= self._grace:
            return True
        return self._pauses is not None and (
            missed - self._pauses.between(first, second) <= self._grace
        )

    def _span(self, period: Period) -> tuple[int, int, int]:
        """Of the run that a counting period is in: its number, its first and one past its last."""
        number = bisect_right(self._starts, period) - 1
        low = bisect_left(self._periods, self._starts[number])
        if number + 1 == len(self._starts):
            return number, low, len(self._periods)
        return number, low, bisect_left(self._periods, self._starts[number + 1])

    def _more(self, length: int) -> None:
        lengths = self._lengths
        lengths[length] = lengths.get(length, 0) + 1
        if length > self.longest:  # noqa: PLR1730 - this is far cheaper than a call
            self.longest = length

    def _fewer(self, length: int) -> None:
        left = self._lengths[length] - 1
        if left:
            self._lengths[length] = left
            return
        del self._lengths[length]
        if length == self.longest:
            self.longest = max(self._lengths, default=0)

    def add(self, period: Period) -> None:
        """A period that did not count begins to."""
        periods = self._periods
        if periods and period > periods[-1]:
            self._append(period)
            return
        index = bisect_left(periods, period)
        before = index > 0 and self._linked(periods[index - 1], period)
        after = index < len(periods) and self._linked(period, periods[index])
        if not before and not after:
            insort(self._starts, period)
        elif after:
            number = bisect_left(self._starts, periods[index])
            if number < len(self._starts) and self._starts[number] == periods[index]:
                if before:
                    self._join(number, index)
                else:
                    self._starts[number] = period
        periods.insert(index, period)
        _, low, high = self._span(period)
        if before or after:
            self._fewer(high - low - 1)
        self._more(high - low)

    def _append(self, period: Period) -> None:
        """The usual case: a period after all others."""
        periods, starts = self._periods, self._starts
        if self._linked(periods[-1], period):
            periods.append(period)
            length = len(periods) - bisect_left(periods, starts[-1])
            self._more(length)
            self._fewer(length - 1)
        else:
            periods.append(period)
            starts.append(period)
            self._more(1)

    def _join(self, number: int, index: int) -> None:
        """Make one run of the run `number` and the one before it, which meet at `index`."""
        _, low, _ = self._span(self._starts[number - 1])
        _, _, high = self._span(self._starts[number])
        del self._starts[number]
        self._fewer(index - low)
        self._fewer(high - index)
        self._lengths[high - low] = self._lengths.get(high - low, 0) + 1

    def remove(self, period: Period) -> None:
        """A counting period counts no longer."""
        periods = self._periods
        number, low, high = self._span(period)
        index = bisect_left(periods, period)
        del periods[index]
        high -= 1
        if low == high:
            del self._starts[number]
        elif index == low:
            self._starts[number] = periods[low]
        elif index < high and not self._linked(periods[index - 1], periods[index]):
            self._starts.insert(number + 1, periods[index])
            self._more(index - low)
            self._more(high - index)
            self._fewer(high - low + 1)
            return
        if high > low:
            self._more(high - low)
        self._fewer(high - low + 1)

    @property
    def size(self) -> int:
        """How many periods count."""
        return len(self._periods)

    @property
    def newest(self) -> tuple[int, Period | None]:
        """The length of the newest run and its last period; (0, None) without any."""
        if not self._starts:
            return 0, None
        low = bisect_left(self._periods, self._starts[-1])
        return len(self._periods) - low, self._periods[-1]

    @property
    def first(self) -> Period | None:
        """The first counting period."""
        return self._periods[0] if self._periods else None

    def beginning(self, length: int) -> Period:
        """The first period of the first run of at least `length`; there must be one."""
        for start in self._starts:
            _, low, high = self._span(start)
            if high - low >= length:
                return start
        raise LookupError(f"no run of {length} periods")

    def reaching(self, length: int) -> Period:
        """The period that made the first run of at least `length` that long; there must be one."""
        return self._periods[bisect_left(self._periods, self.beginning(length)) + length - 1]
