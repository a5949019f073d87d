"""Activity rows packed into integers, and all of a mentor's in date order.

A mentor can have 50,000 rows and a worker millions: packed, a row is one integer of 36 bytes that
every structure shares. The day is on top, so packed rows sort by date.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Final, TypeAlias

from tables.names import counted
from tables.types import Day

Row: TypeAlias = int
"""`(day + BIAS) << DAY_AT | minutes << MINUTES_AT | type number`; unknown minutes are 0."""
Change: TypeAlias = int
"""A row that came is itself, one that went is its complement (`~row`, which is negative)."""

MINUTES_AT: Final = 26
DAY_AT: Final = 57
BIAS: Final = 1 << 32
TYPE_MASK: Final = (1 << MINUTES_AT) - 1
ONE_DAY: Final = 1 << DAY_AT
MINUTES_MASK: Final = (1 << (DAY_AT - MINUTES_AT)) - 1
BEFORE_ALL: Final[Row] = 0
AFTER_ALL: Final[Row] = 1 << 96

NUMBERS: Final[dict[str, int]] = {}
"""The number of every activity type that this process has met."""
_names: list[str] = []


def type_number(name: str) -> int:
    """The number that stands for an activity type in this process, as far as its name counts."""
    name = counted(name)
    number = NUMBERS.get(name)
    if number is None:
        number = NUMBERS[name] = len(_names)
        _names.append(name)
    return number


def type_name(number: int) -> str:
    """The activity type that a number stands for, as it counts."""
    return _names[number]


def begins(day: Day) -> Row:
    """The lowest row of a day: rows of the days from a to b lie in [begins(a), begins(b + 1))."""
    return (day + BIAS) << DAY_AT


def day_in(row: Row) -> Day:
    """The date of a row."""
    return (row >> DAY_AT) - BIAS


def minutes_in(row: Row) -> int:
    """The minutes of a row."""
    return row >> MINUTES_AT & MINUTES_MASK


class Timeline:
    """A sorted multiset of rows: O(log n) to add, to remove and to find, whatever its length.

    Rows lie in chunks of at most `_FULL`, because inserting into one list of 50,000 would move
    half of it each time.
    """

    __slots__ = ("_chunks", "_lowest")

    _FULL: Final = 1024

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        ordered = sorted(rows)
        half = self._FULL // 2
        self._chunks = [ordered[i : i + half] for i in range(0, len(ordered), half)] or [[]]
        self._lowest = [chunk[0] for chunk in self._chunks if chunk]

    def apply(self, changes: Iterable[Change]) -> None:
        """Take in rows that came and went, in their order."""
        for change in changes:
            if change >= 0:
                self._add(change)
            else:
                self._remove(~change)

    def _add(self, row: Row) -> None:
        if not self._lowest:
            self._lowest.append(row)
        index = max(bisect_right(self._lowest, row) - 1, 0)
        chunk = self._chunks[index]
        insort(chunk, row)
        self._lowest[index] = chunk[0]
        if len(chunk) > self._FULL:
            middle = len(chunk) // 2
            self._chunks[index : index + 1] = [chunk[:middle], chunk[middle:]]
            self._lowest.insert(index + 1, chunk[middle])

    def _remove(self, row: Row) -> None:
        index = bisect_right(self._lowest, row) - 1
        chunk = self._chunks[index]
        del chunk[bisect_left(chunk, row)]
        if chunk:
            self._lowest[index] = chunk[0]
        else:
            del self._lowest[index]
            if len(self._chunks) > 1:
                del self._chunks[index]

    def any_between(self, low: Row, high: Row) -> bool:
        """Whether there is a row in [low, high)."""
        index, start = self._place(low)
        chunk = self._chunks[index]
        if start < len(chunk):
            return chunk[start] < high
        return index + 1 < len(self._lowest) and self._lowest[index + 1] < high

    def between(self, low: Row = BEFORE_ALL, high: Row = AFTER_ALL) -> Iterator[Row]:
        """The rows in [low, high), by date."""
        return chain.from_iterable(self._pieces(low, high))

    def _pieces(self, low: Row, high: Row) -> Iterator[list[Row]]:
        index, start = self._place(low)
        for chunk in islice(self._chunks, index, None):
            if chunk and chunk[-1] >= high:
                yield chunk[start : bisect_left(chunk, high)]
                return
            yield chunk[start:]
            start = 0

    def _place(self, low: Row) -> tuple[int, int]:
        """The number of the chunk where rows from `low` on begin, and where in it."""
        index = max(bisect_left(self._lowest, low) - 1, 0)
        return index, bisect_left(self._chunks[index], low)

    def backwards(self, low: Row = BEFORE_ALL, high: Row = AFTER_ALL) -> Iterator[Row]:
        """The rows in [low, high), from the last to the first."""
        index = bisect_left(self._lowest, high) - 1
        while index >= 0:
            chunk = self._chunks[index]
            for position in range(bisect_left(chunk, high) - 1, -1, -1):
                row = chunk[position]
                if row < low:
                    return
                yield row
            index -= 1
