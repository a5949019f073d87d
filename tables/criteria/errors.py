"""What is wrong with criteria, said with JSON paths, expectations and hints."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, get_args

from msgspec import Struct
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tables.criteria.base import Criterion, Types
from tables.documents import Violation, member, nearest, shown

_ABSENT: Final = object()

_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "too_short": "a list that is not empty",
    "model_type": "an object",
}
"""By kind of error, where no field says what it expects, or says it of more than is wrong."""


class InvalidCriteria(ValueError):
    """A criteria document that cannot be used; `violations` says all that is wrong with it."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(str(violation) for violation in violations))
        self.violations = violations


def violations(
    error: ValidationError, document: Mapping[str, Any], types: Types, most: int
) -> list[Violation]:
    """The first things that are wrong, so many at most, from what pydantic says of a document."""
    items = error.errors(include_url=False)[:most]
    return [
        _SPEAKERS.get(item["type"], _general)(item, _find(item, document, types)) for item in items
    ]


class _Place(Struct, frozen=True):
    """What an error is about: its path, the key that leads there, and what was found there.

    `around` is the object or list that holds it, `fields` those that may stand there, by key.
    """

    path: str
    key: str
    value: Any
    around: Any
    fields: Mapping[str, FieldInfo]

    @property
    def found(self) -> str:
        return "nothing" if self.value is _ABSENT else shown(self.value)

    @property
    def expected(self) -> str | None:
        """What belongs here, in words."""
        field = self.fields.get(self.key)
        return field.description if field else None

    @property
    def known_keys(self) -> list[str]:
        """The keys that may stand here, those that must first."""
        return sorted(self.fields, key=lambda key: not self.fields[key].is_required())


def _find(item: ErrorDetails, document: Mapping[str, Any], types: Types) -> _Place:
    """Follow an error's location through the document, and through the models of what is there."""
    path, key = "$", ""
    value: Any = document
    around: Any = document
    models = _models(Criterion, value, types)
    fields: Mapping[str, FieldInfo] = {}
    names_member = False
    for part in item["loc"]:
        if names_member:
            # Of a union, pydantic names the member, which is no key of the document.
            names_member = False
            continue
        around = value
        if isinstance(part, int):
            path, key, value = f"{path}[{part}]", "", value[part]
            models = [each for model in models for each in _models(model, value, types)]
            continue
        path, key = member(path, part), part
        value = value.get(part, _ABSENT)
        fields = {
            field.alias or name: field
            for model in models
            for name, field in model.model_fields.items()
        }
        models = list(_mentioned(fields[part].annotation)) if part in fields else []
        names_member = len(models) > 1
    return _Place(path, key, value, around, fields)


def _models(model: type[BaseModel], value: Any, types: Types) -> list[type[BaseModel]]:
    """What a value is to be: of criteria, the type that it says."""
    if model is not Criterion:
        return [model]
    kind = value.get("type") if isinstance(value, dict) else None
    return [types[kind]] if isinstance(kind, str) and kind in types else []


def _mentioned(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field's type mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _mentioned(part)


def _general(item: ErrorDetails, place: _Place) -> Violation:
    expected = _EXPECTED.get(item["type"]) if item["type"].endswith("too_short") else None
    expected = expected or place.expected or _EXPECTED.get(item["type"]) or item["msg"]
    return Violation(place.path, f"expected {expected}, found {place.found}")


def _missing(_: ErrorDetails, place: _Place) -> Violation:
    near = [key for key in place.around if key not in [*place.known_keys, "version"]]
    hint = nearest(place.key, near)
    close = f"{hint[:-1]} here?".replace("did you mean", "is it meant by") if hint else None
    return Violation(place.path, f"expected {place.expected or 'a value'}, found nothing", close)


def _extra(_: ErrorDetails, place: _Place) -> Violation:
    if place.key == "version":
        return Violation(place.path, "expected `version` at the root alone, found it here")
    known = place.known_keys
    message = f"expected one of the keys {', '.join(known)}, found this one"
    return Violation(place.path, message, nearest(place.key, known))


def _unknown_window(_: ErrorDetails, place: _Place) -> Violation:
    """Something of which no key says which member of a union it is."""
    keys = list(place.value) if isinstance(place.value, dict) else [None]
    models = _mentioned(place.fields[place.key].annotation)
    known = [field.alias or name for each in models for name, field in each.model_fields.items()]
    message = f"expected {place.expected}, found {place.found}"
    return Violation(place.path, message, nearest(next(iter(keys), None), known))


def _unknown_type(item: ErrorDetails, place: _Place) -> Violation:
    known, types = item["ctx"]["known"], item["ctx"]["types"]
    kind = place.value.get("type", _ABSENT)
    found = "nothing" if kind is _ABSENT else shown(kind)
    if isinstance(kind, str) and kind in types:
        found += ", which stands at the root alone"
    message = f"expected one of the types {', '.join(known)}, found {found}"
    return Violation(f"{place.path}.type", message, nearest(kind, known))


def _literal(item: ErrorDetails, place: _Place) -> Violation:
    expected = item["ctx"]["expected"].replace("'", '"')
    known = [part.strip(' "') for part in expected.replace(" or ", ",").split(",")]
    message = f"expected {expected}, found {place.found}"
    return Violation(place.path, message, nearest(place.value, known))


def _too_long(item: ErrorDetails, place: _Place) -> Violation:
    most = item["ctx"]["max_length"]
    message = f"expected a text of at most {most} characters, found one of {len(place.value)}"
    return Violation(place.path, message)


def _check(item: ErrorDetails, place: _Place) -> Violation:
    """A check of the models themselves, which say what they expect (base.expected)."""
    context = item["ctx"]
    path = f"{place.path}.{context['at']}" if context["at"] else place.path
    found = shown(context["found"]) if "found" in context else place.found
    return Violation(path, f"expected {context['expected']}, found {found}")


_SPEAKERS: Final[Mapping[str, Callable[[ErrorDetails, _Place], Violation]]] = {
    "missing": _missing,
    "extra_forbidden": _extra,
    "union_tag_not_found": _unknown_window,
    "unknown_type": _unknown_type,
    "literal_error": _literal,
    "string_too_long": _too_long,
    "expected": _check,
}
