"""any: so many of some parts hold."""

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field, StrictInt
from typing_extensions import override

from tables.criteria.combination import Combination
from tables.criteria.fields import Flaw, above, integer_up_to
from tables.languages import Language, Text

_PARTS: Final = Text("parts", "deler")
_OR: Final = Text(" or ", " eller ")
_SO_MANY: Final = Text("{number} of: {parts}", "{number} av: {parts}")


class AnyOf(Combination):
    """`at_least` of the parts hold; one unless given."""

    examples = (
        {
            "type": "any",
            "at_least": 1,
            "of": [
                {"type": "streak", "period": "day", "length": 3},
                {"type": "badges", "badges": ["first-visit"]},
            ],
        },
    )

    type: Literal["any"]
    at_least: Annotated[StrictInt, Field(ge=1), integer_up_to(_PARTS)] = 1

    @override
    def flaws(self) -> Iterator[Flaw]:
        return above(len(self.of), _PARTS, "at_least", self.at_least)

    @property
    @override
    def enough(self) -> int:
        return self.at_least

    @override
    def summary(self, language: Language = "en") -> str:
        said = self.said(language)
        if self.at_least == 1:
            return _OR(language).join(said)
        return _SO_MANY(language, number=self.at_least, parts="; ".join(said))
