"""What threshold and tier have in common: a metric of some activities, ever or within a window."""

from abc import abstractmethod
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Self

from pydantic import model_validator
from typing_extensions import override

from tables.criteria.base import Criterion
from tables.criteria.fields import ActivityTypes, Expects, Metric
from tables.criteria.window import Window, check_level
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
        Expects(
            '{"rolling_days": n}, {"calendar": "week", "month", "quarter" or "year"} '
            'or {"from": date, "to": date}',
            '{"rolling_days": n}, {"calendar": "week", "month", "quarter" eller "year"} '
            'eller {"from": dato, "to": dato}',
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

    @abstractmethod
    def levels(self) -> Iterator[tuple[str, int]]:
        """The numbers that it is to reach, and the keys that they are under."""

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        self._check(None if self.window is None else self.window.days)
        return self

    @override
    def check_from(self, counts_from: date) -> None:
        if self.window is not None:
            self._check(self.window.days_from(counts_from))

    def _check(self, days: int | None) -> None:
        for at, level in self.levels():
            check_level(self.metric, self.activity_types, days, at, level)
