"""What every type of criteria is: the model of a document that says and compiles itself."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, ClassVar, Final, NamedTuple, TypeAlias

from pydantic import PlainValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from tables.criteria.condition import Condition
from tables.criteria.fields import Flaw, Mention, NamesOf, Strict, expected
from tables.criteria.reached import Reached
from tables.languages import Language, Text
from tables.types import Day

_CRITERIA: Final = Text("an object with criteria", "et objekt med kriterier")


class Proof(NamedTuple):
    """What is known of why criteria held: which of the innermost did, by path, and the tier."""

    language: Language
    paths: frozenset[str]
    tier: str | None = None

    def holds(self, path: str) -> bool:
        """Whether the criteria of a path did, or some within them."""
        return any(each == path or each.startswith(f"{path}.") for each in self.paths)


class Criterion(Strict, ABC):
    """One node of some criteria. docs/adding-a-criteria-type.md says what a type has to define."""

    root_only: ClassVar[bool] = False
    """Whether it may not stand within `all` and `any`."""
    by_hand: ClassVar[bool] = False
    """Whether it is never evaluated."""
    examples: ClassVar[Sequence[Mapping[str, Any]]]
    """Documents, root `version` aside: for editors, for docs, and to try it on random rows."""

    type: str

    @abstractmethod
    def summary(self, language: Language = "en") -> str:
        """What is asked for, in one sentence without its full stop."""

    @abstractmethod
    def needed(self, amount: int) -> int:
        """How much is asked for, of whoever has `amount`."""

    @abstractmethod
    def missing(self, done: int, needed: int, language: Language = "en") -> str:
        """What somebody lacks who has less than is needed: '3 more activities'."""

    @abstractmethod
    def unit(self, language: Language = "en") -> str:
        """What `needed` counts, as several are called: 'activities'."""

    def next_tier(self, amount: int) -> str | None:  # noqa: ARG002
        """The name of the tier that `needed` is asked for; None without tiers, and at the top."""
        return None

    def level(self, tier: str) -> int:  # noqa: ARG002
        """What the tier of that name asks for at least; 0 where there is none."""
        return 0

    def earned(self, proof: Proof, path: str = "$") -> str:  # noqa: ARG002
        """What somebody did who earned it, as far as the proof tells, without a full stop."""
        return self.summary(proof.language)

    @abstractmethod
    def condition(self, since: Day | None, badges: Mapping[str, str]) -> Condition:
        """What decides whether it holds for a mentor.

        Rows dated before `since` count for nothing (None: all count). `badges` are the definitions'
        ids by the keys that they are known by.
        """

    @property
    def parts(self) -> Sequence["Criterion"]:
        """The criteria within these, in the order of the condition's parts."""
        return ()

    def nodes(self, path: str = "$") -> Iterator[tuple[str, "Criterion"]]:
        """These criteria and those within, at any depth, with their JSON paths."""
        yield path, self
        for index, part in enumerate(self.parts):
            yield from part.nodes(f"{path}.of[{index}]")

    def mentions(self) -> Iterator[Mention]:
        """The names that are in them, at any depth."""
        for path, node in self.nodes():
            for key, field in type(node).model_fields.items():
                for names in (each for each in field.metadata if isinstance(each, NamesOf)):
                    for index, name in enumerate(getattr(node, key) or ()):
                        yield Mention(names.kind, name, f"{path}.{key}[{index}]")

    def badge_keys(self) -> Iterator[str]:
        """The keys of the badges that are asked for, at any depth: those are decided first."""
        return (mention.name for mention in self.mentions() if mention.kind == "badge")

    def flaws_from(self, counts_from: date) -> Iterable[Flaw]:  # noqa: ARG002
        """What can never hold, its parts aside, where only rows from a date on count."""
        return ()

    def steps(self, since: Day | None) -> Sequence[tuple[str, Reached]]:  # noqa: ARG002
        """The names of tiers, ascending, and what it takes to reach each; empty without tiers."""
        return ()

    def warnings(self, language: Language = "en") -> list[str]:  # noqa: ARG002
        """What somebody who saves these criteria should know although they are valid."""
        return []


Types: TypeAlias = Mapping[str, type[Criterion]]
"""The types that a document may be of, by name."""


def read(value: object, types: Types, *, nested: bool) -> Criterion:
    """An object of a document as the type that it says to be of; raises what pydantic does."""
    if not isinstance(value, dict):
        raise expected(_CRITERIA)
    kind = value.get("type")
    known = [name for name, each in types.items() if not (nested and each.root_only)]
    if kind not in known:
        raise PydanticCustomError("unknown_type", "", {"known": known, "types": list(types)})
    return types[kind].model_validate(value, context=types)


def _read_part(value: object, info: ValidationInfo) -> Criterion:
    assert info.context is not None
    return read(value, info.context, nested=True)


def _read_root(value: object, info: ValidationInfo) -> Criterion:
    assert info.context is not None
    return read(value, info.context, nested=False)


Root: TypeAlias = Annotated[Criterion, PlainValidator(_read_root)]
Part: TypeAlias = Annotated[
    Criterion, PlainValidator(_read_part), WithJsonSchema({"$ref": "#/$defs/Part"})
]
"""Criteria of whichever type; the types are the context that the document is validated in."""
