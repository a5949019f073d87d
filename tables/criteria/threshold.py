"""threshold: so many activities, minutes, days or types, ever or within some window."""

from collections.abc import Iterator, Mapping
from typing import Literal

from typing_extensions import override

from tables.criteria.fields import AtLeast
from tables.criteria.measured import Measured
from tables.criteria.reached import Reached
from tables.languages import Language, number
from tables.types import Day


class Threshold(Measured):
    """A metric of the activities that reaches `at_least`, ever or within some window."""

    examples = (
        {"type": "threshold", "metric": "count", "at_least": 3},
        {
            "type": "threshold",
            "metric": "minutes",
            "at_least": 60,
            "activity_types": ["visit", "phone"],
            "window": {"rolling_days": 14},
        },
    )

    type: Literal["threshold"]
    at_least: AtLeast

    @override
    def levels(self) -> Iterator[tuple[str, int]]:
        yield "at_least", self.at_least

    @override
    def summary(self, language: Language = "en") -> str:
        return f"{number(self.at_least, language)} {self.kind(self.at_least, language)}"

    @override
    def needed(self, amount: int) -> int:
        return self.at_least

    @override
    def condition(self, since: Day | None, badges: Mapping[str, str]) -> Reached:
        return Reached(self.spec(since), self.at_least)
