"""Rows that nothing reads any more: counted, and removed some at a time.

A batch is a transaction of its own, which waits for nobody's row: so a removal may be broken off
anywhere, two of them share the work, and whoever works meanwhile is not held up.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from sinks.pool import Executor

_BATCH = 5_000

OVER = """
SELECT log_id FROM public.badge_logs c
WHERE state = 'closed' AND NOT kept AND EXISTS (
    SELECT FROM public.badge_logs l WHERE l.state = 'live' AND l.generation > c.generation)
"""
"""The generations of the log that another one has replaced, those aside that are to be kept."""

_OF_THOSE = f"t.log_id IN ({OVER})"
_CLOSED_AT = "(SELECT closed_at FROM public.badge_logs l WHERE l.log_id = t.log_id)"
_AGE = "clock_timestamp() - $1::int * interval '1 day'"


class _Kind(NamedTuple):
    """Rows of one table that may go: which, and since when each of them is of no use.

    What is `emptied` is a column of a row that stays.
    """

    table: str
    condition: str
    since: str
    emptied: str | None = None


# The names of kinds are told to people and scripts.
_KINDS: Mapping[str, _Kind] = {
    "positions": _Kind("public.badge_log_positions", _OF_THOSE, _CLOSED_AT),
    "rule_positions": _Kind("public.badge_rule_positions", _OF_THOSE, _CLOSED_AT),
    "found_awards": _Kind(
        "public.badge_logs", f"t.found IS NOT NULL AND {_OF_THOSE}", "t.closed_at", "found"
    ),
    "alerts": _Kind("public.badge_alerts", f"t.resolved_at < {_AGE}", "t.resolved_at"),
    # Metrics tell of the newest one of everything, however old it is.
    "audits": _Kind(
        "public.badge_audits",
        f"""t.at < {_AGE} AND t.id IS DISTINCT FROM (
            SELECT id FROM public.badge_audits
            WHERE ok IS NOT NULL AND organization_id IS NULL AND since IS NULL
            ORDER BY finished_at DESC LIMIT 1)""",
        "t.at",
    ),
    # As first_request has it, which forgets some at each call.
    "idempotency_keys": _Kind(
        "badges_private.idempotency_keys", "t.at < now() - interval '24 hours'", "t.at"
    ),
}


class Prunable(Struct, frozen=True):
    """So many rows of a kind may go: about so many bytes, the oldest of no use since then."""

    kind: str
    count: int
    bytes: int
    since: datetime | None


async def prunable(connection: Executor, older_than: int) -> list[Prunable]:
    """What may go, by kind; of what ages, what is of no use for more than `older_than` days."""
    return [
        await _counted(connection, name, kind, older_than)
        for name, kind in _KINDS.items()
        # A table may be younger than the database's schema.
        if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", kind.table)
    ]


async def _counted(connection: Executor, name: str, kind: _Kind, older_than: int) -> Prunable:
    what = f"t.{kind.emptied}" if kind.emptied else "t.*"
    row = await connection.fetchrow(
        f"""
        SELECT count(*), coalesce(sum(pg_column_size({what})), 0)::bigint AS bytes,
               min({kind.since}) AS since
        FROM {kind.table} t, CAST($1 AS int) AS days WHERE {kind.condition}
        """,
        older_than,
    )
    assert row is not None
    return Prunable(name, row["count"], row["bytes"], row["since"])


async def remove(connection: Executor, name: str, older_than: int) -> int:
    """Remove what may go of a kind; how many rows that were.

    What somebody else has locked, who removes it as well, is left to them.
    """
    kind, removed = _KINDS[name], 0
    change = (
        f"UPDATE {kind.table} t SET {kind.emptied} = NULL"
        if kind.emptied
        else f"DELETE FROM {kind.table} t"
    )
    while True:
        status = await connection.execute(
            f"""
            {change} WHERE t.ctid = ANY (ARRAY (
                SELECT t.ctid FROM {kind.table} t, CAST($1 AS int) AS days
                WHERE {kind.condition} LIMIT {_BATCH} FOR UPDATE OF t SKIP LOCKED))
            """,
            older_than,
        )
        batch = int(status.rpartition(" ")[2])
        removed += batch
        if batch == 0:
            return removed
