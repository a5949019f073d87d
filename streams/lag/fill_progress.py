"""How far a generation of the log is filled that is not live yet."""

from datetime import datetime

from msgspec import Struct

from sinks.pool import Executor
from streams.log import generations

_ROWS = """
SELECT coalesce(sum(greatest(c.reltuples, s.n_live_tup)), 0)::bigint
FROM pg_publication_tables p
JOIN pg_class c ON c.oid = format('%I.%I', p.schemaname, p.tablename)::regclass
LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE p.pubname = $1
"""
"""By the planner's figures: to count the rows would take as long as to send them."""


class Filling(Struct, frozen=True):
    """A generation that is being filled: `of_rows` are about how many there are to send.

    `since` is when it was begun, `now` when this was asked, both by Postgres' clock.
    """

    number: int
    topic: str
    of_rows: int
    since: datetime
    now: datetime

    def seconds_left(self, filled: int) -> float | None:
        """How long it takes at the pace so far; None while that cannot be told."""
        if not 0 < filled < self.of_rows:
            return None
        took = (self.now - self.since).total_seconds()
        return round(took / filled * (self.of_rows - filled), 1)


async def filling(connection: Executor) -> Filling | None:
    """The newest generation that is being filled, or None."""
    found = await generations.filling(connection)
    if found is None:
        return None
    since = await connection.fetchrow(
        "SELECT created_at, clock_timestamp() AS now FROM badge_logs WHERE log_id = $1",
        found.log_id,
    )
    if since is None:
        return None
    rows = await connection.fetchval(_ROWS, found.publication)
    return Filling(found.number, found.topic, rows, since["created_at"], since["now"])
