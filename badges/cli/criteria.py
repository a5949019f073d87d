"""`badges criteria`: check criteria, print their schema and clients, try them without a stack."""

import json
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from badges import trials
from badges.cli.options import Json
from badges.clients import dart, reading, typescript
from badges.clients.model import Model
from streams.errors import FOUND_A_PROBLEM, Problem
from tables.criteria.errors import InvalidCriteria
from tables.criteria.parsing import json_schema, parse

criteria = typer.Typer(help="Check criteria, and try them without a stack.", no_args_is_help=True)

_CLIENTS: Final[Mapping[str, Callable[[Model, str], str]]] = {
    "dart": dart.write,
    "typescript": typescript.write,
}
_File = Annotated[str, typer.Argument(metavar="FILE", help="A JSON file, or - for standard input.")]


@criteria.command()
def validate(file: _File, as_json: Json = False) -> None:
    """Check a criteria document: say everything that is wrong with it, or what it asks for."""
    result = _checked(_read(file))
    if as_json:
        typer.echo(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        for error in result["errors"]:
            hint = f" ({error['hint']})" if error["hint"] else ""
            typer.echo(f"{error['path']}: {error['message']}{hint}")
        for warning in result["warnings"]:
            typer.echo(f"warning: {warning}")
        if result["summary"]:
            typer.echo(f"valid: {result['summary']}")
    if not result["valid"]:
        raise typer.Exit(FOUND_A_PROBLEM)


@criteria.command()
def schema() -> None:
    """Print the JSON schema of criteria, for editors."""
    typer.echo(json.dumps(json_schema(), indent=2))


@criteria.command()
def client(
    lang: Annotated[Literal["dart", "typescript"], typer.Option(help="The language to write.")],
) -> None:
    """Print sealed classes of criteria for an application, generated from their schema."""
    model = reading.read(json_schema())
    typer.echo(_CLIENTS[lang](model, version("badge-streams")), nl=False)


@criteria.command("test")
def try_out(file: _File, as_json: Json = False) -> None:
    """Run rows through the fold and compare the awards with the expected ones.

    The file's format is in docs/criteria.md.
    """
    results = [_tried(each) for each in trials.read_trials(_read(file), file)]
    passed = all(result["passed"] for result in results)
    if as_json:
        typer.echo(json.dumps({"passed": passed, "trials": results}, indent=2))
    else:
        for result in results:
            typer.echo(f"{'passed' if result['passed'] else 'FAILED'}: {result['name']}")
            for difference in result["differences"]:
                typer.echo(f"  {difference}")
    if not passed:
        raise typer.Exit(FOUND_A_PROBLEM)


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Problem(f"cannot read {file}: {error.strerror}") from None


def _checked(text: bytes) -> dict[str, Any]:
    """What the API's validation answers as well: valid, errors, warnings and a summary."""
    try:
        parsed = parse(text)
    except InvalidCriteria as error:
        errors = [{"path": p.path, "message": p.message, "hint": p.hint} for p in error.violations]
        return {"valid": False, "errors": errors, "warnings": [], "summary": None}
    return {"valid": True, "errors": [], "warnings": parsed.warnings(), "summary": parsed.summary()}


def _tried(each: trials.Trial) -> dict[str, Any]:
    found = trials.run(each)
    differences = list(trials.differences(each, found))
    return {
        "name": each.name,
        "passed": not differences,
        "differences": differences,
        "awards": [held.model_dump(mode="json") for held in found],
    }
