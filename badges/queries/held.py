"""The badges that a mentor holds, or held, and what earned them."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from badges.queries.dates import near_date, near_instant
from badges.queries.tenancy import applies
from sinks.pool import Executor

# Without the condition it would show the words of an organization that the mentor has left.
_HELD: Final = f"""
    SELECT a.badge_definition_id, d.key, coalesce(d.name, '') AS name,
           coalesce(d.description, '') AS description, d.icon, a.tier,
           {near_date("a.earned_on")} AS earned_on, {near_instant("a.earned_at")} AS earned_at,
           {near_date("a.tier_earned_on")} AS tier_earned_on, a.awarded_by, a.definition_version,
           a.evidence::text AS evidence, CASE jsonb_typeof(a.evidence -> 'counts')
               WHEN 'object' THEN ARRAY (SELECT jsonb_object_keys(a.evidence -> 'counts'))
               ELSE '{{}}' END AS counted,
           {near_instant("a.revoked_at")} AS revoked_at, a.revoked_by,
           v.criteria::text AS criteria
    FROM badge_awards a
    JOIN badge_definitions d ON d.id = a.badge_definition_id AND {applies("d")}
    LEFT JOIN badge_definition_versions v ON v.id = a.badge_definition_id AND NOT v.deleted
        AND v.version = coalesce(a.tier_version, a.definition_version)
    WHERE a.peer_mentor_id = $1 AND ($2 OR a.revoked_at IS NULL)
        AND ($3::uuid IS NULL OR a.badge_definition_id > $3)
    ORDER BY a.badge_definition_id LIMIT $4
"""


class Held(Struct, frozen=True):
    """An award, with its definition as it is now."""

    badge_definition_id: UUID
    key: str
    name: str
    description: str
    icon: str | None
    tier: str | None
    earned_on: date
    earned_at: datetime
    tier_earned_on: date | None
    awarded_by: str
    definition_version: int | None
    evidence: str
    """As JSON: whoever awards by SQL may have written anything."""
    counted: Sequence[str]
    """The JSON paths of the criteria that the evidence has counts of."""
    revoked_at: datetime | None
    revoked_by: str | None
    criteria: str | None
    """Of the version that gave the award, or its tier; None where that is not on record."""


async def held(
    connection: Executor, peer_mentor_id: UUID, after: UUID | None, most: int, *, revoked: bool
) -> list[Held]:
    """At most so many, by definition id, of those after an id; revoked ones only if asked for."""
    rows = await connection.fetch(_HELD, peer_mentor_id, revoked, after, most)
    return [Held(**row) for row in rows]
