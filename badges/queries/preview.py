"""Preview: who would hold a badge by some criteria, and whom an edit gives it or takes it from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from asyncpg import Record
from msgspec import Struct

from badges.queries.dates import near_date
from badges.queries.tenancy import is_own
from sinks.pool import Connection

# Frozen, whatever the criteria: mentors who are not active, and awards that somebody took away.
_PREVIEW: Final = f"""
    WITH mentors AS MATERIALIZED (
        SELECT coalesce(array_agg(m.id), '{{}}') AS ids
        FROM peer_mentors m
        WHERE {is_own("m")} AND m.active IS NOT FALSE
            AND NOT EXISTS (
                SELECT FROM badge_awards a
                WHERE a.peer_mentor_id = m.id AND a.badge_definition_id = $5
                    AND a.revoked_by <> 'rule')
    ),
    compared AS MATERIALIZED (
        SELECT peer_mentor_id, coalesce(new.earned_on, old.earned_on) AS earned_on,
               CASE WHEN new.earned_on IS NULL THEN old.tier ELSE new.tier END AS tier,
               array_remove(ARRAY[
                   CASE WHEN new.earned_on IS NOT NULL THEN 'items' END,
                   CASE WHEN old.earned_on IS NULL THEN 'gains' END,
                   CASE WHEN new.earned_on IS NULL THEN 'losses' END], NULL) AS lists
        FROM (
            SELECT h.* FROM mentors
            CROSS JOIN LATERAL badges_private.holders(mentors.ids, $1::text::jsonb, $2) AS h
        ) AS new
        FULL JOIN (
            SELECT h.* FROM mentors
            CROSS JOIN LATERAL badges_private.holders(mentors.ids, $3::text::jsonb, $4) AS h
            WHERE $3::text IS NOT NULL
        ) AS old USING (peer_mentor_id)
    )
    SELECT list.name AS list, whole.count, found.peer_mentor_id, found.display_name,
           {near_date("found.earned_on")} AS earned_on, found.tier
    FROM (VALUES ('items'), ('gains'), ('losses')) AS list (name)
    CROSS JOIN LATERAL (
        SELECT count(*) FROM compared c WHERE list.name = ANY (c.lists)
    ) AS whole
    LEFT JOIN LATERAL (
        SELECT c.peer_mentor_id, m.display_name, c.earned_on, c.tier
        FROM compared c
        JOIN peer_mentors m ON m.id = c.peer_mentor_id
        WHERE list.name = ANY (c.lists) AND ($6::uuid IS NULL OR c.peer_mentor_id > $6)
        ORDER BY c.peer_mentor_id LIMIT $7
    ) AS found ON true
    ORDER BY found.peer_mentor_id
"""


class ComparedRule(Struct, frozen=True):
    """Valid criteria as JSON, and from which date rows count for them."""

    criteria: str
    counts_from: date | None


@dataclass(frozen=True)
class WouldHold:
    """A mentor for whom criteria hold."""

    peer_mentor_id: UUID
    display_name: str | None
    earned_on: date
    tier: str | None


@dataclass(frozen=True)
class Difference:
    """How many mentors, and the first of them behind `after`, by id."""

    count: int
    items: list[WouldHold]


async def preview(
    connection: Connection,
    new: ComparedRule,
    old: ComparedRule | None,
    *,
    definition_id: UUID | None,
    after: UUID | None,
    limit: int,
) -> list[Difference]:
    """Compare two rules for the active mentors of the organization that the connection acts for.

    For whom the new one holds, for whom it alone holds, and for whom the old one alone does: of
    each the first mentors are given whose id is above `after`. Without old criteria that are ever
    evaluated everybody gains. Awards of the definition that somebody took away stay so.
    """
    rows = await connection.fetch(
        _PREVIEW,
        *(new.criteria, new.counts_from),
        *((None, None) if old is None else (old.criteria, old.counts_from)),
        *(definition_id, after, limit),
    )
    return [_listed(rows, name) for name in ("items", "gains", "losses")]


def _listed(rows: Sequence[Record], name: str) -> Difference:
    mine = [row for row in rows if row["list"] == name]
    found = [
        WouldHold(row["peer_mentor_id"], row["display_name"], row["earned_on"], row["tier"])
        for row in mine
        if row["peer_mentor_id"] is not None
    ]
    return Difference(mine[0]["count"], found)
