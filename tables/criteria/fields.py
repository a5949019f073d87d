"""What the fields of criteria have in common: what belongs in each, checked and said."""

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, StrictInt
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from tables.documents import shown
from tables.languages import Text, either_of
from tables.measures import amounts
from tables.types import COUNTED


class Strict(BaseModel):
    """An object in a document, which has the known keys alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Expects(Text):
    """Says what belongs in the field that it annotates: in messages, and in the JSON schema."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core), "description": self.en}


_VALUE: Final = object()
_NOT_ABOVE: Final = Text(
    "an integer from 1 to {most}, the number of {things}",
    "et heltall fra 1 til {most}, antallet {things}",
)
_INTEGER: Final = Text("an integer from {least} to {most}", "et heltall fra {least} til {most}")
_UP_TO: Final = Text(
    "an integer from 1 to the number of {things}", "et heltall fra 1 til antallet {things}"
)


def expected(what: Text, at: str = "", found: object = _VALUE) -> PydanticCustomError:
    """What a check of a model raises: the words that follow "expected", and where to look.

    `at` is a path within the object that is checked; `found` is its own value unless given.
    """
    context: dict[str, Any] = {"expected": what, "at": at}
    return PydanticCustomError(
        "expected", "", context | ({} if found is _VALUE else {"found": found})
    )


def not_above(most: int, things: Text, at: str, found: int | None) -> None:
    """Refuse a number of more than there are."""
    if found is not None and found > most:
        raise expected(_NOT_ABOVE.filled(most=most, things=things), at, found)


NameKind: TypeAlias = Literal["activity_type", "course", "badge"]


class NamesOf(NamedTuple):
    """Marks a field that lists names which an organization may know or not."""

    kind: NameKind


class Mention(NamedTuple):
    """A name in some criteria, and its JSON path."""

    kind: NameKind
    name: str
    path: str


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
Metric: TypeAlias = Annotated[
    amounts.Metric,
    one_of(get_args(amounts.Metric)),
]
AtLeast: TypeAlias = Annotated[StrictInt, Field(ge=1, le=1_000_000), integer(1, 1_000_000)]
