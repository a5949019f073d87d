"""any: so many of some parts hold."""

from typing import Annotated, Literal

from pydantic import Field, StrictInt, model_validator
from typing_extensions import override

from tables.criteria.base import not_above
from tables.criteria.combination import Combination


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
    at_least: Annotated[
        StrictInt, Field(ge=1, description="an integer from 1 to the number of parts")
    ] = 1

    @model_validator(mode="after")
    def _enough(self) -> "AnyOf":
        not_above(len(self.of), "parts", "at_least", self.at_least)
        return self

    @property
    @override
    def enough(self) -> int:
        return self.at_least

    @override
    def summary(self) -> str:
        said = self.said()
        if len(said) == 1 or self.at_least == 1:
            return " or ".join(said)
        return f"{self.at_least} of: {'; '.join(said)}"
