"""What is wrong with criteria, said with JSON paths, expectations and hints."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Final, get_args

from msgspec import Struct
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tables.criteria.base import Criterion, Types
from tables.criteria.fields import Expects, Flaw, one_of
from tables.documents import NOTHING, Violation, member, mismatch, nearest, nearest_name, shown
from tables.languages import Language, Text

_ABSENT: Final = object()

_TEXT: Final = Text("a text", "en tekst")
_EXPECTED: Final[Mapping[str, Text]] = {
    "string_type": _TEXT,
    "string_too_short": Text("a text that is not empty", "en tekst som ikke er tom"),
    "too_short": Text("a list that is not empty", "en liste som ikke er tom"),
    "model_type": Text("an object", "et objekt"),
}
"""By kind of error, where no field says what it expects, or says it of more than is wrong."""
_A_VALUE: Final = Text("a value", "en verdi")
_IS_IT_MEANT: Final = Text("is it meant by {name} here?", "er det ment med {name} her?")
_VERSION_WITHIN: Final = Text(
    "expected `version` at the root alone, found it here",
    "forventet `version` bare i roten, fant den her",
)
_UNKNOWN_KEY: Final = Text(
    "expected no other keys than {keys}, found this one",
    "forventet ingen andre nøkler enn {keys}, fant denne",
)
_A_TYPE: Final = Text("one of the types {types}", "en av typene {types}")
_ROOT_ONLY: Final = Text(
    "{type}, which stands at the root alone", "{type}, som bare kan stå i roten"
)
_AT_MOST: Final = Text("a text of at most {most} characters", "en tekst på høyst {most} tegn")
_ONE_OF_LENGTH: Final = Text("one of {length}", "en på {length}")


class InvalidCriteria(ValueError):
    """A criteria document that cannot be used; `violations` says all that is wrong with it."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(str(violation) for violation in violations))
        self.violations = violations


def violations(
    error: ValidationError,
    document: Mapping[str, Any],
    types: Types,
    most: int,
    language: Language,
) -> list[Violation]:
    """The first things that are wrong, so many at most, from what pydantic says of a document."""
    found: list[Violation] = []
    for item in error.errors(include_url=False)[:most]:
        place = _find(item, document, types, language)
        if item["type"] == "flaws":
            found += (_flaw(flaw, place.path, language) for flaw in item["ctx"]["flaws"])
        else:
            found.append(_SPEAKERS.get(item["type"], _general)(item, place))
    return found


def violations_from(criteria: Criterion, counts_from: date, language: Language) -> list[Violation]:
    """What can never hold where only rows from a date on count."""
    return [
        _flaw(flaw, path, language)
        for path, node in criteria.nodes()
        for flaw in node.flaws_from(counts_from)
    ]


def _flaw(flaw: Flaw, path: str, language: Language) -> Violation:
    expected, found = flaw.expected(language), shown(flaw.found)
    return mismatch(f"{path}.{flaw.at}", expected, found, language)


class _Place(Struct, frozen=True):
    """What an error is about: its path, the key that leads there, and what was found there.

    `around` is the object or list that holds it, `fields` those that may stand there, by key.
    """

    path: str
    key: str
    value: Any
    around: Any
    fields: Mapping[str, FieldInfo]

    language: Language

    @property
    def found(self) -> str:
        return NOTHING(self.language) if self.value is _ABSENT else shown(self.value)

    @property
    def expected(self) -> str | None:
        """What belongs here, in words."""
        field = self.fields.get(self.key)
        says = [each for each in field.metadata if isinstance(each, Expects)] if field else []
        return says[0](self.language) if says else None

    def mismatch(self, expected: str, hint: str | None = None) -> Violation:
        """The violation that something else than what was found belongs here."""
        return mismatch(self.path, expected, self.found, self.language, hint)

    @property
    def known_keys(self) -> list[str]:
        """The keys that may stand here, those that must first."""
        return sorted(self.fields, key=lambda key: not self.fields[key].is_required())


