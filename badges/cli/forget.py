"""`badges forget`: nothing is left of a person whom the application has deleted."""

from typing import Annotated
from uuid import UUID

import typer

from badges import event_loop, settings
from badges.cli.options import Json, print_json
from badges.privacy import forgetting
from badges.privacy.forgetting import Forgotten
from badges.upkeep import dead_letters
from schema.database import connect
from streams.errors import FOUND_A_PROBLEM, Failure


def forget(
    mentor: Annotated[UUID, typer.Argument(metavar="MENTOR", show_default=False)],
    name: Annotated[
        list[str] | None,
        typer.Option(
            help="Their name, where an error of the application's may have repeated it; may be "
            "given several times.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is left of them, and remove nothing.")
    ] = False,
    wait: Annotated[
        float,
        typer.Option(
            min=0, help="Seconds that the worker may take to decide, and Kafka to clean its files."
        ),
    ] = 90.0,
    as_json: Json = False,
) -> None:
    """Remove what is left of a peer mentor who was deleted.

    The application deletes the row: this refuses while it is there. What stays, in the log until
    its next generation, is listed; the exit code is 1 when something is left that somebody has to
    do.
    """
    names = [each.strip() for each in name or ()]
    if not all(names):
        raise Failure("--name is empty: leave it out, or give a name")
    told = event_loop.run(
        lambda: _forget(settings.load(), str(mentor), names, limit=wait, dry_run=dry_run)
    )
    if as_json:
        print_json(told)
    else:
        _print(told, dry_run=dry_run)
    if any(each.until is None for each in told.left):
        raise typer.Exit(FOUND_A_PROBLEM)


async def _forget(
    chosen: settings.Settings, mentor: str, names: list[str], *, limit: float, dry_run: bool
) -> Forgotten:
    async with connect(chosen.database) as connection, dead_letters.shelf(chosen) as shelf:
        return await forgetting.forget(
            connection,
            shelf,
            mentor,
            names=names,
            url=chosen.database,
            directory=chosen.checkpoints,
            limit=limit,
            dry_run=dry_run,
        )


def _print(told: Forgotten, *, dry_run: bool) -> None:
    verb = "Would remove" if dry_run else "Removed"
    for name, number in (told.found if dry_run else told.removed).items():
        typer.echo(f"{verb} {name}: {number}")
    if not told.found:
        typer.echo(f"Nothing to remove: nothing of {told.mentor} is left to us.")
    for each in told.left:
        until = f" Until: {each.until}." if each.until else ""
        typer.echo(
            f"Left in {each.where}: {each.what}. {each.why[:1].upper()}{each.why[1:]}.{until}"
        )
