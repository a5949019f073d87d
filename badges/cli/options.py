"""What commands share: options, and how a result is printed for programs."""

import json
from dataclasses import asdict, is_dataclass
from typing import Annotated

import msgspec
import typer

from tables.languages import Language

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Lang = Annotated[Language, typer.Option("--lang", help="The language to answer in.")]


def print_json(result: object, *, indent: int | None = None) -> None:
    """Print a result as JSON in UTF-8, on one line unless a number of blanks indents its levels."""
    text = json.dumps(result, default=_plain, indent=indent, ensure_ascii=False)
    # What is no character of UTF-8, as a key in Kafka may hold, is written out as JSON does it.
    typer.echo(text.encode(errors="backslashreplace"))


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return msgspec.to_builtins(value) if isinstance(value, msgspec.Struct) else str(value)
