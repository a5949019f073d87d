"""What is wrong with a value that was sent, in the words of criteria and the reader's language.

Pydantic says it in English alone, and in terms of its own.
"""

from collections.abc import Mapping
from typing import Any, Final

from tables.languages import Language, Text

DATE: Final = Text("a date like 2026-01-31", "en dato som 2026-01-31")
INSTANT: Final = Text(
    "an instant with its time zone, like 2026-01-31T12:00:00Z",
    "et tidspunkt med tidssone, som 2026-01-31T12:00:00Z",
)

_INTEGER: Final = Text("an integer", "et heltall")
_NOT_EMPTY: Final = Text("something that is not empty", "noe som ikke er tomt")
_OBJECT: Final = Text("an object", "et objekt")
_ONE_OF: Final = Text("{expected}", "{expected}")
_TOO_LONG: Final = Text("at most {max_length} characters", "høyst {max_length} tegn")
_TRUTH: Final = Text("true or false", "true eller false")
_UUID: Final = Text("an id, a UUID", "en id, en UUID")

_EXPECTED: Final = Text("expected {what}", "forventet {what}")
_WHAT: Final[Mapping[str, Text]] = {
    "missing": Text("a value, found none", "en verdi, fant ingen"),
    "string_type": Text("a text", "en tekst"),
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
    "date_type": DATE,
    "date_parsing": DATE,
    "date_from_datetime_parsing": DATE,
    "date_from_datetime_inexact": DATE,
    "datetime_type": INSTANT,
    "datetime_parsing": INSTANT,
    "datetime_from_date_parsing": INSTANT,
    "timezone_aware": INSTANT,
    "int_type": _INTEGER,
    "int_parsing": _INTEGER,
    "int_parsing_size": _INTEGER,
    "int_from_float": _INTEGER,
    "greater_than_equal": Text("{ge} or more", "{ge} eller mer"),
    "less_than_equal": Text("{le} or less", "{le} eller mindre"),
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dict_type": _OBJECT,
    "expected": _ONE_OF,
}
"""What is expected, by the kind of pydantic's error, whose context fills it in.

`expected` is what our own readers of a value raise (tables.criteria.fields).
"""


def wrong_value(error: Mapping[str, Any], language: Language) -> str:
    """What pydantic's error says, without the value itself."""
    what = _WHAT.get(error["type"])
    if what is None:
        return str(error["msg"]).removeprefix("Value error, ")
    said = _EXPECTED(language, what=what(language, **error.get("ctx", {})))
    # Pydantic joins the words of a Literal with "or".
    return said.replace(" or ", " eller ") if language == "nb" else said
