"""Texts in requests."""

from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, StringConstraints

from tables.criteria.fields import expected
from tables.documents import has_lone_surrogate
from tables.languages import Text

_NO_ZERO: Final = Text(
    "a text without \\u0000, which Postgres cannot keep",
    "en tekst uten \\u0000, som Postgres ikke kan lagre",
)
_WHOLE: Final = Text("a text without half of a surrogate pair", "en tekst uten halve surrogatpar")


def _storable(text: str) -> str:
    if "\0" in text:
        raise expected(_NO_ZERO)
    if has_lone_surrogate(text):
        raise expected(_WHOLE)
    return text


StorableText: TypeAlias = Annotated[str, StringConstraints(strict=True), AfterValidator(_storable)]
"""A text that Postgres can keep."""

Reason: TypeAlias = Annotated[StorableText, StringConstraints(max_length=1000)]
"""Why somebody does something, in their own words."""
