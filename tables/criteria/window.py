"""Windows: within which days a metric has to reach its number."""

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, StrictInt, Tag
from typing_extensions import override

from tables.criteria.fields import Expects, Flaw, Strict, above, expected, integer, one_of
from tables.languages import Language, Text, spoken_date
from tables.measures.amounts import Metric
from tables.measures.specs import Key
from tables.periods import day_number
from tables.types import Day

MOST_DAYS: Final = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
_A_DATE: Final = Expects("a date like 2026-01-31", "en dato som 2026-01-31")
_NOT_BEFORE: Final = Text(
    "a date from {first} on, when the window begins",
    "en dato fra og med {first}, da vinduet begynner",
)
_NOT_PAST: Final = Text(
    "a date from {first} on, when rows begin to count",
    "en dato fra og med {first}, da radene begynner å telle",
)
_DAYS: Final = Text("days", "dager")
_TYPES: Final = Text("activity types", "aktivitetstyper")

_ONE_DAY: Final = Text(" on one day", " på én dag")
_ANY_DAYS: Final = Text(" within any {days} days", " i løpet av {days} sammenhengende dager")
_WITHIN: Final[Mapping[str, Text]] = {
    "week": Text(" within one calendar week", " i løpet av én kalenderuke"),
    "month": Text(" within one calendar month", " i løpet av én kalendermåned"),
    "quarter": Text(" within one calendar quarter", " i løpet av ett kalenderkvartal"),
    "year": Text(" within one calendar year", " i løpet av ett kalenderår"),
}
_ON: Final = Text(" on {date}", " den {date}")
_FROM_TO: Final = Text(" from {first} to {last}", " fra {first} til {last}")


class _Window(Strict):
    @property
    @abstractmethod
    def days(self) -> int:
        """The most days that can be active in it."""

    @abstractmethod
    def words(self, language: Language) -> str:
        """The end of a sentence."""

    def flaws_from(self, counts_from: date) -> Iterable[Flaw]:  # noqa: ARG002
        """What is wrong with it where only rows from a date on count."""
        return ()

    def days_from(self, counts_from: date) -> int:  # noqa: ARG002
        """The most days in it that can be active if those before a date cannot."""
        return self.days

    @abstractmethod
    def key(self, metric: Metric, types: frozenset[str] | None, since: Day | None) -> Key:
        """The measure of what the best of these windows comes to."""


class Rolling(_Window):
    """Any n consecutive days."""

    rolling_days: Annotated[StrictInt, Field(ge=1, le=3660), integer(1, 3660)]

    @property
    @override
    def days(self) -> int:
        return self.rolling_days

    @override
    def words(self, language: Language) -> str:
        if self.days == 1:
            return _ONE_DAY(language)
        return _ANY_DAYS(language, days=self.days)

    @override
    def key(self, metric: Metric, types: frozenset[str] | None, since: Day | None) -> Key:
        return Key("rolling", metric, types, since, days=self.rolling_days)


class Calendar(_Window):
    """Within one week, month, quarter or year."""

    calendar: Annotated[
        Literal["week", "month", "quarter", "year"], one_of(["week", "month", "quarter", "year"])
    ]

    @property
    @override
    def days(self) -> int:
        return MOST_DAYS[self.calendar]

    @override
    def words(self, language: Language) -> str:
        return _WITHIN[self.calendar](language)

    @override
    def key(self, metric: Metric, types: frozenset[str] | None, since: Day | None) -> Key:
        return Key("calendar", metric, types, since, period=self.calendar)


def _iso_date(value: object) -> object:
    # The date alone: `date` itself reads weeks and dates without hyphens too.
    if isinstance(value, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise expected(_A_DATE)


_IsoDate: TypeAlias = Annotated[
    date,
    BeforeValidator(
        _iso_date,
        json_schema_input_type=Annotated[str, Field(json_schema_extra={"format": "date"})],
    ),
    _A_DATE,
]


class Fixed(_Window):
    """From one date to another, both inclusive."""

    from_: _IsoDate = Field(alias="from")
    to: _IsoDate

    @override
    def flaws(self) -> Iterator[Flaw]:
        if self.to < self.from_:
            yield Flaw("to", _NOT_BEFORE.filled(first=str(self.from_)), str(self.to))

    @property
    @override
    def days(self) -> int:
        return (self.to - self.from_).days + 1

    @override
    def flaws_from(self, counts_from: date) -> Iterator[Flaw]:
        if self.to < counts_from:
            yield Flaw("to", _NOT_PAST.filled(first=str(counts_from)), str(self.to))

    @override
    def days_from(self, counts_from: date) -> int:
        return (self.to - max(self.from_, counts_from)).days + 1

    @override
    def words(self, language: Language) -> str:
        first, last = (spoken_date(on, language) for on in (self.from_, self.to))
        if first == last:
            return _ON(language, date=first)
        return _FROM_TO(language, first=first, last=last)

    @override
    def key(self, metric: Metric, types: frozenset[str] | None, since: Day | None) -> Key:
        first = day_number(self.from_)
        since = first if since is None else max(first, since)
        return Key("total", metric, types, since, until=day_number(self.to))


def _kind(value: object) -> str | None:
    if isinstance(value, dict):
        if "rolling_days" in value:
            return "rolling_days"
        if "calendar" in value:
            return "calendar"
        if "from" in value or "to" in value:
            return "from"
    return None


Window: TypeAlias = Annotated[
    Annotated[Rolling, Tag("rolling_days")]
    | Annotated[Calendar, Tag("calendar")]
    | Annotated[Fixed, Tag("from")],
    Discriminator(_kind),
]


def out_of_reach(
    metric: Metric, types: Sequence[str] | None, days: int | None, at: str, level: int
) -> Iterator[Flaw]:
    """The flaw of a level that some days (None: no end) and types (None: all) cannot come to."""
    if metric == "active_days" and days is not None:
        yield from above(days, _DAYS, at, level)
    if metric == "distinct_types" and types is not None:
        yield from above(len(set(types)), _TYPES, at, level)
