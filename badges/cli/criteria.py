"""`badges criteria`: check criteria, print their schema and clients, try them without a stack."""

import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from badges import event_loop, organizations, settings, trials
from badges.cli.options import Json, Lang, print_json
from badges.clients import dart, reading, typescript
from badges.clients.model import Model
from badges.queries.verdicts import Verdict, judge, judge_alone
from schema.database import connect
from streams.errors import FOUND_A_PROBLEM, Failure
from tables.criteria.schema import json_schema
from tables.languages import Language, Text

criteria = typer.Typer(
    help="Check what a badge asks for, and try it without a stack.", no_args_is_help=True
)

_CLIENTS: Final[Mapping[str, Callable[[Model, str], str]]] = {
    "dart": dart.write,
    "typescript": typescript.write,
}
_WARNING: Final = Text("warning", "advarsel")
_VALID: Final = Text("valid", "gyldig")
_PASSED: Final = Text("passed", "bestått")
_FAILED: Final = Text("FAILED", "IKKE BESTÅTT")

_File = Annotated[str, typer.Argument(metavar="FILE", help="A JSON file, or - for standard input.")]


@criteria.command()
def validate(
    file: _File,
    organization: Annotated[
        str | None,
        typer.Option(
            metavar="ORG",
            help="Hold it against what this organization knows, in the database: its badges, "
            "activity types and courses. ORG is its slug or id.",
        ),
    ] = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Check a criteria document: say everything that is wrong with it, or what it asks for."""
    text = _read(file)
    if organization is None:
        verdict = judge_alone(text, lang)
    else:
        verdict = event_loop.run(lambda: _judge(settings.load(), organization, text, lang))
    if as_json:
        print_json(verdict.answer(), indent=2)
    else:
        for error in verdict.errors:
            typer.echo(str(error))
        for warning in verdict.warnings:
            typer.echo(f"{_WARNING(lang)}: {warning}")
        if verdict.summary:
            typer.echo(f"{_VALID(lang)}: {verdict.summary}")
    if not verdict.valid:
        raise typer.Exit(FOUND_A_PROBLEM)


@criteria.command()
def schema(_: Json = False) -> None:
    """Print the JSON schema of criteria, for editors."""
    print_json(json_schema(), indent=2)


@criteria.command()
def client(
    lang: Annotated[Literal["dart", "typescript"], typer.Option(help="The language to write.")],
) -> None:
    """Print sealed classes of criteria for an application, generated from their schema."""
    model = reading.read(json_schema())
    typer.echo(_CLIENTS[lang](model, version("badge-streams")), nl=False)


@criteria.command("test")
def try_out(file: _File, lang: Lang = "en", as_json: Json = False) -> None:
    """Run rows through the fold and compare the awards with the expected ones.

    The file's format is in docs/criteria.md.
    """
    results = [_tried(each, lang) for each in trials.read_trials(_read(file), file)]
    passed = all(result["passed"] for result in results)
    if as_json:
        print_json({"passed": passed, "trials": results}, indent=2)
    else:
        for result in results:
            typer.echo(f"{(_PASSED if result['passed'] else _FAILED)(lang)}: {result['name']}")
            for difference in result["differences"]:
                typer.echo(f"  {difference}")
    if not passed:
        raise typer.Exit(FOUND_A_PROBLEM)


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}") from None


async def _judge(
    chosen: settings.Settings, organization: str, text: bytes, language: Language
) -> Verdict:
    async with connect(chosen.database) as connection, connection.transaction(readonly=True):
        found = await organizations.find(connection, organization)
        await organizations.act_for(connection, found.id)
        return await judge(connection, text, language)


def _tried(each: trials.Trial, language: Language) -> dict[str, Any]:
    found = trials.run(each)
    differences = list(trials.differences(each, found, language))
    return {
        "name": each.name,
        "passed": not differences,
        "differences": differences,
        "awards": [held.model_dump(mode="json") for held in found],
    }
