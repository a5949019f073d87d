"""`badges dedupe`: remove awards that a mentor holds twice."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer

from badges import event_loop, settings
from badges.cli.options import Json, print_json
from schema import locks
from schema.database import connect
from sinks import duplicates
from sinks.duplicates import Duplicate
from sinks.pool import Connection


def dedupe(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the duplicates and remove none.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Keep the earliest award of each mentor and badge alone.

    Only a database from before the unique constraint can hold any; `badges migrate` removes them
    too, and then adds the constraint. It may run beside workers, `badges migrate` and itself: it
    waits until nobody writes awards, for a moment at a time.
    """
    found = event_loop.run(lambda: _dedupe(settings.load(), dry_run=dry_run))
    if as_json:
        print_json(found, indent=2)
        return
    verb = "Would remove" if dry_run else "Removed"
    for each in found:
        typer.echo(f"{verb} {each.sentence()}")
    if not found:
        typer.echo("Nothing to do: no mentor holds a badge twice.")


async def _dedupe(chosen: settings.Settings, *, dry_run: bool) -> Sequence[Duplicate]:
    async with connect(chosen.database) as connection:
        return await locks.patiently(
            connection,
            partial(_remove, connection, dry_run=dry_run),
            tell=partial(typer.echo, err=True),
            patience_s=locks.PATIENCE_S,
            hint="Run `badges dedupe` again when it is over, or end it: nothing was changed",
        )


async def _remove(connection: Connection, *, dry_run: bool) -> Sequence[Duplicate]:
    found = await duplicates.remove(connection, dry_run=dry_run)
    if not dry_run:
        await duplicates.tell(connection, found)
    return found
