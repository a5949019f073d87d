"""Activity rows packed into integers.

A mentor can have 50,000 rows and a worker millions: packed, a row is one integer that every
structure shares, and so do rows of the same date, minutes and type. The day is on top, so packed
rows sort by date.
"""

from typing import Final, TypeAlias

from tables.types import Day, counted

Row: TypeAlias = int
"""`(day + BIAS) << DAY_AT | minutes << MINUTES_AT | type number`; unknown minutes are 0."""
Change: TypeAlias = int
"""A row that came is itself, one that went is its complement (`~row`, which is negative)."""

MINUTES_AT: Final = 26
DAY_AT: Final = 57
BIAS: Final = 1 << 32
TYPE_MASK: Final = (1 << MINUTES_AT) - 1
MINUTES_MASK: Final = (1 << (DAY_AT - MINUTES_AT)) - 1
BEFORE_ALL: Final[Row] = 0
AFTER_ALL: Final[Row] = 1 << 96

NUMBERS: Final[dict[str, int]] = {}
"""The number of every activity type that this process has met."""
_names: list[str] = []
_shared: dict[Row, Row] = {}
"""Rows that came lately: one alike is the same object then, which saves 48 bytes."""
_MOST_SHARED: Final = 1 << 14


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


def packed(day: Day, minutes: int, number: int) -> Row:
    """The row of a date, so many minutes and the type of that number."""
    row = (day + BIAS) << DAY_AT | minutes << MINUTES_AT | number
    if len(_shared) == _MOST_SHARED:
        _shared.clear()
    return _shared.setdefault(row, row)


def begins(day: Day) -> Row:
    """The lowest row of a day: rows of the days from a to b lie in [begins(a), begins(b + 1))."""
    return (day + BIAS) << DAY_AT


def day_in(row: Row) -> Day:
    """The date of a row."""
    return (row >> DAY_AT) - BIAS


def minutes_in(row: Row) -> int:
    """The minutes of a row."""
    return row >> MINUTES_AT & MINUTES_MASK
