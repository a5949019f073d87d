"""`badges audit`: whether every award and all statistics are what the source tables say."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import typer
from aiokafka.errors import KafkaError
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from badges import event_loop, organizations, settings
from badges.cli.options import Json, print_json
from badges.queries.audit.findings import Finding
from badges.upkeep import auditing
from badges.upkeep.auditing import Audited, AuditScope
from schema.database import connect, first_line
from sinks.pool import Connection
from streams.errors import FOUND_A_PROBLEM, Failure

_SHOWN: Final = 50
"""Rows of a table; --json and --verbose have them all."""

_KEYS: Final = "SELECT id, key FROM public.badge_definitions WHERE id = ANY ($1)"


def audit(
    organization: Annotated[
        str | None, typer.Option(help="Slug or id of the one organization to audit.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only awards of this date and later."),
    ] = None,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Write what is missing or wrong; extra awards are left."),
    ] = False,
    limit: Annotated[
        float,
        typer.Option(min=0, help="Seconds that the stream may take to decide what was committed."),
    ] = 60,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="List everything, and what is explained too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Recompute all awards and statistics by SQL, and compare.

    From the source tables alone. Safe while everything runs. The exit code is 1 when something
    differs, repaired or not.
    """
    outcome = event_loop.run(
        lambda: _audit(
            settings.load(),
            organization,
            since,
            limit=limit,
            repair=repair,
            verbose=verbose,
            as_json=as_json,
        )
    )
    if not outcome.ok:
        raise typer.Exit(FOUND_A_PROBLEM)


async def _audit(
    chosen: settings.Settings,
    organization: str | None,
    since: datetime | None,
    *,
    limit: float,
    repair: bool,
    verbose: bool,
    as_json: bool,
) -> Audited:
    progress = Console(stderr=True, highlight=False).status("")
    async with connect(chosen.database) as connection, connect(chosen.database) as beside:
        only = await organizations.find(connection, organization) if organization else None
        scope = AuditScope(only.id if only else None, since.date() if since else None)
        with progress, _reachable(chosen):
            outcome = await auditing.run(
                connection,
                chosen.kafka_access(),
                scope,
                limit=limit,
                repair=repair,
                tell=progress.update,
                beside=beside,
            )
        if as_json:
            print_json(outcome)
            return outcome
        keys = await _keys(connection, [*outcome.findings, *outcome.explained])
    console = Console(highlight=False)
    for part in _shown(outcome, keys, repair=repair, most=None if verbose else _SHOWN):
        console.print(part)
    return outcome


@contextmanager
def _reachable(chosen: settings.Settings) -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError) as error:
        raise Failure(
            f"Kafka at {chosen.kafka_bootstrap}: {first_line(error)} (BADGES_KAFKA_BOOTSTRAP)",
            hint="Run `badges audit` again when that is mended",
        ) from error


async def _keys(connection: Connection, findings: Sequence[Finding]) -> dict[UUID, str]:
    """The keys of the badges that findings are about."""
    rows = await connection.fetch(_KEYS, list({each.badge_definition_id for each in findings}))
    return {row["id"]: row["key"] for row in rows}


def _shown(
    outcome: Audited, keys: Mapping[UUID, str], *, repair: bool, most: int | None
) -> Iterator[RenderableType]:
    yield _headline(outcome)
    kinds = Counter(each.kind for each in outcome.findings)
    for kind, number in sorted(kinds.items()):
        mended = sum(each.kind == kind for each in outcome.repaired)
        yield f"  {kind}: {number:,}{f', {mended:,} of them repaired' if repair else ''}"
    for reason in outcome.refused:
        yield Text(f"  not repaired: {reason}", "yellow")
    if outcome.explained:
        aside = "" if most is None else " (--verbose lists them)"
        yield f"  explained by rows that changed since: {len(outcome.explained):,}{aside}"
    if outcome.findings:
        yield _table(outcome.findings, outcome.repaired, keys, most)
    if outcome.explained and most is None:
        yield _table(outcome.explained, [], keys, None)


def _headline(outcome: Audited) -> Text:
    checked = outcome.checked
    word, color = ("Nothing differs", "green") if outcome.ok else ("Results differ", "red")
    return Text.assemble(
        (word, f"bold {color}"),
        f": {checked.awards:,} awards and {checked.stats:,} rows of statistics of "
        f"{checked.mentors:,} mentors are compared (audit {outcome.audit}).",
    )


def _table(
    findings: Sequence[Finding],
    repaired: Sequence[Finding],
    keys: Mapping[UUID, str],
    most: int | None,
) -> Table:
    mended = {each.subject for each in repaired}
    table = Table("kind", "mentor", "badge", "reason", box=None, padding=(0, 2, 0, 0))
    for each in findings[:most]:
        badge = keys.get(each.badge_definition_id, "") if each.badge_definition_id else ""
        done = "repaired: " if each.subject in mended else ""
        table.add_row(
            each.kind, str(each.peer_mentor_id), Text(badge), Text(f"{done}{each.reason}")
        )
    if most is not None and len(findings) > most:
        table.add_row("", f"and {len(findings) - most:,} more", "", "")
    return table
