"""What the fields of criteria have in common: what belongs in each, checked and said."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Final, Literal, NamedTuple, Self, TypeAlias, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StrictInt,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from tables.documents import shown
from tables.languages import Text, either_of
from tables.measures import amounts
from tables.types import COUNTED


class Expects(Text):
    """Says what belongs in the field that it annotates: in messages, and in the JSON schema."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core), "description": self.en}


NameKind: TypeAlias = Literal["activity_type", "course", "badge"]


class NamesOf(NamedTuple):
    """Marks a field that lists names which an organization may know or not.

    The JSON schema says of which kind they are, for forms that suggest them.
    """

    kind: NameKind

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core), "x-names-of": self.kind}


class Mention(NamedTuple):
    """A name in some criteria, and its JSON path."""

    kind: NameKind
    name: str
    path: str


_NOT_ABOVE: Final = Text(
    "an integer from 1 to {most}, the number of {things}",
    "et heltall fra 1 til {most}, antallet {things}",
)
_ONE_ALONE: Final = Text("{most}, the number of {things}", "{most}, antallet {things}")
_INTEGER: Final = Text("an integer from {least} to {most}", "et heltall fra {least} til {most}")
_UP_TO: Final = Text(
    "an integer from 1 to the number of {things}", "et heltall fra 1 til antallet {things}"
)


class Flaw(NamedTuple):
    """What is wrong between the fields of an object: what is expected instead, and what is there.

    `at` is the path within the object.
    """

    at: str
    expected: Text
    found: object


class Strict(BaseModel):
    """An object in a document, which has the known keys alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def flaws(self) -> Iterable[Flaw]:
        """What is wrong although each field is right by itself; what is within it aside."""
        return ()

    @model_validator(mode="after")
    def _flawless(self) -> Self:
        if flaws := list(self.flaws()):
            raise PydanticCustomError("flaws", "", {"flaws": flaws})
        return self


def expected(what: Text) -> PydanticCustomError:
    """What a reader of one value raises: the words that follow "expected"."""
    return PydanticCustomError("expected", "", {"expected": what})


def above(most: int, things: Text, at: str, found: int | None) -> Iterator[Flaw]:
    """The flaw of a number that is more than there are."""
    if found is not None and found > most:
        said = _ONE_ALONE if most == 1 else _NOT_ABOVE
        yield Flaw(at, said.filled(most=most, things=things), found)


def one_of(words: Iterable[str]) -> Expects:
    """Expects one of some words."""
    listed = [shown(word) for word in words]
    return Expects(either_of(listed, "en"), either_of(listed, "nb"))


def integer(least: int, most: int) -> Expects:
    """Expects one of some integers."""
    return Expects(*_INTEGER.filled(least=least, most=most))


def integer_up_to(things: Text) -> Expects:
    """Expects at most as many as there are of some things."""
    return Expects(*_UP_TO.filled(things=things))


Name: TypeAlias = Annotated[str, Field(strict=True, min_length=1)]
Counted: TypeAlias = Annotated[Name, Field(max_length=COUNTED)]
"""A name that rows are counted or tiers known by: of a longer one only so much is compared."""
ActivityTypes: TypeAlias = Annotated[
    Annotated[list[Counted], Field(min_length=1)] | None,
    Expects("a list of activity types", "en liste med aktivitetstyper"),
    NamesOf("activity_type"),
]
Metric: TypeAlias = Annotated[amounts.Metric, one_of(get_args(amounts.Metric))]
AtLeast: TypeAlias = Annotated[StrictInt, Field(ge=1, le=1_000_000), integer(1, 1_000_000)]
