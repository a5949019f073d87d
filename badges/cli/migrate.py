"""`badges migrate`: bring the database up to date, or say what differs."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from badges import event_loop, settings
from badges.cli.options import Json, print_json
from badges.reporting import unusable
from schema import apply, exposure, migrations
from schema.check import check
from schema.database import connect
from schema.differences import Deviation
from streams.errors import FOUND_A_PROBLEM, Failure


def migrate(
    only_check: Annotated[
        bool,
        typer.Option(
            "--check", help="Change nothing; list what differs and the statement that mends it."
        ),
    ] = False,
    create: Annotated[
        bool,
        typer.Option(
            "--create",
            help="Create what is missing also beside an application's tables of other names.",
        ),
    ] = False,
    exposed: Annotated[
        bool | None,
        typer.Option(
            "--expose/--no-expose",
            help="Let applications' users read what row-level security shows them of awards, "
            "events, stats and definitions, through PostgREST and Realtime; or take that back.",
        ),
    ] = None,
    files: Annotated[
        Path | None,
        typer.Option(
            help="Write the migrations into this folder, for the Supabase CLI, and do nothing else."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Create and update our tables, functions and roles.

    The publication of the log as well. It says first what it must not change.
    """
    if files is not None:
        _print_files(_write(files), as_json)
        return
    if only_check and exposed is not None:
        raise Failure("--check changes nothing: leave out --expose or --no-expose")
    chosen = settings.load()
    differences: Sequence[Deviation]
    if only_check:
        differences = event_loop.run(lambda: _check(chosen, create))
        if as_json:
            print_json(differences, indent=2)
        else:
            _print_differences(differences, "Nothing differs.")
    else:
        report, told = event_loop.run(lambda: _migrate(chosen, create, exposed))
        differences = [each for each in report.left if each.consequence != "report"]
        if as_json:
            print_json(asdict(report) | told, indent=2)
        else:
            _print_report(report, nothing_else=not told)
            for done, names in told.items():
                typer.echo(f"{done.capitalize()}: {', '.join(names) or 'nothing'}.")
    if differences:
        raise typer.Exit(FOUND_A_PROBLEM)


def _write(folder: Path) -> list[Path]:
    """Write each migration's file, those that are there anew; the paths."""
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for migration in migrations.load():
            path = folder / f"{migration.title}.sql"
            path.write_text(migration.sql, encoding="utf-8")
            written.append(path)
    except OSError as error:
        raise unusable(error) from None
    return written


def _print_files(written: Sequence[Path], as_json: bool) -> None:
    if as_json:
        print_json(written, indent=2)
        return
    for path in written:
        typer.echo(f"Wrote {path}.")


def _print_report(report: apply.Report, *, nothing_else: bool) -> None:
    for duplicate in report.removed:
        typer.echo(f"Removed {duplicate.sentence()}")
    for name in report.applied:
        typer.echo(f"Applied {name}.")
    for difference in report.mended:
        typer.echo(f"Mended: {difference.where} {difference.found}.")
    for role in report.passwords:
        typer.echo(f"Set the password of {role}.")
    if nothing_else and not (report.applied or report.mended or report.removed):
        typer.echo("Nothing to do: the database is up to date.")
    _print_differences(report.left, "")


def _print_differences(differences: Sequence[Deviation], otherwise: str) -> None:
    for difference in differences:
        typer.echo(difference.lines())
    if otherwise and not differences:
        typer.echo(otherwise)


async def _check(chosen: settings.Settings, create: bool) -> Sequence[Deviation]:
    async with connect(chosen.database) as connection:
        return await check(connection, prefix=chosen.prefix, create=create)


async def _migrate(
    chosen: settings.Settings, create: bool, exposed: bool | None
) -> tuple[apply.Report, dict[str, list[str]]]:
    """What `migrate` did, and under `exposed` or `concealed` what that was done with, if asked."""
    passwords = {
        "badges_worker": chosen.worker_password,
        "badges_api": chosen.api_password,
        "badges_connect": chosen.connect_password,
    }
    async with connect(chosen.database) as connection:
        report = await apply.migrate(
            connection,
            prefix=chosen.prefix,
            role_passwords={
                role: secret.get_secret_value() for role, secret in passwords.items() if secret
            },
            create=create,
            tell=partial(typer.echo, err=True),
        )
        if exposed is None:
            return report, {}
        if not exposed:
            return report, {"concealed": await exposure.conceal(connection)}
        claims = {
            "mentor": chosen.jwt_mentor_claim,
            "organization": chosen.jwt_organization_claim,
            "role": chosen.jwt_role_claim,
        }
        return report, {"exposed": await exposure.expose(connection, claims)}
