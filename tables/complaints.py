"""What pydantic found wrong with criteria, said with JSON paths, expectations and hints."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tables.documents import Problem, member, nearest, shown

Models: TypeAlias = Mapping[str, type[BaseModel]]

_ABSENT: Final = object()

_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "list_type": "a list",
    "too_short": "a list that is not empty",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dict_type": "an object",
    "date_type": "a date like 2026-01-31",
}

_RANGES: Final[Mapping[tuple[str, str], str]] = {
    ("any", "at_least"): "an integer from 1 to the number of parts",
    ("badges", "at_least"): "an integer from 1 to the number of badges",
    ("training", "at_least"): "an integer from 1 to the number of courses",
}

_LIMITS: Final[Mapping[str, str]] = {
    "at_least": "an integer from 1 to 1,000,000",
    "length": "an integer from 1 to 1,000",
    "per_period": "an integer from 1 to 100,000",
    "rolling_days": "an integer from 1 to 3,660",
    "grace": "an integer from 0 to 52",
}

_SHAPES: Final[Mapping[str, str]] = {
    "activity_types": "a list of activity types",
    "courses": "a list of course codes",
    "badges": "a list of badge keys",
    "of": "a list of criteria",
    "tiers": "a list of tiers, each with name and at_least",
    "window": '{"rolling_days": n}, {"calendar": "week", "month", "quarter" or "year"} or '
    '{"from": date, "to": date}',
    "metric": '"count", "minutes", "active_days" or "distinct_types"',
    "type": "a type of criteria",
    "from": "a date like 2026-01-31",
    "to": "a date like 2026-01-31",
    "name": "the tier's name",
    "reason": "a text that says why no type fits",
    "criteria_raw": "any JSON value",
}


def complaints(
    error: ValidationError, document: object, models: Models, most: int
) -> list[Problem]:
    """The first problems, so many at most, in a pydantic error about a criteria document.

    `models` maps names of types to their models, whose field names are the known keys.
    """
    items = error.errors(include_url=False)[:most]
    return [_complaint(item, document, models) for item in items]


def _complaint(item: ErrorDetails, document: object, models: Models) -> Problem:
    path, value, keys, parent = "$", document, [], document
    for part in _without_tags(item["loc"], document):
        parent = value
        if isinstance(part, int):
            path, value = f"{path}[{part}]", value[part] if isinstance(value, list) else _ABSENT
        else:
            path = member(path, part)
            value = value.get(part, _ABSENT) if isinstance(value, dict) else _ABSENT
        keys.append(part)
    speak = _SPEAKERS.get(item["type"], _general)
    return speak(item, _Place(path, keys, value, parent, models))


class _Place:
    """Where a complaint is about: its path, the keys that lead there, what was found there."""

    def __init__(
        self, path: str, keys: Sequence[str | int], value: Any, parent: Any, models: Models
    ) -> None:
        self.path = path
        self.key = str(keys[-1]) if keys and isinstance(keys[-1], str) else ""
        self.list_key = str(keys[-2]) if len(keys) > 1 and isinstance(keys[-1], int) else ""
        self.value = value
        self.parent = parent
        self.models = models

    @property
    def found(self) -> str:
        return "nothing" if self.value is _ABSENT else shown(self.value)

    @property
    def expected(self) -> str:
        """What belongs at this place, in words."""
        kind = self.parent.get("type") if isinstance(self.parent, dict) else None
        if isinstance(kind, str) and (kind, self.key) in _RANGES:
            return _RANGES[kind, self.key]
        return _LIMITS.get(self.key) or _SHAPES.get(self.key, "")

    def known_keys(self) -> list[str]:
        """The keys that the object around this place may have."""
        kind = self.parent.get("type") if isinstance(self.parent, dict) else None
        model = self.models.get(kind) if isinstance(kind, str) else None
        if model is None:
            around = self.parent if isinstance(self.parent, dict) else {}
            if "name" in around or "at_least" in around:
                return ["name", "at_least"]
            return ["rolling_days", "calendar", "from", "to"]
        return [field.alias or name for name, field in model.model_fields.items()]


def _without_tags(location: tuple[int | str, ...], document: object) -> Iterator[int | str]:
    """A pydantic location without the names of union members, which are no keys of the document."""
    union = isinstance(document, dict)
    before: int | str = ""
    for part in location:
        if union:
            union = False
            continue
        yield part
        union = part == "window" or (isinstance(part, int) and before == "of")
        before = part


def _general(item: ErrorDetails, place: _Place) -> Problem:
    expected = place.expected or _EXPECTED.get(item["type"], "") or item["msg"]
    if item["type"] in ("string_too_short", "too_short"):
        expected = _EXPECTED[item["type"]]
    return Problem(place.path, f"expected {expected}, found {place.found}")


def _missing(_: ErrorDetails, place: _Place) -> Problem:
    expected = place.expected or "a value"
    near = [key for key in place.parent if key not in [*place.known_keys(), "version"]]
    hint = nearest(place.key, near)
    close = f"{hint[:-1]} here?".replace("did you mean", "is it meant by") if hint else None
    return Problem(place.path, f"expected {expected}, found nothing", close)


def _extra(item: ErrorDetails, place: _Place) -> Problem:
    if place.key == "version":
        return Problem(place.path, "expected `version` at the root alone, found it here")
    if place.key == "type" or not place.key:
        return _general(item, place)
    known = place.known_keys()
    names = ", ".join(known)
    return Problem(
        place.path, f"expected one of the keys {names}, found this one", nearest(place.key, known)
    )


def _tag(_: ErrorDetails, place: _Place) -> Problem:
    """A union member that is no known one: an unknown type, or a window of no known shape."""
    if place.key == "window":
        known = ["rolling_days", "calendar", "from", "to"]
        first = next(iter(place.value), None) if isinstance(place.value, dict) else None
        message = f"expected {_SHAPES['window']}, found {place.found}"
        return Problem(place.path, message, nearest(first, known))
    if not isinstance(place.value, dict):
        return Problem(place.path, f"expected an object with criteria, found {place.found}")
    kind = place.value.get("type", _ABSENT)
    nested = place.path != "$"
    known = [name for name in place.models if not nested or name not in ("tier", "raw")]
    found = "nothing" if kind is _ABSENT else shown(kind)
    if nested and kind in ("tier", "raw"):
        found += ", which stands at the root alone"
    message = f"expected one of the types {', '.join(known)}, found {found}"
    return Problem(f"{place.path}.type", message, nearest(kind, known))


def _literal(item: ErrorDetails, place: _Place) -> Problem:
    expected = item.get("ctx", {}).get("expected", place.expected).replace("'", '"')
    known = [part.strip(' "') for part in expected.replace(" or ", ",").split(",")]
    return Problem(
        place.path, f"expected {expected}, found {place.found}", nearest(place.value, known)
    )


def _too_long(item: ErrorDetails, place: _Place) -> Problem:
    most = item.get("ctx", {}).get("max_length")
    message = f"expected a text of at most {most} characters, found one of {len(place.value)}"
    return Problem(place.path, message)


def _own(item: ErrorDetails, place: _Place) -> Problem:
    """A check of the criteria models themselves, which say what they expect."""
    context = item.get("ctx", {})
    path = f"{place.path}.{context['at']}" if "at" in context else place.path
    found = shown(context["found"]) if "found" in context else place.found
    return Problem(path, f"expected {context['expected']}, found {found}")


_SPEAKERS: Final[Mapping[str, Callable[[ErrorDetails, _Place], Problem]]] = {
    "missing": _missing,
    "extra_forbidden": _extra,
    "union_tag_invalid": _tag,
    "union_tag_not_found": _tag,
    "literal_error": _literal,
    "string_too_long": _too_long,
    "expected": _own,
}
