"""A skyline: a number for each day, kept as the days on which it changes.

However many days there are and wherever they lie, to add to some of them in a row takes steps for a
few neighbouring changes and for the blocks of changes in between. Of days that nobody has come to
yet it is only noted where the skyline falls. So the usual case, a row of the newest day, changes
the last number and notes a fall.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Final

from tables.types import Day

BLOCK: Final = 64
"""The most changes of a block. Some of a block are raised one by one, a whole block at once."""

_EVER: Final = -(1 << 62)
"""Before every day."""


class Skyline:
    """A whole number for each day, 0 where nothing was added, and the highest of them."""

    __slots__ = (
        "_bests",
        "_days",
        "_fall_days",
        "_falls",
        "_lifts",
        "_past",
        "_starts",
        "_values",
        "highest",
    )

    def __init__(self) -> None:
        self.highest = 0
        self._past = _EVER
        """The last day that was come to."""
        self._fall_days = array("q")
        """Later days on which the skyline changes, ascending."""
        self._falls = array("q")
        """By how much it does."""
        # Blocks of neighbouring changes, as parallel lists: the first day of each, its days, what
        # the skyline is from each of them on, less the block's lift; the lift; the highest.
        self._starts = [_EVER]
        self._days = [array("q", (_EVER,))]
        self._values = [array("q", (0,))]
        self._lifts = [0]
        self._bests = [0]

    @property
    def newest(self) -> int:
        """What it is on the last day that was come to; on no later day is it more."""
        return self._values[-1][-1] + self._lifts[-1]

    @property
    def changes(self) -> int:
        """How many days there are on which it changes, as far as that is kept."""
        return sum(map(len, self._days)) - 1

    def reaching(self, level: int) -> Day:
        """The first day on which it is as high as that; there must be one."""
        for block, best in enumerate(self._bests):
            if best >= level:
                level -= self._lifts[block]
                for day, value in zip(self._days[block], self._values[block], strict=True):
                    if value >= level:
                        return day
        raise LookupError(f"no day reaches {level}")

    def put(self, amounts: Iterable[tuple[Day, int]], days: int) -> None:
        """Add each amount to its day and to the days after it, so many together; by date."""
        for day, amount in amounts:
            if day > self._past:
                self._arrive(day, amount)
                self._fall(day + days, -amount)
            else:
                self.add(day, day + days, amount)

    def come_to(self, day: Day) -> None:
        """Days up to this one are past: on no later one is the skyline higher."""
        if day > self._past:
            self._arrive(day, 0)

    def _arrive(self, day: Day, amount: int) -> None:
        """The past goes on to a later day, from which on there is so much more."""
        days, falls = self._fall_days, self._falls
        value = self._values[-1][-1] + self._lifts[-1]
        come = bisect_right(days, day)
        for place in range(come):
            if days[place] == day:
                amount += falls[place]
            elif falls[place]:
                value += falls[place]
                self._append(days[place], value)
        if come:
            del days[:come], falls[:come]
        if amount:
            self._append(day, value + amount)
        self._past = day

    def add(self, first: Day, after: Day, by: int) -> None:
        """Add to every day from `first` to the one before `after`."""
        past = self._past
        if first >= after:
            return
        if after <= past:
            self._raise(first, after, by)
            return
        self._fall(after, -by)
        if first > past:
            self._fall(first, by)
        elif first >= self._days[-1][-1]:
            self._raise_newest(first, by)
        else:
            self._raise(first, None, by)

    def _fall(self, day: Day, by: int) -> None:
        days, falls = self._fall_days, self._falls
        if not days or day > days[-1]:
            days.append(day)
            falls.append(by)
            return
        place = bisect_left(days, day)
        if days[place] == day:
            falls[place] += by
        else:
            days.insert(place, day)
            falls.insert(place, by)

    def _append(self, day: Day, value: int) -> None:
        """From a day on, after all changes, it is as high as that."""
        days = self._days[-1]
        if len(days) < BLOCK:
            days.append(day)
            self._values[-1].append(value - self._lifts[-1])
            if value > self._bests[-1]:  # noqa: PLR1730 - this is far cheaper than a call
                self._bests[-1] = value
        else:
            self._starts.append(day)
            self._days.append(array("q", (day,)))
            self._values.append(array("q", (value,)))
            self._lifts.append(0)
            self._bests.append(value)
        if value > self.highest:  # noqa: PLR1730 - here too
            self.highest = value

    def _raise_newest(self, first: Day, by: int) -> None:
        """Add from a day on, before which all changes lie or which is the last of them."""
        if self._days[-1][-1] != first:
            self._append(first, self.newest + by)
            return
        values, lift, before = self._values[-1], self._lifts[-1], self._bests[-1]
        values[-1] += by
        best = max(before, values[-1] + lift) if by > 0 else max(values) + lift
        self._bests[-1] = best
        self._compare(before, best)
        self._join(len(self._starts) - 1, len(values) - 1)

    def _raise(self, first: Day, after: Day | None, by: int) -> None:
        """Add to days of the past, up to its end if `after` is None."""
        block, begin = self._cut(first)
        if after is None:
            last, end = len(self._starts) - 1, len(self._days[-1])
        else:
            blocks = len(self._starts)
            last, end = self._cut(after)
            if len(self._starts) > blocks:
                block, begin = self._place(first)
        before = max(self._bests[block : last + 1])
        for each in range(block, last + 1):
            values = self._values[each]
            low, high = begin if each == block else 0, end if each == last else len(values)
            if high - low == len(values):
                self._lifts[each] += by
                self._bests[each] += by
            elif low < high:
                values[low:high] = array("q", [value + by for value in values[low:high]])
                self._bests[each] = max(values) + self._lifts[each]
        self._compare(before, max(self._bests[block : last + 1]))
        if after is not None:
            self._join(last, end)
        self._join(block, begin)

    def _compare(self, before: int, now: int) -> None:
        """Some blocks were as high as `before` at most, and are now as high as `now`."""
        if now > self.highest:
            self.highest = now
        elif now < before == self.highest:
            self.highest = max(self._bests)

    def _place(self, day: Day) -> tuple[int, int]:
        """The block, and the place in it, of the last change up to a day."""
        block = bisect_right(self._starts, day) - 1
        return block, bisect_right(self._days[block], day) - 1

    def _cut(self, day: Day) -> tuple[int, int]:
        """The place of the change on a day, which is made if there is none."""
        block, place = self._place(day)
        days, values = self._days[block], self._values[block]
        if days[place] == day:
            return block, place
        days.insert(place + 1, day)
        values.insert(place + 1, values[place])
        if len(days) <= BLOCK:
            return block, place + 1
        self._split(block)
        return self._place(day)

    def _split(self, block: int) -> None:
        days, values, lift = self._days[block], self._values[block], self._lifts[block]
        half = len(days) // 2
        self._starts.insert(block + 1, days[half])
        self._days[block : block + 1] = [days[:half], days[half:]]
        self._values[block : block + 1] = [values[:half], values[half:]]
        self._lifts.insert(block + 1, lift)
        self._bests[block : block + 1] = [max(values[:half]) + lift, max(values[half:]) + lift]

    def _join(self, block: int, place: int) -> None:
        """Forget a change that is none, being as high as what comes before."""
        days, values = self._days[block], self._values[block]
        if place:
            if values[place] != values[place - 1]:
                return
        elif values[0] + self._lifts[block] != self._values[block - 1][-1] + self._lifts[block - 1]:
            return
        del days[place], values[place]
        if not days:
            for each in (self._starts, self._days, self._values, self._lifts, self._bests):
                del each[block]
        elif not place:
            self._starts[block] = days[0]
            self._bests[block] = max(values) + self._lifts[block]
