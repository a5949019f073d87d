"""Runs of counting periods, with misses bridged by grace and by pauses."""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence

from tables.measures.pauses import Pauses
from tables.periods import Period


class Runs:
    """The runs that a set of counting periods forms.

    Two neighbours are of one run when at most `grace` periods between them were missed; a period
    with a paused day is not missed. To add or to remove a period takes O(log n), except that all
    runs are counted by their lengths when for the first time one of the longest is broken.
    """

    __slots__ = ("_grace", "_lengths", "_pauses", "_periods", "_starts", "_tail", "longest")

    def __init__(self, grace: int = 0, pauses: Pauses | None = None) -> None:
        self._grace = grace
        self._pauses = pauses
        self._periods = array("i")
        self._starts = array("i")
        """The first period of each run."""
        self._tail = 0
        """The length of the newest run."""
        self.longest = 0
        self._lengths: dict[int, int] | None = None
        """How many runs there are of each length, once somebody needed to know."""

    def _measured(self) -> list[int]:
        """The length of each run."""
        bounds = [bisect_left(self._periods, start) for start in self._starts]
        bounds.append(len(self._periods))
        return [bounds[index + 1] - bounds[index] for index in range(len(self._starts))]

    def _measure_tail(self) -> None:
        starts, periods = self._starts, self._periods
        self._tail = len(periods) - bisect_left(periods, starts[-1]) if starts else 0

    def _compare(self, before: Sequence[int], now: Sequence[int]) -> None:
        """Runs of some lengths have become runs of other lengths."""
        longest, lengths = max(now, default=0), self._lengths
        if lengths is None:
            if longest >= self.longest or self.longest not in before:
                self.longest = max(self.longest, longest)
                return
            lengths = self._lengths = Counter(self._measured())
        else:
            for length in before:
                lengths[length] -= 1
                if not lengths[length]:
                    del lengths[length]
            for length in now:
                lengths[length] = lengths.get(length, 0) + 1
        if longest > self.longest or self.longest not in lengths:
            self.longest = max(lengths, default=0)

    def pause(self, pauses: Pauses | None, first: Period, last: Period | None) -> None:
        """Take in other pauses, which differ from `first` to `last` (None: for ever) at most.

        Only neighbours with such a period between them are looked at again.
        """
        self._pauses = pauses
        periods, starts = self._periods, self._starts
        end = len(periods) if last is None else bisect_left(periods, last) + 1
        for index in range(max(bisect_right(periods, first), 1), min(end, len(periods))):
            period = periods[index]
            place = bisect_left(starts, period)
            begins = place < len(starts) and starts[place] == period
            if begins != self._linked(periods[index - 1], period):
                continue
            if not begins:
                starts.insert(place, period)
            _, low, _ = self._span(periods[index - 1])
            _, _, high = self._span(period)
            whole, parts = (high - low,), (index - low, high - index)
            if begins:
                del starts[place]
                self._compare(parts, whole)
            else:
                self._compare(whole, parts)
        self._measure_tail()

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

    def add(self, period: Period) -> None:
        """A period counts, if it did not."""
        periods = self._periods
        last = periods[-1] if periods else None
        if last is not None and period <= last:
            if period < last:
                self._insert(period)
            return
        # The usual case: a period after all others.
        before = self._tail
        if last is not None and self._linked(last, period):
            self._tail += 1
        else:
            self._starts.append(period)
            self._tail = 1
        periods.append(period)
        if self._lengths is not None:
            self._compare((before,) if self._tail > 1 else (), (self._tail,))
        elif self._tail > self.longest:
            self.longest = self._tail

    def _insert(self, period: Period) -> None:
        """A period before another counts.

        Nothing changes but the links to its two neighbours. If the one after it did not begin a
        run, those two were linked, and it falls inside their run. If it did, the new period joins
        the run before, the run after (and begins it), both, which then are one, or is a run alone.
        """
        periods, starts = self._periods, self._starts
        index = bisect_left(periods, period)
        if periods[index] == period:
            return
        before = index > 0 and self._linked(periods[index - 1], period)
        following = periods[index]
        number = bisect_left(starts, following)
        begins = number < len(starts) and starts[number] == following
        joins = begins and before and self._linked(period, following)
        if joins:
            del starts[number]
        elif begins and not before:
            if self._linked(period, following):
                starts[number] = period
            else:
                starts.insert(number, period)
        periods.insert(index, period)
        number, low, high = self._span(period)
        if joins:
            self._compare((index - low, high - index - 1), (high - low,))
        else:
            self._compare((high - low - 1,) if high - low > 1 else (), (high - low,))
        if number + 1 == len(starts):
            self._tail = high - low

    def remove(self, period: Period) -> None:
        """A counting period counts no longer."""
        periods, starts = self._periods, self._starts
        number, low, high = self._span(period)
        index = bisect_left(periods, period)
        del periods[index]
        left: tuple[int, ...] = (high - low - 1,)
        if high - low == 1:
            del starts[number]
            left = ()
        elif index == low:
            starts[number] = periods[low]
        elif index < high - 1 and not self._linked(periods[index - 1], periods[index]):
            starts.insert(number + 1, periods[index])
            left = (index - low, high - index - 1)
        self._compare((high - low,), left)
        if number >= len(starts) - 2:
            self._measure_tail()

    @property
    def newest(self) -> tuple[int, Period | None]:
        """The length of the newest run and its last period; (0, None) without any."""
        return self._tail, self._periods[-1] if self._periods else None

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
