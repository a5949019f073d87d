"""Texts in requests."""

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, StringConstraints

from tables.documents import has_lone_surrogate


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("text must not have \\u0000 in it, which Postgres cannot keep")
    if has_lone_surrogate(text):
        raise ValueError("text must not have half of a surrogate pair in it")
    return text


Text: TypeAlias = Annotated[str, StringConstraints(strict=True), AfterValidator(_storable)]
"""A text that Postgres can keep."""

Reason: TypeAlias = Annotated[Text, StringConstraints(max_length=1000)]
"""Why somebody does something, in their own words."""
