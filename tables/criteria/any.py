"""any: so many of some parts hold."""

from typing import Annotated, Final, Literal

from pydantic import Field, StrictInt, model_validator
from typing_extensions import override

from tables.criteria.combination import Combination
from tables.criteria.fields import integer_up_to, not_above
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

    @model_validator(mode="after")
    def _enough(self) -> "AnyOf":
        not_above(len(self.of), _PARTS, "at_least", self.at_least)
        return self

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
