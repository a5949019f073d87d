"""`badges env`: the local stack's settings as shell exports."""

import shlex

import typer

from badges.cli.options import Json, print_json
from badges.stack import addresses, layout, secrets


def env(as_json: Json = False) -> None:
    """Print the local stack's addresses and passwords for a shell.

    eval "$(badges env)" puts them into yours.
    """
    place = layout.load()
    values = addresses.for_people(place, secrets.load(place.run_dir))
    if as_json:
        print_json(values, indent=2)
        return
    for name, value in values.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
