"""The worked example of docs/adding-a-criteria-type.md: periods that count, in a row or not."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, StrictInt
from typing_extensions import override

from reference.reading import Node, Rows, amount, chosen, period
from tables.criteria.base import Criterion
from tables.criteria.fields import ActivityTypes, AtLeast, Expects, Flaw
from tables.criteria.reached import Reached
from tables.criteria.window import MOST_DAYS, out_of_reach
from tables.criteria.words import of_types, periods, unit
from tables.languages import Language, Text
from tables.measures.specs import Key, spec_of
from tables.types import Activity, Day

EVER: Final = 1 << 40
"""More missed periods than there are: a run that bridges so many never ends."""

_FROM_1: Final = Expects("an integer from 1", "et heltall fra 1")
_PERIODS_WITH: Final = Text("{periods} with {days}", "{periods} med {days}")
_UNIT: Final = Text("periods", "perioder")
_ANOTHER: Final = Text("another {periods}", "ytterligere {periods}")


class ActivePeriods(Criterion):
    """`at_least` periods in which there are `per_period` active days."""

    examples = (
        {"type": "active_periods", "period": "week", "at_least": 2},
        {"type": "active_periods", "period": "month", "at_least": 2, "per_period": 3},
    )

    type: Literal["active_periods"]
    period: Literal["week", "month"]
    at_least: AtLeast
    per_period: Annotated[StrictInt, Field(ge=1), _FROM_1] = 1
    activity_types: ActivityTypes = None

    @override
    def flaws(self) -> Iterator[Flaw]:
        days = MOST_DAYS[self.period]
        return out_of_reach("active_days", None, days, "per_period", self.per_period)

    @override
    def summary(self, language: Language = "en") -> str:
        return self._said(self.at_least, language)

    @override
    def needed(self, amount: int) -> int:
        return self.at_least

    @override
    def missing(self, done: int, needed: int, language: Language = "en") -> str:
        return _ANOTHER(language, periods=self._said(needed - done, language))

    @override
    def unit(self, language: Language = "en") -> str:
        return _UNIT(language)

    def _said(self, how_many: int, language: Language) -> str:
        days = unit("active_days", self.per_period, language)
        types = of_types("active_days", self.activity_types, language)
        return _PERIODS_WITH(
            language,
            periods=periods(self.period, how_many, language),
            days=f"{self.per_period} {days}{types}",
        )

    @override
    def condition(self, since: Day | None, badges: Mapping[str, str]) -> Reached:
        types = None if self.activity_types is None else frozenset(self.activity_types)
        key = Key(
            "streak",
            "active_days",
            types,
            since,
            period=self.period,
            per_period=self.per_period,
            grace=EVER,
        )
        return Reached(spec_of(key), self.at_least)


def active_periods_on(node: Node, rows: Rows) -> Day | None:
    """The first date by which enough periods have enough active days."""
    activities = chosen(node, rows)
    for day in sorted({a.activity_date for a in activities}):
        inside: dict[int, list[Activity]] = {}
        for a in activities:
            if a.activity_date <= day:
                inside.setdefault(period(node["period"], a.activity_date), []).append(a)
        least = node.get("per_period", 1)
        counting = [each for each in inside.values() if amount("active_days", each) >= least]
        if len(counting) >= node["at_least"]:
            return day
    return None
