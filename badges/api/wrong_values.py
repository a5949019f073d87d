"""What is wrong with a value that was sent, in the words of criteria and the reader's language.

Pydantic says it in English alone, and in terms of its own.
"""

from collections.abc import Mapping
from typing import Any, Final

from tables.languages import Language, Text

_DATE: Final = Text(
    "expected a date, such as 2026-05-17", "forventet en dato, for eksempel 2026-05-17"
)
_INSTANT: Final = Text(
    "expected an instant with its time zone, such as 2026-05-17T12:00:00+02:00",
    "forventet et tidspunkt med tidssone, for eksempel 2026-05-17T12:00:00+02:00",
)
_INTEGER: Final = Text("expected an integer", "forventet et heltall")
_NOT_EMPTY: Final = Text("expected something that is not empty", "forventet noe som ikke er tomt")
_OBJECT: Final = Text("expected an object", "forventet et objekt")
_ONE_OF: Final = Text("expected {expected}", "forventet {expected}")
_TOO_LONG: Final = Text(
    "expected at most {max_length} characters", "forventet høyst {max_length} tegn"
)
_TRUTH: Final = Text("expected true or false", "forventet true eller false")
_UUID: Final = Text("expected an id, a UUID", "forventet en id, en UUID")

_SAID: Final[Mapping[str, Text]] = {
    "missing": Text("expected a value, found none", "forventet en verdi, fant ingen"),
    "string_type": Text("expected a text", "forventet en tekst"),
    "string_too_short": _NOT_EMPTY,
    "too_short": _NOT_EMPTY,
    "string_too_long": _TOO_LONG,
    "too_long": _TOO_LONG,
    "literal_error": _ONE_OF,
    "enum": _ONE_OF,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "uuid_type": _UUID,
    "uuid_parsing": _UUID,
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "datetime_type": _INSTANT,
    "datetime_parsing": _INSTANT,
    "datetime_from_date_parsing": _INSTANT,
    "timezone_aware": _INSTANT,
    "int_type": _INTEGER,
    "int_parsing": _INTEGER,
    "int_from_float": _INTEGER,
    "greater_than_equal": Text("expected {ge} or more", "forventet {ge} eller mer"),
    "less_than_equal": Text("expected {le} or less", "forventet {le} eller mindre"),
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dict_type": _OBJECT,
}


def wrong_value(error: Mapping[str, Any], language: Language) -> str:
    """What pydantic's error says, without the value itself; what raised it by itself says it."""
    text = _SAID.get(error["type"])
    if text is None:
        return str(error["msg"]).removeprefix("Value error, ")
    said = text(language, **error.get("ctx", {}))
    return said.replace(" or ", " eller ") if language == "nb" else said
