"""A demo is a visitor: one at a time, among nobody else's rows, and it removes its own.

Its own are its organizations, told by their ids, with all that is in them, and its badges for
everybody. Those of a demo that was killed are there until the next one ends.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from badges.demo import catalogue
from badges.demo.world import SLUGS, definition_id, organization_id
from schema.database import connect
from sinks.locks import one_at_a_time
from sinks.pool import Connection
from streams.errors import Failure

LOCK = "hashtextextended('badges demo', 0)"
_GONE_WITHIN_S = 10.0
"""So long the server may take to notice that an earlier demo was killed."""


@asynccontextmanager
async def alone(connection: Connection) -> AsyncIterator[None]:
    """Keep other demos away. Raises Failure when one plays here."""
    async with AsyncExitStack() as held:
        try:
            async with asyncio.timeout(_GONE_WITHIN_S):
                lock = one_at_a_time(connection, LOCK, lambda _: None, "Another demo")
                await held.enter_async_context(lock)
        except TimeoutError:
            hint = "Wait for its end"
            raise Failure("another demo plays in this database", hint=hint) from None
        yield


async def others(connection: Connection) -> str | None:
    """What is in the database that is not a demo's, in words, or None."""
    strangers = await connection.fetchval(
        "SELECT count(*) FROM organizations WHERE id <> ALL ($1::uuid[])",
        await _organizations(connection),
    )
    if strangers:
        return f"{strangers:,} organization{'s' if strangers != 1 else ''}"
    badges = await connection.fetchval(
        "SELECT count(*) FROM badge_definitions "
        "WHERE organization_id IS NULL AND id <> ALL ($1::uuid[])",
        _badges_for_everybody(),
    )
    return f"{badges:,} badge{'s' if badges != 1 else ''} for everybody" if badges else None


async def remove(database_url: str) -> None:
    """Remove all that is a demo's, in a connection of its own: the demo's may be in the middle."""
    async with connect(database_url) as connection, connection.transaction():
        homes = await _organizations(connection)
        # In the order in which the worker locks them.
        await connection.fetch(
            "SELECT FROM peer_mentors WHERE organization_id = ANY ($1::uuid[]) "
            "ORDER BY id FOR UPDATE",
            homes,
        )
        await connection.fetch(
            f"SELECT FROM badge_definitions WHERE {_OUR_BADGES} ORDER BY id FOR UPDATE",
            homes,
            _badges_for_everybody(),
        )
        await connection.execute(
            "DELETE FROM peer_mentors WHERE organization_id = ANY ($1::uuid[])", homes
        )
        await connection.execute(
            f"DELETE FROM badge_definitions WHERE {_OUR_BADGES}", homes, _badges_for_everybody()
        )
        await connection.execute("DELETE FROM organizations WHERE id = ANY ($1::uuid[])", homes)


_OUR_BADGES = (
    "(organization_id = ANY ($1::uuid[]) OR organization_id IS NULL AND id = ANY ($2::uuid[]))"
)


async def _organizations(connection: Connection) -> Sequence[UUID]:
    """A demo's, also of repositories that nobody remembers: the id is made from the slug."""
    rows = await connection.fetch(
        "SELECT id, slug FROM organizations WHERE starts_with(slug, $1)", SLUGS
    )
    return [row["id"] for row in rows if row["id"] == organization_id(row["slug"])]


def _badges_for_everybody() -> Sequence[UUID]:
    return [
        definition_id(None, badge.key)
        for badge in catalogue.load().badges
        if badge.organization is None
    ]
