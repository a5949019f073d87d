"""`badges migrate`: bring the database up to date."""

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer

from badges.console import settings
from badges.console.schema import apply
from badges.console.schema.database import connect


def migrate(
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Create and update the tables, functions, roles and publication in Postgres."""
    report = asyncio.run(_migrate(settings.load()))
    if as_json:
        typer.echo(json.dumps(asdict(report), default=str))
        return
    for duplicate in report.removed:
        typer.echo(
            f"Removed award {duplicate.id}: mentor {duplicate.peer_mentor_id} holds badge "
            f"{duplicate.badge_definition_id} since earlier ({duplicate.kept_id})."
        )
    for name in report.applied:
        typer.echo(f"Applied {name}.")
    if not report.applied:
        typer.echo("Nothing to do: the database is up to date.")


async def _migrate(chosen: settings.Settings) -> apply.Report:
    passwords = {
        "badges_worker": chosen.worker_password,
        "badges_api": chosen.api_password,
        "badges_connect": chosen.connect_password,
    }
    async with connect(chosen.database_url.get_secret_value()) as connection:
        return await apply.migrate(
            connection,
            prefix=chosen.prefix,
            role_passwords={
                role: secret.get_secret_value() for role, secret in passwords.items() if secret
            },
        )
