"""`badges doctor`: whether every part is there, as it must be, and joined to the others."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from badges import event_loop, logs, settings
from badges.cli.options import Json, print_json
from badges.doctor import report
from badges.doctor.checks import CHECKS, SERVERS
from badges.doctor.deployment import Deployment
from badges.doctor.examination import Examination, examine
from badges.doctor.mending import mend, wanted
from badges.reporting import unusable
from schema.database import where
from streams.errors import FOUND_A_PROBLEM


def doctor(
    fix: Annotated[
        bool,
        typer.Option(
            "--fix",
            help="Mend what `badges migrate` and `badges provision` mend, and topics' settings; "
            "then look again. No new generation of the log is begun. What is in use stays; topics, "
            "slots and connectors of generations that are over are deleted, unless they are kept.",
        ),
    ] = False,
    page: Annotated[
        Path | None,
        typer.Option("--report", help="Write what was found into this file, as Markdown."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds that each check may take.", min=0.1, max=600)
    ] = 5.0,
    as_json: Json = False,
) -> None:
    """Check every part, and say what mends what is wrong.

    Each line is ok, a warning or failed, with the command or statement that mends it.
    """
    chosen = settings.load()
    say = partial(typer.echo, err=as_json)
    found, done = event_loop.run(lambda: _doctor(chosen, timeout, say, fix=fix))
    if page is not None:
        place = where(chosen.database)
        try:
            page.write_text(report.page(found, datetime.now(UTC), place), encoding="utf-8")
        except OSError as error:
            raise unusable(error) from None
    if as_json:
        print_json(_told(found, done if fix else None))
    else:
        Console(highlight=False).print(report.shown(found))
    if not found.ok:
        raise typer.Exit(FOUND_A_PROBLEM)


async def _doctor(
    chosen: settings.Settings, limit_s: float, say: Callable[[str], None], *, fix: bool
) -> tuple[Examination, list[str]]:
    # What does not answer is told here, in a line.
    logs.configure(level="CRITICAL")
    async with Deployment(chosen, limit_s, say) as deployment:
        found = await examine(deployment, SERVERS, CHECKS)
        if not fix or not wanted(found.lines):
            return found, []
        done = await mend(deployment, found.lines)
    async with Deployment(chosen, limit_s) as deployment:
        return await examine(deployment, SERVERS, CHECKS), done


def _told(found: Examination, done: list[str] | None) -> dict[str, object]:
    told = {
        "ok": found.ok,
        "checks": [line.told() for line in report.in_order(found.lines)],
        "unasked": found.unasked,
    }
    return told if done is None else {**told, "done": done}
