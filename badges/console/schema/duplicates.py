"""Awards that one mentor holds twice, from before the unique constraint: the earliest stays."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from badges.sinks.pool import Connection


@dataclass(frozen=True)
class Duplicate:
    """An award that goes, and the earlier one of the same mentor and definition that stays."""

    id: str
    peer_mentor_id: str
    badge_definition_id: str
    earned_at: datetime
    kept_id: str

    def sentence(self) -> str:
        """Which award it is, and why it goes."""
        return (
            f"award {self.id}: mentor {self.peer_mentor_id} holds badge "
            f"{self.badge_definition_id} by the earlier award {self.kept_id}."
        )


_FIND = """
SELECT id::text, peer_mentor_id::text, badge_definition_id::text, earned_at, kept_id::text
FROM (
    SELECT id, peer_mentor_id, badge_definition_id, earned_at,
           row_number() OVER pair AS place, first_value(id) OVER pair AS kept_id
    FROM public.badge_awards
    WINDOW pair AS (PARTITION BY peer_mentor_id, badge_definition_id ORDER BY earned_at, id)
) AS ranked
WHERE place > 1
ORDER BY peer_mentor_id, badge_definition_id, place
"""


async def find(connection: Connection) -> list[Duplicate]:
    """The awards that `remove` would remove; none where the table is missing."""
    if not await connection.fetchval("SELECT to_regclass('public.badge_awards') IS NOT NULL"):
        return []
    return [Duplicate(**dict(row.items())) for row in await connection.fetch(_FIND)]


async def remove(connection: Connection) -> Sequence[Duplicate]:
    """Remove every award but the earliest of its mentor and definition; returns what went."""
    found = await find(connection)
    if found:
        await connection.execute(
            "DELETE FROM public.badge_awards WHERE id = ANY ($1::text[]::uuid[])",
            [each.id for each in found],
        )
    return found
