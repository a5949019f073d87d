"""Unlocks as they arrive: rows of badge_award_events, each exactly once, in (xid, id) order.

Numbers of an identity column are handed out before the commit, so a row may become visible after
one with a higher number, and `id > last` would skip it. Below pg_snapshot_xmin every transaction is
over: nothing new can appear there, and reading on from the last (xid, id) skips nothing.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from sinks.pool import Connection

POLL_S = 0.003

_BEGINNING = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text"
_NEWER = """
SELECT xid::text, id, badge_award_id::text, peer_mentor_id::text, badge_definition_id::text, kind,
       tier, source
FROM badge_award_events
WHERE (xid, id) > ($1::text::xid8, $2::bigint) AND xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY badge_award_events.xid, id
LIMIT 1000
"""


@dataclass(frozen=True)
class Unlock:
    """Something that happened to an award. `seen` is this process's monotonic clock, in seconds."""

    peer_mentor_id: str
    badge_definition_id: str
    kind: str
    tier: str | None
    source: str
    seen: float


class Feed:
    def __init__(self, connection: Connection, xid: str) -> None:
        self._connection = connection
        self._place = (xid, -1)

    @classmethod
    async def open(cls, connection: Connection) -> "Feed":
        """A feed of what commits from now on, and of what was under way."""
        return cls(connection, await connection.fetchval(_BEGINNING))

    async def follow(self, take: Callable[[Unlock], None]) -> None:
        while True:
            await self.look(take)
            await asyncio.sleep(POLL_S)

    async def look(self, take: Callable[[Unlock], None]) -> None:
        rows = await self._connection.fetch(_NEWER, *self._place)
        seen = time.perf_counter()
        for row in rows:
            self._place = (row["xid"], row["id"])
            take(
                Unlock(
                    row["peer_mentor_id"],
                    row["badge_definition_id"],
                    row["kind"],
                    row["tier"],
                    row["source"],
                    seen,
                )
            )
