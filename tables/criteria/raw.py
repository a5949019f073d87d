"""raw: criteria that no type fits, awarded by hand."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn

from pydantic import Field
from typing_extensions import override

from tables.criteria.base import Criterion, Name
from tables.types import Day


class Raw(Criterion):
    """Criteria that no type fits: kept, never evaluated, awarded by hand."""

    root_only = True
    by_hand = True
    examples = ({"type": "raw", "criteria_raw": {"chosen": "by jury"}, "reason": "a jury chooses"},)

    type: Literal["raw"]
    criteria_raw: Annotated[Any, Field(description="any JSON value")]
    reason: Annotated[Name, Field(description="a text that says why no type fits")]

    @override
    def summary(self) -> str:
        return f"awarded by hand ({self.reason})"

    @override
    def needed(self, amount: int) -> int:
        return 1

    @override
    def missing(self, done: int, needed: int) -> str:
        return "somebody who awards it by hand"

    @override
    def condition(self, since: Day | None, badges: Mapping[str, str]) -> NoReturn:
        raise TypeError("raw criteria are never evaluated")

    @override
    def warnings(self) -> list[str]:
        return ["raw criteria are never evaluated: the badge is awarded by hand until replaced"]
