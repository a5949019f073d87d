"""The criteria of a badge: the whole union, parsed and checked, and its JSON schema."""

import re
from contextlib import suppress
from datetime import date
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictInt,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from tables.complaints import complaints
from tables.documents import TOO_DEEP, Problem, read, shown
from tables.names import COUNTED

Metric: TypeAlias = Literal["count", "minutes", "active_days", "distinct_types"]

MAX_DEPTH: Final = 4
MAX_NODES: Final = 32
MAX_TEXT: Final = 128 * 1024
"""The characters of a document written plainly: room for 500 courses with the longest names."""
MAX_PROBLEMS: Final = 100
"""More of them help nobody."""


class InvalidCriteria(ValueError):
    """A criteria document that cannot be used; `problems` says what is wrong with it, all at once.

    Of thousands of problems it says the first.
    """

    def __init__(self, problems: list[Problem]) -> None:
        problems = problems[:MAX_PROBLEMS]
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


def _iso_date(value: object) -> object:
    # The date alone: `date` itself reads weeks and dates without hyphens too.
    if isinstance(value, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise PydanticCustomError("expected", "", {"expected": "a date like 2026-01-31"})


def _too_many(at: str, most: int, what: str, found: int) -> PydanticCustomError:
    expected = f"an integer from 1 to {most}, the number of {what}"
    return PydanticCustomError("expected", "", {"at": at, "expected": expected, "found": found})


Name: TypeAlias = Annotated[str, Field(strict=True, min_length=1)]
AtLeast: TypeAlias = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
Parts: TypeAlias = Annotated[list["Node"], Field(min_length=1)]
Counted: TypeAlias = Annotated[Name, Field(max_length=COUNTED)]
"""A name that rows are counted or tiers known by: of a longer one only so much is compared."""
Names: TypeAlias = Annotated[list[Name], Field(min_length=1)]
CountedNames: TypeAlias = Annotated[list[Counted], Field(min_length=1)]
IsoDate: TypeAlias = Annotated[
    date,
    BeforeValidator(
        _iso_date,
        json_schema_input_type=Annotated[str, Field(json_schema_extra={"format": "date"})],
    ),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rolling(_Strict):
    """Any n consecutive days."""

    rolling_days: Annotated[StrictInt, Field(ge=1, le=3660)]


class Calendar(_Strict):
    """Within one week, month, quarter or year."""

    calendar: Literal["week", "month", "quarter", "year"]


class Fixed(_Strict):
    """From one date to another, both inclusive."""

    from_: IsoDate = Field(alias="from")
    to: IsoDate

    @model_validator(mode="after")
    def _in_order(self) -> "Fixed":
        if self.to < self.from_:
            expected = f"a date from {self.from_} on, when the window begins"
            context = {"at": "to", "expected": expected, "found": str(self.to)}
            raise PydanticCustomError("expected", "", context)
        return self


def _window_kind(value: object) -> str | None:
    if isinstance(value, dict):
        if "rolling_days" in value:
            return "rolling_days"
        if "calendar" in value:
            return "calendar"
        if "from" in value or "to" in value:
            return "from"
    return None


Window: TypeAlias = Annotated[
    Annotated[Rolling, Tag("rolling_days")]
    | Annotated[Calendar, Tag("calendar")]
    | Annotated[Fixed, Tag("from")],
    Discriminator(_window_kind),
]


_MOST_DAYS: Final = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}


def _days_suffice(metric: Metric, days: int | None, *levels: tuple[str, int]) -> None:
    """Refuse levels, with their places, of more active days than there are days (None: no end)."""
    for at, level in levels:
        if metric == "active_days" and days is not None and level > days:
            raise _too_many(at, days, "days", level)


def _days_of(window: Rolling | Calendar | Fixed | None) -> int | None:
    if isinstance(window, Rolling):
        return window.rolling_days
    if isinstance(window, Calendar):
        return _MOST_DAYS[window.calendar]
    return None if window is None else (window.to - window.from_).days + 1


class Threshold(_Strict):
    """A metric of the activities that reaches `at_least`, ever or within some window."""

    type: Literal["threshold"]
    metric: Metric
    at_least: AtLeast
    activity_types: CountedNames | None = None
    window: Window | None = None

    @model_validator(mode="after")
    def _can_hold(self) -> "Threshold":
        _days_suffice(self.metric, _days_of(self.window), ("at_least", self.at_least))
        return self


class Streak(_Strict):
    """`length` periods in a row in each of which the metric reaches `per_period`."""

    type: Literal["streak"]
    period: Literal["day", "week", "month"]
    length: Annotated[StrictInt, Field(ge=1, le=1000)]
    metric: Metric = "count"
    per_period: Annotated[StrictInt, Field(ge=1, le=100_000)] = 1
    activity_types: CountedNames | None = None
    grace: Annotated[StrictInt, Field(ge=0, le=52)] = 0

    @model_validator(mode="after")
    def _can_count(self) -> "Streak":
        _days_suffice(self.metric, _MOST_DAYS[self.period], ("per_period", self.per_period))
        return self


class Training(_Strict):
    """`at_least` of the courses completed; all of them unless given."""

    type: Literal["training"]
    courses: CountedNames
    at_least: Annotated[StrictInt, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _enough(self) -> "Training":
        most = len(set(self.courses))
        if self.at_least is not None and self.at_least > most:
            raise _too_many("at_least", most, "courses", self.at_least)
        return self


class Badges(_Strict):
    """`at_least` of the badges held; all of them unless given."""

    type: Literal["badges"]
    badges: Names
    at_least: Annotated[StrictInt, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _enough(self) -> "Badges":
        most = len(set(self.badges))
        if self.at_least is not None and self.at_least > most:
            raise _too_many("at_least", most, "badges", self.at_least)
        return self


class All(_Strict):
    """Every part holds."""

    type: Literal["all"]
    of: Parts


class AnyOf(_Strict):
    """`at_least` of the parts hold; one unless given."""

    type: Literal["any"]
    of: Parts
    at_least: Annotated[StrictInt, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _enough(self) -> "AnyOf":
        if self.at_least > len(self.of):
            raise _too_many("at_least", len(self.of), "parts", self.at_least)
        return self


class Step(_Strict):
    """One tier of a tier badge."""

    name: Counted
    at_least: AtLeast


class Tier(_Strict):
    """A metric that earns one tier after the other."""

    type: Literal["tier"]
    metric: Metric
    tiers: Annotated[list[Step], Field(min_length=1)]
    activity_types: CountedNames | None = None
    window: Window | None = None

    @model_validator(mode="after")
    def _ascending(self) -> "Tier":
        names: set[str] = set()
        least = 0
        for index, step in enumerate(self.tiers):
            if step.at_least <= least:
                context = {
                    "at": f"tiers[{index}].at_least",
                    "expected": f"more than {least}, for every tier asks for more than the last",
                    "found": step.at_least,
                }
                raise PydanticCustomError("expected", "", context)
            if step.name in names:
                context = {
                    "at": f"tiers[{index}].name",
                    "expected": "a name that no other tier has",
                    "found": step.name,
                }
                raise PydanticCustomError("expected", "", context)
            names.add(step.name)
            least = step.at_least
        steps = [
            (f"tiers[{index}].at_least", step.at_least) for index, step in enumerate(self.tiers)
        ]
        _days_suffice(self.metric, _days_of(self.window), *steps)
        return self


class Raw(_Strict):
    """Criteria that no type fits: kept, never evaluated, awarded by hand."""

    type: Literal["raw"]
    criteria_raw: Any
    reason: Name


Node: TypeAlias = Annotated[
    Threshold | Streak | Training | Badges | All | AnyOf, Field(discriminator="type")
]
Criteria: TypeAlias = Threshold | Streak | Training | Badges | All | AnyOf | Tier | Raw

MODELS: Final[dict[str, type[BaseModel]]] = {
    "threshold": Threshold,
    "streak": Streak,
    "training": Training,
    "badges": Badges,
    "all": All,
    "any": AnyOf,
    "tier": Tier,
    "raw": Raw,
}

for _model in (All, AnyOf):
    _model.model_rebuild()

_ADAPTER: Final[TypeAdapter[Criteria]] = TypeAdapter(
    Annotated[Criteria, Field(discriminator="type")]
)


def parse(text: str | bytes) -> Criteria:
    """Read a criteria document (contract: Criteria).

    Raises InvalidCriteria with everything that is wrong with it.
    """
    try:
        return _parse(text)
    except RecursionError:
        raise InvalidCriteria([TOO_DEEP]) from None


def _parse(text: str | bytes) -> Criteria:
    document, problems = read(text, MAX_TEXT)
    if document is None and problems:
        raise InvalidCriteria(problems)
    if not isinstance(document, dict):
        raise InvalidCriteria([Problem("$", f"expected an object, found {shown(document)}")])
    problems += _version(document) + _size(document)
    criteria = None
    try:
        criteria = _ADAPTER.validate_python(
            {key: value for key, value in document.items() if key != "version"}
        )
    except ValidationError as error:
        said = {problem.path for problem in problems}
        found = complaints(error, document, MODELS, MAX_PROBLEMS)
        problems += [complaint for complaint in found if complaint.path not in said]
    if problems or criteria is None:
        raise InvalidCriteria(problems)
    return criteria


def _version(document: dict[str, Any]) -> list[Problem]:
    version = document.get("version")
    if type(version) is int and version == 1:
        return []
    found = shown(version) if "version" in document else "nothing"
    return [Problem("$.version", f"expected 1, found {found}")]


def _size(document: dict[str, Any]) -> list[Problem]:
    """Limits of depth and of nodes; a node is a criteria object, the root included."""
    nodes, level, depth = 0, [("$", document)], 0
    while level:
        depth += 1
        nodes += len(level)
        if depth > MAX_DEPTH:
            message = f"expected at most {MAX_DEPTH} levels of criteria, found another"
            return [Problem(level[0][0], message)]
        if nodes > MAX_NODES:
            return [Problem("$", f"expected at most {MAX_NODES} criteria, found more")]
        level = [
            (f"{path}.of[{index}]", part)
            for path, node in level
            if isinstance(node.get("of"), list)
            for index, part in enumerate(node["of"])
            if isinstance(part, dict)
        ]
    return []


def warnings(criteria: Criteria) -> list[str]:
    """What somebody who saves these criteria should know although they are valid."""
    if isinstance(criteria, Raw):
        return ["raw criteria are never evaluated: the badge is awarded by hand until replaced"]
    return []


def json_schema() -> dict[str, Any]:
    """The JSON schema of a criteria document, for editors."""
    schema = _ADAPTER.json_schema(ref_template="#/$defs/{model}")
    definitions = schema.pop("$defs")
    roots = []
    for model in MODELS.values():
        root = dict(definitions[model.__name__])
        root["properties"] = {"version": {"const": 1, "type": "integer"}, **root["properties"]}
        root["required"] = ["version", *root["required"]]
        roots.append(root)
    nested = {name: body for name, body in definitions.items() if name not in ("Tier", "Raw")}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Badge criteria",
        "oneOf": roots,
        "$defs": nested,
    }
