"""The options that commands share."""

from typing import Annotated

import typer

from tables.languages import Language

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Lang = Annotated[Language, typer.Option("--lang", help="The language to answer in.")]
