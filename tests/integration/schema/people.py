"""A small organization in a database, to write awards about."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from sinks.pool import Connection
from tests.stack import LIMIT_S


@dataclass(frozen=True)
class People:
    """An organization with one mentor and one active definition, and one definition for all."""

    organization: UUID
    mentor: UUID
    definition: UUID
    everywhere: UUID


async def settle(db: Connection, slug: str = "oslo", timezone: str = "Europe/Oslo") -> People:
    """Insert such an organization."""
    organization = await db.fetchval(
        "INSERT INTO organizations (slug, name, timezone) VALUES ($1, $1, $2) RETURNING id",
        slug,
        timezone,
    )
    mentor = await db.fetchval(
        "INSERT INTO peer_mentors (organization_id, display_name) VALUES ($1, 'Kari') RETURNING id",
        organization,
    )
    return People(
        organization,
        mentor,
        await define(db, organization, "first-visit"),
        await define(db, None, f"global-{slug}"),
    )


async def define(
    db: Connection, organization: UUID | None, key: str, status: str = "active"
) -> UUID:
    """Insert a definition and return its id."""
    definition: UUID = await db.fetchval(
        "INSERT INTO badge_definitions (organization_id, key, name, criteria, status) "
        """VALUES ($1, $2, $2, '{"version": 1, "type": "threshold", "at_least": 1}', $3) """
        "RETURNING id",
        organization,
        key,
        status,
    )
    return definition


async def crowd(db: Connection, people: People) -> None:
    """Insert 60 mentors more and 500 activities of each, as many as an index is of use for."""
    await db.execute(
        "INSERT INTO peer_mentors (organization_id) SELECT $1 FROM generate_series(1, 60)",
        people.organization,
    )
    await db.execute(
        "INSERT INTO activities (peer_mentor_id, activity_type, activity_date, duration_minutes) "
        "SELECT id, 'type ' || n % 7, date '2026-01-01' + n, n "
        "FROM generate_series(1, 500) AS n, peer_mentors ORDER BY n"
    )
    known = "SELECT relallvisible >= relpages FROM pg_class WHERE oid = 'activities'::regclass"
    async with asyncio.timeout(LIMIT_S):
        while True:
            await db.execute("VACUUM ANALYZE activities")
            if await db.fetchval(known):  # else an older snapshot of the server's own was open
                return


async def somebody_waits(db: Connection) -> None:
    """Return when a session of this database waits for a lock; fail when none does within 10 s."""
    waiting = (
        "SELECT EXISTS (SELECT FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock')"
    )
    async with asyncio.timeout(LIMIT_S):
        while not await db.fetchval(waiting):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
