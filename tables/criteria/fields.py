"""What the fields of criteria have in common: what belongs in each, checked and said."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, Final, Literal, NamedTuple, Self, TypeAlias, cast, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    StrictInt,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError

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


MANY: Final = 100
"""More that is wrong with a document helps nobody, and costs time to look for."""


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

    @model_validator(mode="wrap")
    @classmethod
    def _flawless(
        cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        """Say what is wrong between fields also where others are wrong by themselves."""
        try:
            read = handler(value)
        except ValidationError as error:
            flaws = cls._flaws_of_the_rest(value, error, info)
            if not flaws:
                raise
            lines = [_said_again(each) for each in error.errors(include_url=False)]
            lines.append(InitErrorDetails(type=_flawed(flaws), loc=(), input=value))
            raise ValidationError.from_exception_data(error.title, lines) from None
        if flaws := list(read.flaws()):
            raise _flawed(flaws)
        return read

    @classmethod
    def _flaws_of_the_rest(
        cls, value: Any, error: ValidationError, info: ValidationInfo
    ) -> list[Flaw]:
        """What is wrong between the fields that are right, as far as these tell."""
        if not isinstance(value, dict) or error.error_count() > MANY:
            return []
        wrong = {each["loc"][0] for each in error.errors() if each["loc"]}
        right = {}
        for name, field in cls.model_fields.items():
            key = field.alias or name
            if key in value and key not in wrong:
                right[name] = _reader(cls, name).validate_python(value[key], context=info.context)
            elif value.get(key) and isinstance(value[key], list):
                # Of a list in which something is wrong the length is known.
                right[name] = value[key]
        flaws = []
        with suppress(AttributeError, TypeError):
            for flaw in cls.model_construct(**right).flaws():
                flaws.append(flaw)
        return flaws


def _flawed(flaws: list[Flaw]) -> PydanticCustomError:
    return PydanticCustomError("flaws", "", {"flaws": flaws})


@cache
def _reader(model: type[Strict], name: str) -> TypeAdapter[Any]:
    """What reads one field of a model."""
    field = model.model_fields[name]
    annotated: Any = Annotated[cast("Any", field.annotation), name, *field.metadata]
    return TypeAdapter(annotated)


def _said_again(error: ErrorDetails) -> InitErrorDetails:
    said = {**error.get("ctx", {}), "said": error["msg"]}
    kind = PydanticCustomError(error["type"], "{said}", said)
    return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"])


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
