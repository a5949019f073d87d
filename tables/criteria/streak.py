"""streak: so many periods in a row that count."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, StrictInt
from typing_extensions import override

from tables.criteria.base import Criterion
from tables.criteria.fields import ActivityTypes, Flaw, Metric, integer, one_of
from tables.criteria.reached import Reached
from tables.criteria.window import MOST_DAYS, out_of_reach
from tables.criteria.words import of_types, periods, unit
from tables.languages import Language, Text, number
from tables.measures.specs import Key, spec_of
from tables.types import Day

_ROW: Final = Text(
    "{periods} in a row with {amount} each{grace}", "{periods} på rad med {amount} hver{grace}"
)
_ONE: Final = Text("{periods} with {amount}", "{periods} med {amount}")
"""Of one period nothing is in a row, and none can be missed."""
_GRACE: Final = Text(
    ", up to {missed} missed in between", ", der opptil {missed} imellom kan mangle"
)
_MISSING: Final = Text(
    "{all}: the longest so far is {done}", "{all}: den lengste rekken så langt er {done}"
)

_IN_A_ROW: Final[Mapping[str, Text]] = {
    "day": Text("days in a row", "dager på rad"),
    "week": Text("weeks in a row", "uker på rad"),
    "month": Text("months in a row", "måneder på rad"),
}


class Streak(Criterion):
    """`length` periods in a row in each of which the metric reaches `per_period`."""

    examples = (
        {"type": "streak", "period": "day", "length": 2},
        {
            "type": "streak",
            "period": "week",
            "length": 3,
            "metric": "minutes",
            "per_period": 20,
            "activity_types": ["visit"],
            "grace": 1,
        },
    )

    type: Literal["streak"]
    period: Annotated[Literal["day", "week", "month"], one_of(["day", "week", "month"])]
    length: Annotated[StrictInt, Field(ge=1, le=1000), integer(1, 1000)]
    metric: Metric = "count"
    per_period: Annotated[StrictInt, Field(ge=1, le=100_000), integer(1, 100_000)] = 1
    activity_types: ActivityTypes = None
    grace: Annotated[StrictInt, Field(ge=0, le=52), integer(0, 52)] = 0

    @override
    def flaws(self) -> Iterator[Flaw]:
        days = MOST_DAYS[self.period]
        return out_of_reach(self.metric, self.activity_types, days, "per_period", self.per_period)

    @override
    def summary(self, language: Language = "en") -> str:
        units = unit(self.metric, self.per_period, language)
        types = of_types(self.metric, self.activity_types, language)
        grace = ""
        if self.grace:
            grace = _GRACE(language, missed=periods(self.period, self.grace, language))
        return (_ONE if self.length == 1 else _ROW)(
            language,
            periods=periods(self.period, self.length, language),
            amount=f"{number(self.per_period, language)} {units}{types}",
            grace=grace,
        )

    @override
    def needed(self, amount: int) -> int:
        return self.length

    @override
    def missing(self, done: int, needed: int, language: Language = "en") -> str:
        return _MISSING(language, all=self.summary(language), done=done)

    @override
    def unit(self, language: Language = "en") -> str:
        return _IN_A_ROW[self.period](language)

    @override
    def condition(self, since: Day | None, badges: Mapping[str, str]) -> Reached:
        # One row is one active day and one type: where one suffices, the metrics agree.
        metric = self.metric if self.per_period > 1 or self.metric == "minutes" else "count"
        types = None if self.activity_types is None else frozenset(self.activity_types)
        key = Key(
            "streak",
            metric,
            types,
            since,
            period=self.period,
            per_period=self.per_period,
            grace=self.grace,
        )
        return Reached(spec_of(key), self.length)
