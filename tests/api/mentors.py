"""Definitions, rows and awards of a mentor, as the application and the worker write them."""

import json
from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import uuid4

from sinks.pool import Pool

COUNT = {"type": "threshold", "metric": "count", "at_least": 4}


async def define(
    owner: Pool, organization: str | None, criteria: Any, *, key: str = "", **columns: Any
) -> str:
    """Save an active definition and return its id; criteria as they are, valid or not."""
    values = {
        "organization_id": organization,
        "key": key or str(uuid4()),
        "name": "A badge",
        "status": "active",
        "description": "What it is for",
        **columns,
    }
    names = ", ".join(values)
    places = ", ".join(f"${number}" for number in range(2, len(values) + 2))
    document = {"version": 1, **criteria} if isinstance(criteria, dict) else criteria
    found: str = await owner.fetchval(
        f"INSERT INTO badge_definitions (criteria, {names}) "
        f"VALUES ($1::text::jsonb, {places}) RETURNING id::text",
        json.dumps(document),
        *values.values(),
    )
    return found


async def log(owner: Pool, mentor: str, *days: str | date, **columns: Any) -> None:
    """One activity on each day."""
    values = {"activity_type": "visit", "duration_minutes": 20, **columns}
    await owner.executemany(
        "INSERT INTO activities (peer_mentor_id, activity_date, activity_type, duration_minutes) "
        "VALUES ($1, $2, $3, $4)",
        [
            (
                mentor,
                date.fromisoformat(day) if isinstance(day, str) else day,
                values["activity_type"],
                values["duration_minutes"],
            )
            for day in days
        ],
    )


async def pause(owner: Pool, mentor: str, spans: Iterable[tuple[date, date | None]]) -> None:
    """Pauses, each from its first day to its last; None goes on."""
    await owner.executemany(
        "INSERT INTO mentor_pauses (peer_mentor_id, starts_on, ends_on) VALUES ($1, $2, $3)",
        [(mentor, *span) for span in spans],
    )


async def grant(
    owner: Pool, mentor: str, definition: str, on: str, evidence: Any = None, **columns: Any
) -> None:
    """An award as the worker writes it."""
    values = {"tier": None, "tier_on": None, **columns}
    async with owner.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL ROLE badges_worker")
        await connection.fetch(
            """
            SELECT badges_private.grant_awards(
                ARRAY[gen_random_uuid()], ARRAY[$1::uuid], ARRAY[d.id],
                ARRAY[$3::date::timestamp AT TIME ZONE 'Europe/Oslo'], ARRAY[$3::date],
                ARRAY[(d.version)], ARRAY[$4::text],
                ARRAY[$5::date::timestamp AT TIME ZONE 'Europe/Oslo'], ARRAY[$5::date],
                ARRAY[$6::text::jsonb], 'rule')
            FROM badge_definitions d WHERE d.id = $2::uuid
            """,
            mentor,
            definition,
            date.fromisoformat(on),
            values["tier"],
            None if values["tier_on"] is None else date.fromisoformat(values["tier_on"]),
            json.dumps(evidence or {}),
        )
