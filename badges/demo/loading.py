"""Putting the demo's world into the source tables: a few upserts, then COPY."""

import json
from collections.abc import Sequence
from itertools import count
from typing import Any
from uuid import UUID

from badges.demo import visit
from badges.demo.catalogue import Badge, Organization
from badges.demo.world import History, Ids, definition_id, organization_id
from sinks.pool import Connection

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


async def free_run(connection: Connection, name: str) -> tuple[int, Ids]:
    """The first run of that name that has not been played here, counted from 1."""
    for run in count(1):
        ids = Ids(name, run)
        if not await connection.fetchval(
            "SELECT EXISTS (SELECT FROM peer_mentors WHERE id = $1)", ids.first
        ):
            return run, ids
    raise AssertionError("there is always a next run")


async def placed(
    connection: Connection,
    badges: Sequence[Badge],
    organizations: Sequence[Organization],
) -> list[Badge]:
    """The badges as they fit into this database.

    A badge for every organization would reach other people's organizations too: where there are
    any, each of the demo's organizations gets a badge of its own instead.
    """
    if await visit.others(connection) is None:
        return list(badges)
    return [
        badge.for_organization(slug)
        for badge in badges
        for slug in (
            [badge.organization] if badge.organization else [o.slug for o in organizations]
        )
    ]


async def save_rules(
    connection: Connection,
    organizations: Sequence[Organization],
    badges: Sequence[Badge],
) -> None:
    """Save organizations and definitions as the catalogue has them; what is so already stays."""
    async with connection.transaction():
        await connection.executemany(
            _ORGANIZATION,
            [(organization_id(o.slug), o.slug, o.name, o.timezone) for o in organizations],
        )
        await connection.executemany(_DEFINITION, [_values(badge) for badge in badges])


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


async def copy_history(connection: Connection, history: History) -> None:
    mentors = [(p.id, organization_id(p.organization), p.name) for p in history.mentors]
    tables: dict[str, tuple[str, Sequence[tuple[Any, ...]]]] = {
        "peer_mentors": ("id organization_id display_name", mentors),
        "activities": (
            "id peer_mentor_id activity_type activity_date duration_minutes",
            history.activities,
        ),
        "training_completions": ("id peer_mentor_id course_code completed_on", history.trainings),
        "mentor_pauses": ("id peer_mentor_id starts_on ends_on", history.pauses),
    }
    async with connection.transaction():
        for table, (columns, rows) in tables.items():
            await connection.copy_records_to_table(table, columns=columns.split(), records=rows)
