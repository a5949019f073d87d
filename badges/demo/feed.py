"""Unlocks as they arrive: rows of badge_award_events, each exactly once, in (xid, id) order.

Numbers of an identity column are handed out before the commit, so a row may become visible after
one with a higher number, and `id > last` would skip it. Below pg_snapshot_xmin every transaction is
over: nothing new can appear there, and reading on from the last (xid, id) skips nothing.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from schema.database import connect

POLL_S = 0.003

_BEGINNING = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text"
_NEWER = """
SELECT xid::text, id, peer_mentor_id::text, badge_definition_id::text, kind, tier, source
FROM badge_award_events
WHERE (xid, id) > ($1::text::xid8, $2::bigint) AND xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY badge_award_events.xid, id
LIMIT 1000
"""


@dataclass(frozen=True)
class SeenUnlock:
    """Something that happened to an award. `seen` is this process's monotonic clock, in seconds."""

    peer_mentor_id: str
    badge_definition_id: str
    kind: str
    tier: str | None
    source: str
    seen: float


@asynccontextmanager
async def following(database_url: str, take: Callable[[SeenUnlock], None]) -> AsyncIterator[None]:
    """Take what commits from the block's beginning to its end, and what was under way then."""
    async with connect(database_url) as connection:
        place = (await connection.fetchval(_BEGINNING), -1)

        async def look() -> None:
            nonlocal place
            rows = await connection.fetch(_NEWER, *place)
            seen = time.perf_counter()
            for xid, number, mentor, badge, kind, tier, source in rows:
                place = (xid, number)
                take(SeenUnlock(mentor, badge, kind, tier, source, seen))

        async def keep_looking() -> None:
            while True:
                await look()
                await asyncio.sleep(POLL_S)

        task = asyncio.create_task(keep_looking())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await look()
