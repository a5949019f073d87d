"""What is told of the whole service, for the dashboard and for metrics: numbers, kinds and times.

Nothing here names a person, a badge or an organization. Every function raises what asyncpg does,
TimeoutError after `_PATIENCE_S` among it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from sinks.pool import Executor

_PATIENCE_S = 2.0

_UNLOCKS = """
SELECT clock_timestamp() AS now,
       (SELECT coalesce(sum(unlocks), 0)::bigint
        FROM badges_private.unlocks_by_minute(clock_timestamp() - interval '1 minute')) AS of_late,
       coalesce(array_agg(minute), '{}') AS minutes,
       coalesce(array_agg(unlocks), '{}') AS counts
FROM badges_private.unlocks_by_minute($1)
"""


@dataclass(frozen=True)
class AlertsOpen:
    """The open alerts of one kind."""

    kind: str
    since: datetime
    count: int


@dataclass(frozen=True)
class Definitions:
    """How many definitions there are by status, and how many of them wait for somebody.

    Raw ones are those that are not retired; invalid ones are active, and set aside by the worker.
    """

    active: int
    draft: int
    retired: int
    raw: int
    invalid: int


@dataclass(frozen=True)
class UnlocksOfLate:
    """How many awards came into force in the last 60 seconds, and in each minute that had some."""

    now: datetime
    last_minute: int
    by_minute: Mapping[datetime, int]


@dataclass(frozen=True)
class AwardSeconds:
    """How long awards took from the commit of the row that caused them; None where none was made.

    To the start of the transaction that wrote them: what that took itself is not in it.
    """

    p50: float | None
    p95: float | None
    count: int


@dataclass(frozen=True)
class LastAudit:
    """When the newest audit of everything ended, and what it found, by kind."""

    finished_at: datetime
    findings: dict[str, int]
    """How many results differed; kinds without any are left out."""


async def alerts_open(connection: Executor) -> Sequence[AlertsOpen]:
    """The kinds of alerts that are open."""
    rows = await connection.fetch(
        "SELECT * FROM badges_private.alerts_by_kind()", timeout=_PATIENCE_S
    )
    return [AlertsOpen(row["kind"], row["since"], row["alerts"]) for row in rows]


async def definitions(connection: Executor) -> Definitions:
    """The definitions by their state."""
    row = await connection.fetchrow(
        "SELECT * FROM badges_private.definition_states()", timeout=_PATIENCE_S
    )
    assert row is not None
    return Definitions(**row)


async def refused_writes(connection: Executor) -> int:
    """How many decisions wait to be written, because Postgres refused them or one before them."""
    found: int = await connection.fetchval(
        "SELECT badges_private.refused_writes_waiting()", timeout=_PATIENCE_S
    )
    return found


async def last_audit(connection: Executor) -> LastAudit | None:
    """The newest audit that came to an end; those of one organization or since a date aside."""
    row = await connection.fetchrow(
        "SELECT finished_at, findings::text AS findings FROM badges_private.last_audit()",
        timeout=_PATIENCE_S,
    )
    if row is None:
        return None
    findings = msgspec.json.decode(row["findings"], type=dict[str, int])
    return LastAudit(row["finished_at"], findings)


async def unlocks(connection: Executor, since: datetime | None, span: timedelta) -> UnlocksOfLate:
    """What unlocked since then, by minute, or without that in the span up to now."""
    since = since or await connection.fetchval(
        "SELECT date_trunc('minute', clock_timestamp() - $1::interval)", span, timeout=_PATIENCE_S
    )
    row = await connection.fetchrow(_UNLOCKS, since, timeout=_PATIENCE_S)
    assert row is not None
    by_minute = dict(zip(row["minutes"], row["counts"], strict=True))
    return UnlocksOfLate(row["now"], row["of_late"], by_minute)


async def award_seconds(connection: Executor, span: timedelta) -> AwardSeconds:
    """How long the awards of the span up to now took: the newest 10,000 of them at most."""
    row = await connection.fetchrow(
        "SELECT p50, p95, events "
        "FROM badges_private.award_seconds(clock_timestamp() - $1::interval)",
        span,
        timeout=_PATIENCE_S,
    )
    assert row is not None
    return AwardSeconds(row["p50"], row["p95"], row["events"])


async def days_since_awards(connection: Executor) -> Sequence[float]:
    """For each active rule that has awarded before, how many days ago it awarded last."""
    rows = await connection.fetch(
        "SELECT extract(epoch FROM clock_timestamp() - newest)::float8 / 86400 AS days "
        "FROM badges_private.newest_awards_of_rules() AS newest",
        timeout=_PATIENCE_S,
    )
    return [row["days"] for row in rows]
