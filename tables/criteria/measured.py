"""What threshold and tier have in common: a metric of some activities, ever or within a window."""

from typing import Annotated

from pydantic import Field
from typing_extensions import override

from tables.criteria.base import ActivityTypes, Criterion, Metric
from tables.criteria.window import Window, check_days
from tables.criteria.words import more, of_types, unit
from tables.languages import Language
from tables.measures.specs import Key, MeasureSpec, spec_of
from tables.types import Day


class Measured(Criterion):
    """Criteria that a number of something reaches."""

    metric: Metric
    activity_types: ActivityTypes = None
    window: Annotated[
        Window | None,
        Field(
            description='{"rolling_days": n}, {"calendar": "week", "month", "quarter" or "year"} '
            'or {"from": date, "to": date}'
        ),
    ] = None

    def kind(self, how_many: int, language: Language) -> str:
        """What is counted, as so many are called, of the types and in the window asked for."""
        types = of_types(self.metric, self.activity_types, language)
        within = "" if self.window is None else self.window.words(language)
        return f"{unit(self.metric, how_many, language)}{types}{within}"

    @override
    def missing(self, done: int, needed: int, language: Language = "en") -> str:
        lacks = needed - done
        return more(lacks, self.kind(lacks, language), language)

    @override
    def unit(self, language: Language = "en") -> str:
        return unit(self.metric, 2, language)

    def spec(self, since: Day | None) -> MeasureSpec:
        """The measure of it, of rows from a date on."""
        types = None if self.activity_types is None else frozenset(self.activity_types)
        if self.window is None:
            return spec_of(Key("total", self.metric, types, since))
        return spec_of(self.window.key(self.metric, types, since))

    def check(self, at: str, level: int) -> None:
        """Refuse a level that the window is too short for."""
        check_days(self.metric, None if self.window is None else self.window.days, at, level)
