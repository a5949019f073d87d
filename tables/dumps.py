"""Ledgers as bytes and back: what was told of each mentor, and nothing that follows from it.

Measures, statistics and what rules wait for are made anew when somebody asks for them. Rows alike,
of which there are many, and the names of their types, whose numbers are a process's own, are
written once, in the first part of a dump that has them: parts are loaded in their order.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from tables.ledger import Ledger
from tables.rows import TYPE_MASK, Row, day_in, minutes_in, packed, type_name, type_number
from tables.types import Award, Day, Mentor, Pause, TrainingCompletion

_T = TypeVar("_T")

_ID_BYTES: Final = 16
_ID_CHARACTERS: Final = 36
_DASHES: Final = (8, 13, 18, 23)


class _Saved(Struct, array_like=True, gc=False):
    """One ledger. `row` is the mentor's own: the organization, and whether they are active.

    `activities` are the ids of as many rows, each of which is its number in the dump. An award is
    its fields in their order, the mentor aside.
    """

    mentor_id: str
    row: tuple[str, bool] | None
    activities: bytes | list[str]
    rows: list[int]
    trainings: list[tuple[str, str, Day]]
    pauses: list[tuple[str, Day, Day | None]]
    awards: list[list[Any]]
    texts: dict[str, str]


class _Part(Struct, array_like=True):
    """Some ledgers, and what no part before it has: names of types, and rows.

    A row is a date, minutes, and the number in the dump of its type's name.
    """

    names: list[str]
    rows: list[tuple[Day, int, int]]
    ledgers: list[_Saved]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Part).decode


class _Numbers(dict[_T, int]):
    """A number for each thing that is asked for, from 0 on; `new` are those that got theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.new: list[_T] = []

    def __missing__(self, thing: _T) -> int:
        self.new.append(thing)
        number = self[thing] = len(self)
        return number

    def take_new(self) -> list[_T]:
        new, self.new = self.new, []
        return new


class Dump:
    """Writes ledgers, some at a time."""

    def __init__(self) -> None:
        self._types = _Numbers[int]()
        self._rows = _Numbers[Row]()

    def part(self, ledgers: Iterable[Ledger]) -> bytes:
        """The next part."""
        saved = [self._saved(ledger) for ledger in ledgers]
        types = self._types
        rows = [
            (day_in(row), minutes_in(row), types[row & TYPE_MASK]) for row in self._rows.take_new()
        ]
        names = [type_name(number) for number in types.take_new()]
        return _encode(_Part(names, rows, saved))

    def _saved(self, ledger: Ledger) -> _Saved:
        mentor = ledger.mentor
        return _Saved(
            ledger.mentor_id,
            (mentor.organization_id, mentor.active) if mentor else None,
            _shortened(ledger.rows),
            list(map(self._rows.__getitem__, ledger.rows.values())),
            [(each, *training) for each, training in ledger.trainings.items()],
            [(each, *pause) for each, pause in ledger.pauses.items()],
            [_fields(award) for award in ledger.held.values()],
            ledger.texts or {},
        )


class Load:
    """Reads what a Dump has written, part after part."""

    def __init__(self) -> None:
        self._types: list[int] = []
        self._rows: list[Row] = []
        self._shared: dict[str, str] = {}

    def part(self, part: bytes | memoryview) -> list[Ledger]:
        """The ledgers of the next part. Raises msgspec.DecodeError for what is none."""
        read = _decode(part)
        types = self._types
        types += map(type_number, read.names)
        self._rows += [packed(day, minutes, types[number]) for day, minutes, number in read.rows]
        return [self._ledger(saved) for saved in read.ledgers]

    def _ledger(self, saved: _Saved) -> Ledger:
        mentor, share = saved.mentor_id, self._share
        ledger = Ledger(mentor)
        if saved.row is not None:
            organization, active = saved.row
            ledger.put_mentor(Mentor(mentor, share(organization), active))
        ids = _ids(saved.activities)
        ledger.hold_rows(dict(zip(ids, map(self._rows.__getitem__, saved.rows), strict=True)))
        for each, course, day in saved.trainings:
            ledger.put_training(TrainingCompletion(each, mentor, share(course), day))
        for each, first, last in saved.pauses:
            ledger.put_pause(Pause(each, mentor, first, last))
        for each, definition, *fields in saved.awards:
            ledger.believe(Award(each, mentor, share(definition), *fields))
        for each, text in saved.texts.items():
            ledger.remember(each, text)
        return ledger

    def _share(self, text: str) -> str:
        """The same object for texts alike."""
        return self._shared.setdefault(text, text)


def _fields(award: Award) -> list[Any]:
    award_id, _, *fields = msgspec.structs.astuple(award)
    return [award_id, *fields]


def _shortened(ids: Iterable[str]) -> bytes | list[str]:
    """Ids as 16 bytes each; as they are where one is no UUID: only Postgres sees to that."""
    ids = list(ids)
    with suppress(ValueError):
        shortened = bytes.fromhex("".join(ids).replace("-", ""))
        if _ids(shortened) == ids:
            return shortened
    return ids


def _ids(shortened: bytes | list[str]) -> list[str]:
    if isinstance(shortened, list):
        return shortened
    count = len(shortened) // _ID_BYTES
    digits = shortened.hex().encode()
    # Not id by id, but place by place: all first digits, all second ones, and so on.
    length = _ID_CHARACTERS + 1
    text = bytearray(b"-" * (length * count))
    places = [place for place in range(_ID_CHARACTERS) if place not in _DASHES]
    for number, place in enumerate(places):
        text[place::length] = digits[number :: len(places)]
    text[_ID_CHARACTERS::length] = b"," * count
    return text.decode().split(",")[:-1]
