"""What threshold and tier have in common: a metric of some activities, ever or within a window."""

from abc import abstractmethod
from collections.abc import Iterator
from datetime import date
from typing import Annotated

from typing_extensions import override

from tables.criteria.base import Criterion
from tables.criteria.fields import ActivityTypes, Expects, Flaw, Metric
from tables.criteria.window import Window, out_of_reach
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

    @override
    def flaws(self) -> Iterator[Flaw]:
        yield from self._out_of_reach(None if self.window is None else self.window.days)

    @override
    def flaws_from(self, counts_from: date) -> Iterator[Flaw]:
        window = self.window
        if window is None:
            return
        past = [flaw._replace(at=f"window.{flaw.at}") for flaw in window.flaws_from(counts_from)]
        yield from past or self._out_of_reach(window.days_from(counts_from))

    def _out_of_reach(self, days: int | None) -> Iterator[Flaw]:
        for at, level in self.levels():
            yield from out_of_reach(self.metric, self.activity_types, days, at, level)
