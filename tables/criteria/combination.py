"""What all and any have in common: criteria of which enough hold."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final

from pydantic import Field
from typing_extensions import override

from tables.criteria.base import Criterion, Part, Proof
from tables.criteria.condition import Condition, Enough, Wait
from tables.criteria.fields import Expects
from tables.languages import Language, Text
from tables.ledger import Ledger
from tables.measures.specs import MeasureSpec
from tables.types import Day

_LIST: Final = Expects("a list of criteria", "en liste med kriterier")
_UNIT: Final = Text("parts", "deler")
_MISSING: Final = Text("{number} more of {parts} parts", "ytterligere {number} av {parts} deler")

AND: Final = Text(" and ", " og ")


class Combination(Criterion):
    """Enough parts hold."""

    of: Annotated[list[Part], Field(min_length=1), _LIST]

    @property
    @abstractmethod
    def enough(self) -> int:
        """How many have to hold."""

    @property
    @override
    def parts(self) -> Sequence[Criterion]:
        return self.of

    def said(self, language: Language) -> list[str]:
        """What each part asks for; in brackets where it is of several itself."""
        return [_bracketed(part, part.summary(language)) for part in self.of]

    @override
    def needed(self, amount: int) -> int:
        return self.enough

    @override
    def missing(self, done: int, needed: int, language: Language = "en") -> str:
        return _MISSING(language, number=needed - done, parts=len(self.of))

    @override
    def unit(self, language: Language = "en") -> str:
        return _UNIT(language)

    @override
    def earned(self, proof: Proof, path: str = "$") -> str:
        held = [
            (part, at)
            for part, at in zip(self.of, _paths_within(self, path), strict=True)
            if proof.holds(at)
        ]
        # The proof may be of other criteria, or of none.
        if len(held) < self.enough:
            return self.summary(proof.language)
        said = [part.earned(proof, at) for part, at in held]
        if len(held) == 1:
            return said[0]
        return AND(proof.language).join(
            f"({each})" if sum(map(proof.holds, _paths_within(part, at))) > 1 else each
            for each, (part, at) in zip(said, held, strict=True)
        )

    @override
    def condition(self, since: Day | None, badges: Mapping[str, str]) -> Condition:
        return Parts(tuple(part.condition(since, badges) for part in self.of), self.enough)


def _paths_within(criteria: Criterion, path: str) -> list[str]:
    return [f"{path}.of[{index}]" for index in range(len(criteria.parts))]


def _bracketed(part: Criterion, said: str) -> str:
    return f"({said})" if len(part.parts) > 1 else said


class Parts(Enough):
    """Enough of some parts hold: all of them, or any so many."""

    __slots__ = ("_parts",)

    def __init__(self, parts: tuple[Condition, ...], at_least: int) -> None:
        super().__init__(at_least)
        self._parts = parts

    @property
    @override
    def parts(self) -> Sequence[Condition]:
        return self._parts

    @property
    @override
    def asks_training(self) -> bool:
        return any(part.asks_training for part in self._parts)

    @override
    def holds(self, ledger: Ledger) -> bool:
        missing = self._at_least
        for left, part in zip(range(len(self._parts), 0, -1), self._parts, strict=True):
            if missing > left:
                return False
            if part.holds(ledger):
                missing -= 1
                if not missing:
                    return True
        return False

    @override
    def days(self, ledger: Ledger) -> list[Day]:
        return [part.day(ledger) for part in self._parts if part.holds(ledger)]

    @override
    def amount_so_far(self, ledger: Ledger) -> int:
        return sum(part.holds(ledger) for part in self._parts)

    @override
    def until(self, ledger: Ledger, *, holds: bool) -> Iterator[Wait]:
        # What as few parts wait for as will do. It begins to hold no earlier than one of so many
        # failing parts does that the others are too few, and goes on holding as long as enough of
        # the parts that hold do.
        enough = len(self._parts) - self._at_least + 1 if holds else self._at_least
        for part in self._parts:
            if enough and part.holds(ledger) != holds:
                enough -= 1
                yield from part.until(ledger, holds=holds)

    @override
    def specs(self) -> Iterator[MeasureSpec]:
        for part in self._parts:
            yield from part.specs()
