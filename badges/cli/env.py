"""`badges env`: the local stack's settings as shell exports."""

import json
import shlex
from typing import Annotated

import typer

from badges.stack import addresses, layout, secrets


def env(
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Print the local stack's settings: eval "$(badges env)" puts them into your shell."""
    place = layout.load()
    values = addresses.for_people(place, secrets.load(place.run_dir))
    if as_json:
        typer.echo(json.dumps(values, indent=2))
        return
    for name, value in values.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
