"""`badges resnapshot`: a new generation of the log, after a break or for its own sake."""

from dataclasses import replace
from typing import Annotated

import typer

from badges import event_loop, settings
from badges.cli.options import Json
from badges.cli.provision import open_site, print_result
from schema.check import require_a_source
from streams.filling import provisioning


def resnapshot(
    partitions: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            help="Of the new log; the most workers that can share the work [BADGES_PARTITIONS].",
        ),
    ] = None,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Leave topic, slot and connector of older generations; a slot that nobody reads "
            "keeps WAL until the disk is full.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Fill a new generation of the log, which then takes over.

    It does whatever became of the one there is.

    Safe to run again, and after it was interrupted.
    """
    event_loop.run(lambda: _resnapshot(settings.load(), partitions, keep=keep, as_json=as_json))


async def _resnapshot(
    chosen: settings.Settings, partitions: int | None, *, keep: bool, as_json: bool
) -> None:
    async with open_site(chosen, "resnapshot", aside=as_json) as opened:
        site = replace(opened, partitions=partitions or opened.partitions)
        await require_a_source(site.connection, prefix=site.prefix, say=site.say)
        live = await provisioning.resnapshot(site, keep=keep)
        notes = await provisioning.notes(site, live)
    print_result(live, notes, as_json=as_json)
