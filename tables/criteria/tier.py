"""tier: a number that earns one tier after the other."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final, Literal

from pydantic import Field
from typing_extensions import override

from tables.criteria.base import Proof
from tables.criteria.fields import AtLeast, Counted, Expects, Flaw, Strict
from tables.criteria.measured import Measured
from tables.criteria.reached import Reached
from tables.languages import Language, Text, number
from tables.types import Day

_NAME: Final = Expects("the tier's name", "nivåets navn")
_OTHER_NAME: Final = Text("a name that no other tier has", "et navn som ikke noe annet nivå har")
_MORE: Final = Text(
    "more than {least}, for every tier asks for more than the last",
    "mer enn {least}, for hvert nivå krever mer enn det forrige",
)
_TIERS: Final = Text("tiers by {kind}: {steps}", "nivåer etter {kind}: {steps}")
_STEP: Final = Text("{name} from {level}", "{name} fra {level}")


class Step(Strict):
    """One tier of a tier badge."""

    name: Annotated[Counted, _NAME]
    at_least: AtLeast


class Tier(Measured):
    """A metric that earns one tier after the other."""

    root_only = True
    examples = (
        {
            "type": "tier",
            "metric": "count",
            "tiers": [{"name": "bronze", "at_least": 2}, {"name": "silver", "at_least": 5}],
        },
    )

    type: Literal["tier"]
    tiers: Annotated[
        list[Step],
        Field(min_length=1),
        Expects(
            "a list of tiers, each with name and at_least",
            "en liste med nivåer, hvert med name og at_least",
        ),
    ]

    @override
    def flaws(self) -> Iterator[Flaw]:
        names: set[str] = set()
        least = 0
        for index, step in enumerate(self.tiers):
            if step.at_least <= least:
                yield Flaw(f"tiers[{index}].at_least", _MORE.filled(least=least), step.at_least)
            if step.name in names:
                yield Flaw(f"tiers[{index}].name", _OTHER_NAME, step.name)
            names.add(step.name)
            least = step.at_least
        yield from super().flaws()

    @override
    def levels(self) -> Iterator[tuple[str, int]]:
        for index, step in enumerate(self.tiers):
            yield f"tiers[{index}].at_least", step.at_least

    @override
    def summary(self, language: Language = "en") -> str:
        steps = [_STEP(language, name=step.name, level=step.at_least) for step in self.tiers]
        return _TIERS(language, kind=self.kind(2, language), steps=", ".join(steps))

    @override
    def needed(self, amount: int) -> int:
        levels = [step.at_least for step in self.tiers]
        return next((level for level in levels if level > amount), levels[-1])

    @override
    def next_tier(self, amount: int) -> str | None:
        return next((step.name for step in self.tiers if step.at_least > amount), None)

    @override
    def level(self, tier: str) -> int:
        return next((step.at_least for step in self.tiers if step.name == tier), 0)

    @override
    def earned(self, proof: Proof, path: str = "$") -> str:
        least = self.level(proof.tier) if proof.tier is not None else 0
        if not least:
            return self.summary(proof.language)
        kind = self.kind(least, proof.language)
        return f"{proof.tier}: {number(least, proof.language)} {kind}"

    @override
    def condition(self, since: Day | None, badges: Mapping[str, str]) -> Reached:
        return self.steps(since)[0][1]

    @override
    def steps(self, since: Day | None) -> Sequence[tuple[str, Reached]]:
        spec = self.spec(since)
        return tuple((step.name, Reached(spec, step.at_least)) for step in self.tiers)
