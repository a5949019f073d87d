"""`badges export`: everything that is kept about one person."""

import shutil
import sys
import tempfile
from typing import IO, Annotated
from uuid import UUID

import typer

from badges import event_loop, settings
from badges.cli.options import Json
from badges.privacy import exporting
from badges.upkeep import dead_letters
from schema.database import connect
from streams.errors import Failure

_IN_MEMORY = 4 * 1024 * 1024
"""Bytes of the document that are held in memory; a longer one waits in a temporary file."""


def export(
    mentor: Annotated[UUID, typer.Argument(metavar="MENTOR", show_default=False)],
    with_log: Annotated[
        bool, typer.Option("--log", help="Every record that the log has of them, too.")
    ] = False,
    _: Json = False,
) -> None:
    """Print everything that is kept about a peer mentor.

    As one JSON document. Also after the mentor's row was deleted: then it is what `badges forget`
    has to remove, and what it leaves.
    """
    # Nothing is printed of a document that does not come to its end.
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8") as out:
        counts = event_loop.run(lambda: _export(settings.load(), str(mentor), out, with_log))
        if not any(counts.values()):
            raise Failure(
                f"nothing is kept about a peer mentor with the id {mentor}",
                hint="The id is that of a row of peer_mentors; BADGES_DATABASE_URL names the "
                "database",
            )
        out.seek(0)
        shutil.copyfileobj(out, sys.stdout)
    if not counts["peer_mentors"]:
        left = ", ".join(f"{name} ({number})" for name, number in counts.items() if number)
        typer.echo(f"badges: the row in peer_mentors is gone; left are {left}", err=True)


async def _export(
    chosen: settings.Settings, mentor: str, out: IO[str], with_log: bool
) -> dict[str, int]:
    async with connect(chosen.database) as connection, dead_letters.shelf(chosen) as shelf:
        return await exporting.export(connection, shelf, mentor, out, with_log=with_log)
