"""Putting the demo's world into the source tables: a few upserts, then COPY."""

import json
from typing import Any
from uuid import UUID

from badges.demo import visit
from badges.demo.catalogue import Badge
from badges.demo.world import COLUMNS, World, definition_id, ids, organization_id
from sinks.pool import Connection

_HAS_BEEN_HERE = "SELECT EXISTS (SELECT FROM peer_mentors WHERE id = $1)"
_ORGANIZATION = """
INSERT INTO organizations (id, slug, name, timezone) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, timezone = excluded.timezone
"""
_DEFINITION = """
INSERT INTO badge_definitions (id, organization_id, key, name, description, icon, criteria,
                               revocable, status)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, description = excluded.description, icon = excluded.icon,
    criteria = excluded.criteria, revocable = excluded.revocable, status = excluded.status
"""


async def free_run(connection: Connection, name: str) -> int:
    """The first run of that name that has not been played here, counted from 1."""
    run = 1
    while await connection.fetchval(_HAS_BEEN_HERE, next(ids(name, run))):
        run += 1
    return run


async def badges_as_they_fit(connection: Connection, world: World) -> list[Badge]:
    """The world's badges as this database can have them.

    A badge for every organization would reach other people's organizations too: where there are
    any, each of the demo's organizations gets a badge of its own instead.
    """
    if await visit.others(connection) is None:
        return list(world.badges)
    everywhere = [organization.slug for organization in world.organizations]
    return [
        badge.for_organization(slug)
        for badge in world.badges
        for slug in ([badge.organization] if badge.organization else everywhere)
    ]


async def save_rules(connection: Connection, world: World) -> None:
    """Save organizations and definitions as the catalogue has them; what is so already stays."""
    organizations = [
        (organization_id(each.slug), each.slug, each.name, each.timezone)
        for each in world.organizations
    ]
    async with connection.transaction():
        await connection.executemany(_ORGANIZATION, organizations)
        await connection.executemany(_DEFINITION, [_values(badge) for badge in world.badges])


def _values(badge: Badge) -> tuple[Any, ...]:
    home: UUID | None = organization_id(badge.organization) if badge.organization else None
    return (
        definition_id(badge.organization, badge.key),
        home,
        badge.key,
        badge.name,
        badge.description,
        badge.icon,
        json.dumps(badge.criteria),
        badge.revocable,
        badge.status,
    )


async def copy_history(connection: Connection, world: World) -> None:
    mentors = [(p.id, organization_id(p.organization), p.name) for p in world.mentors]
    async with connection.transaction():
        for table, rows in {"peer_mentors": mentors, **world.rows}.items():
            await connection.copy_records_to_table(table, columns=COLUMNS[table], records=rows)
