"""`badges catalogue`: ready badges for an organization to begin with."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final

import asyncpg
import typer

from badges import event_loop, organizations, settings
from badges.catalogue import applying
from badges.catalogue.applying import Action, CatalogueStep
from badges.catalogue.entries import load
from badges.cli.options import Json, print_json
from badges.organizations import Organization
from schema.database import connect
from streams.errors import Failure
from tables.languages import Language

catalogue = typer.Typer(
    help="Ready badges for an organization to begin with.\n\nA proposal.", no_args_is_help=True
)

_Lang = Annotated[Language, typer.Option("--lang", help="The language of names and descriptions.")]
_SAID: Final[Mapping[Action, tuple[str, str]]] = {
    "create": ("Created", "Would create"),
    "change": ("Changed", "Would change"),
    "activate": ("Activated", "Would activate"),
    "leave": ("Left alone", "Would leave alone"),
}


@catalogue.command("list")
def show(lang: _Lang = "nb", as_json: Json = False) -> None:
    """List the badges, each with what it asks for."""
    offered = load()
    found = [
        {
            "key": entry.key,
            "name": entry.name[lang],
            "description": entry.description[lang],
            "summary": entry.parsed().summary(lang),
            "only_for": entry.only_for,
            "criteria": entry.criteria,
        }
        for entry in offered.badges
    ]
    if as_json:
        print_json({"notice": offered.notice[lang], "badges": found}, indent=2)
        return
    typer.echo(offered.notice[lang])
    for badge in found:
        alone = f" ({badge['only_for']})" if badge["only_for"] else ""
        typer.echo(f"{badge['key']}{alone}: {badge['name']} ({badge['summary']})")


@catalogue.command()
def examples(_: Json = False) -> None:
    """Print every badge's examples, as `badges criteria test` reads them."""
    print_json([trial for entry in load().badges for trial in entry.trials()], indent=2)


@catalogue.command()
def apply(
    org: Annotated[
        str | None, typer.Argument(metavar="ORG", help="An organization's slug or id.")
    ] = None,
    of_all: Annotated[
        bool, typer.Option("--global", help="Make them badges of every organization, without ORG.")
    ] = False,
    activate: Annotated[
        bool, typer.Option("--activate", help="Make them active at once, and not drafts.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
    ] = False,
    lang: _Lang = "nb",
    as_json: Json = False,
) -> None:
    """Create the catalogue's badges, and bring up to date those that nobody has edited.

    Safe to run again. They are drafts, for an admin to look at, unless --activate is given.
    """
    if (org is None) is not of_all:
        said = (
            "both an organization and --global are given" if of_all else "no organization is given"
        )
        raise Failure(said, hint="Name an organization by its slug or id, or say --global")
    organization, steps = event_loop.run(
        lambda: _apply(settings.load(), org, lang, activate=activate, dry_run=dry_run)
    )
    if as_json:
        print_json(
            {
                "notice": load().notice[lang],
                "organization": None if organization is None else organization.slug,
                "dry_run": dry_run,
                "nothing_to_do": not any(step.changes for step in steps),
                "items": steps,
            },
            indent=2,
        )
        return
    typer.echo(load().notice[lang])
    for line in _lines(steps, dry_run=dry_run):
        typer.echo(line)


async def _apply(
    chosen: settings.Settings, org: str | None, lang: Language, *, activate: bool, dry_run: bool
) -> tuple[Organization | None, Sequence[CatalogueStep]]:
    async with connect(chosen.database) as connection, connection.transaction():
        try:
            organization = None if org is None else await organizations.find(connection, org)
            entries = load().of(None if organization is None else organization.slug)
            steps = await applying.apply(
                connection, organization, entries, lang, activate=activate, dry_run=dry_run
            )
        except asyncpg.UndefinedTableError as error:
            raise Failure(
                f"the database is not ready: {error}", hint="Run `badges migrate`"
            ) from None
    return organization, steps


def _lines(steps: Sequence[CatalogueStep], *, dry_run: bool) -> Iterator[str]:
    for step in steps:
        if step.action != "keep":
            said = _SAID[step.action][dry_run]
            yield f"{said} {step.key} ({step.name}, {step.status})" + (
                f": {step.reason}." if step.reason else "."
            )
        yield from (f"  {warning}" for warning in step.warnings)
    if not any(step.changes for step in steps):
        yield "Nothing to do."
