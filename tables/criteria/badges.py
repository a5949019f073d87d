"""badges: other badges that are held."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, StrictInt
from typing_extensions import override

from tables.criteria.base import Criterion
from tables.criteria.condition import Condition, Enough
from tables.criteria.fields import Expects, Flaw, Name, NamesOf, above, integer_up_to
from tables.criteria.words import more_of, some_of
from tables.languages import Language, Noun, Text
from tables.ledger import Ledger
from tables.types import Day

_THINGS: Final = Text("badges", "merker")
_KEYS: Final = Expects("a list of badge keys", "en liste med nøkler til merker")
_BADGE: Final = Noun(Text("the badge", "merket"), Text("the badges", "merkene"))
_HELD: Final = Text("{badges} held", "{badges} oppnådd")


class Badges(Criterion):
    """`at_least` of the badges held; all of them unless given."""

    examples = (
        {"type": "badges", "badges": ["first-visit", "ten-visits"]},
        {"type": "badges", "badges": ["first-visit", "ten-visits", "mentor"], "at_least": 2},
    )

    type: Literal["badges"]
    badges: Annotated[list[Name], Field(min_length=1), _KEYS, NamesOf("badge")]
    at_least: Annotated[
        Annotated[StrictInt, Field(ge=1)] | None,
        integer_up_to(_THINGS),
    ] = None

    @override
    def flaws(self) -> Iterator[Flaw]:
        return above(len(set(self.badges)), _THINGS, "at_least", self.at_least)

    @override
    def summary(self, language: Language = "en") -> str:
        return _HELD(language, badges=some_of(_BADGE, self.badges, self.needed(0), language))

    @override
    def needed(self, amount: int) -> int:
        return self.at_least or len(set(self.badges))

    @override
    def missing(self, done: int, needed: int, language: Language = "en") -> str:
        return more_of(_BADGE, self.badges, needed - done, language)

    @override
    def unit(self, language: Language = "en") -> str:
        return _THINGS(language)

    @override
    def condition(self, since: Day | None, badges: Mapping[str, str]) -> Condition:
        # A key that names nothing counts as not held.
        known = frozenset(badges[key] for key in self.badges if key in badges)
        return Holding(known, self.needed(0))


class Holding(Enough):
    """Enough of some badges are held."""

    __slots__ = ("_definitions",)

    def __init__(self, definitions: frozenset[str], at_least: int) -> None:
        super().__init__(at_least)
        self._definitions = definitions

    @override
    def days(self, ledger: Ledger) -> list[Day]:
        awards = (ledger.held.get(definition_id) for definition_id in self._definitions)
        return [award.day for award in awards if award and award.revoked_by is None]