def _find(
    item: ErrorDetails, document: Mapping[str, Any], types: Types, language: Language
) -> _Place:
    """Follow an error's location through the document, and through the models of what is there."""
    path, key = "$", ""
    value: Any = document
    around: Any = document
    models = _models(Criterion, value, types)
    fields: Mapping[str, FieldInfo] = {}
    names_member = False
    for part in item["loc"]:
        if names_member:
            # Of a union, pydantic names the member, by a key that this one alone has.
            names_member = False
            models = [each for each in models if part in _fields(each)]
            continue
        around = value
        if isinstance(part, int):
            path, key, value = f"{path}[{part}]", "", value[part]
            models = [each for model in models for each in _models(model, value, types)]
            continue
        path, key = member(path, part), part
        value = value.get(part, _ABSENT)
        fields = {key: field for each in models for key, field in _fields(each).items()}
        models = list(_mentioned(fields[part].annotation)) if part in fields else []
        names_member = len(models) > 1
    return _Place(path, key, value, around, fields, language)


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by the keys that documents call them by."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


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
    kind = _EXPECTED.get(item["type"])
    if kind and (item["type"].endswith("too_short") or not place.expected):
        return place.mismatch(kind(place.language))
    return place.mismatch(place.expected or item["msg"])


def _missing(_: ErrorDetails, place: _Place) -> Violation:
    strangers = [key for key in place.around if key not in [*place.known_keys, "version"]]
    near = nearest_name(place.key, strangers)
    hint = None if near is None else _IS_IT_MEANT(place.language, name=shown(near))
    return place.mismatch(place.expected or _A_VALUE(place.language), hint)


def _extra(_: ErrorDetails, place: _Place) -> Violation:
    if place.key == "version":
        return Violation(place.path, _VERSION_WITHIN(place.language))
    known = place.known_keys
    message = _UNKNOWN_KEY(place.language, keys=", ".join(known))
    return Violation(place.path, message, nearest(place.key, known, place.language))


def _unknown_window(_: ErrorDetails, place: _Place) -> Violation:
    """Something of which no key says which member of a union it is."""
    keys = list(place.value) if isinstance(place.value, dict) else [None]
    models = _mentioned(place.fields[place.key].annotation)
    known = [key for each in models for key in _fields(each)]
    hint = nearest(next(iter(keys), None), known, place.language)
    return place.mismatch(place.expected or _A_VALUE(place.language), hint)


def _unknown_type(item: ErrorDetails, place: _Place) -> Violation:
    language, known, types = place.language, item["ctx"]["known"], item["ctx"]["types"]
    kind = place.value.get("type", _ABSENT)
    found = NOTHING(language) if kind is _ABSENT else shown(kind)
    if isinstance(kind, str) and kind in types:
        found = _ROOT_ONLY(language, type=found)
    expected = _A_TYPE(language, types=", ".join(known))
    hint = nearest(kind, known, language)
    return mismatch(f"{place.path}.type", expected, found, language, hint)


def _literal(_: ErrorDetails, place: _Place) -> Violation:
    words = [str(word) for word in get_args(place.fields[place.key].annotation)]
    hint = nearest(place.value, words, place.language)
    return place.mismatch(one_of(words)(place.language), hint)


def _too_long(item: ErrorDetails, place: _Place) -> Violation:
    expected = _AT_MOST(place.language, most=item["ctx"]["max_length"])
    found = _ONE_OF_LENGTH(place.language, length=len(place.value))
    return mismatch(place.path, expected, found, place.language)


def _unreadable(item: ErrorDetails, place: _Place) -> Violation:
    """What a reader of ours refuses (fields.expected)."""
    return place.mismatch(item["ctx"]["expected"](place.language))


_SPEAKERS: Final[Mapping[str, Callable[[ErrorDetails, _Place], Violation]]] = {
    "missing": _missing,
    "extra_forbidden": _extra,
    "union_tag_not_found": _unknown_window,
    "unknown_type": _unknown_type,
    "literal_error": _literal,
    "string_too_long": _too_long,
    "expected": _unreadable,
}
