"""training: courses that are completed."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, StrictInt
from typing_extensions import override

from tables.criteria.base import Criterion
from tables.criteria.condition import Condition, Enough
from tables.criteria.fields import Counted, Expects, Flaw, NamesOf, above, integer_up_to
from tables.criteria.words import more_of, some_of
from tables.languages import Language, Noun, Text
from tables.ledger import Ledger
from tables.types import Day

_THINGS: Final = Text("courses", "kurs")
_CODES: Final = Expects("a list of course codes", "en liste med kurskoder")
_COURSE: Final = Noun(Text("the course", "kurset"), Text("the courses", "kursene"))
_UNIT: Final = Text("courses", "kurs")
_COMPLETED: Final = Text("{courses} completed", "{courses} fullført")


class Training(Criterion):
    """`at_least` of the courses completed; all of them unless given."""

    examples = (
        {"type": "training", "courses": ["basic", "ethics"]},
        {"type": "training", "courses": ["basic", "ethics", "safety"], "at_least": 1},
    )

    type: Literal["training"]
    courses: Annotated[list[Counted], Field(min_length=1), _CODES, NamesOf("course")]
    at_least: Annotated[
        Annotated[StrictInt, Field(ge=1)] | None,
        integer_up_to(_THINGS),
    ] = None

    @override
    def flaws(self) -> Iterator[Flaw]:
        return above(len(set(self.courses)), _THINGS, "at_least", self.at_least)

    @override
    def summary(self, language: Language = "en") -> str:
        return _COMPLETED(
            language, courses=some_of(_COURSE, self.courses, self.needed(0), language)
        )

    @override
    def needed(self, amount: int) -> int:
        return self.at_least or len(set(self.courses))

    @override
    def missing(self, done: int, needed: int, language: Language = "en") -> str:
        return more_of(_COURSE, self.courses, needed - done, language)

    @override
    def unit(self, language: Language = "en") -> str:
        return _UNIT(language)

    @override
    def condition(self, since: Day | None, badges: Mapping[str, str]) -> Condition:
        return Trained(frozenset(self.courses), self.needed(0), since)


class Trained(Enough):
    """Enough of some courses are completed."""

    __slots__ = ("_courses", "_since")

    def __init__(self, courses: frozenset[str], at_least: int, since: Day | None) -> None:
        super().__init__(at_least)
        self._courses = courses
        self._since = since

    @override
    def days(self, ledger: Ledger) -> list[Day]:
        since = self._since
        days = []
        for course in self._courses:
            found = ledger.completions.get(course)
            if found and (since is None or found[-1] >= since):
                days.append(found[0] if since is None else found[bisect_left(found, since)])
        return days

    @override
    def rows(self, ledger: Ledger, day: Day, most: int) -> list[tuple[Day, str]]:
        first: dict[str, tuple[Day, str]] = {}
        for training_id, (course, on) in ledger.trainings.items():
            if course in self._courses and on <= day and (self._since is None or on >= self._since):
                first[course] = min(first.get(course, (on, training_id)), (on, training_id))
        return sorted(first.values())[-most:]

    @property
    @override
    def asks_training(self) -> bool:
        return True
