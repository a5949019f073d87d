"""What threshold and tier have in common: a metric of some activities, ever or within a window."""

from typing import Annotated

from pydantic import Field
from typing_extensions import override

from tables.criteria.base import ActivityTypes, Criterion, Metric
from tables.criteria.window import Window, check_days
from tables.criteria.words import of_types, unit
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

    def kind(self, number: int) -> str:
        """What is counted, as so many are called, of the types and in the window asked for."""
        within = "" if self.window is None else self.window.words()
        return f"{unit(self.metric, number)}{of_types(self.activity_types)}{within}"

    @override
    def missing(self, done: int, needed: int) -> str:
        lacks = needed - done
        return f"{lacks:,} more {self.kind(lacks)}"

    def spec(self, since: Day | None) -> MeasureSpec:
        """The measure of it, of rows from a date on."""
        types = None if self.activity_types is None else frozenset(self.activity_types)
        if self.window is None:
            return spec_of(Key("total", self.metric, types, since))
        return spec_of(self.window.key(self.metric, types, since))

    def check(self, at: str, level: int) -> None:
        """Refuse a level that the window is too short for."""
        check_days(self.metric, None if self.window is None else self.window.days, at, level)
