"""How far a mentor is with each badge that applies, from the rows as they are now."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from uuid import UUID

from msgspec import Struct

from sinks.pool import Executor
from tables.criteria.base import Criterion
from tables.criteria.parsing import parse_saved

_PROGRESS = """
    SELECT badge_definition_id, key, coalesce(name, '') AS name, criteria::text, held, tier,
           amounts, at_risk
    FROM badges_private.progress($1, $2, $3)
"""


class BadgeAmounts(Struct, frozen=True):
    """One badge, and what its criteria amount to; both by the criteria's JSON paths."""

    badge_definition_id: UUID
    key: str
    name: str
    criteria: Criterion | None
    """None where they are not valid: the badge is set aside."""
    held: bool
    tier: str | None
    amounts: Mapping[str, int]
    at_risk: Mapping[str, date]
    """The last days of the streaks that end with the period that today falls in."""


async def progress(
    connection: Executor, peer_mentor_id: UUID, after: UUID | None, most: int
) -> list[BadgeAmounts]:
    """At most so many badges, by definition id, of those after an id."""
    return [
        BadgeAmounts(
            badge_definition_id=row["badge_definition_id"],
            key=row["key"],
            name=row["name"],
            criteria=None if row["amounts"] is None else _parsed(row["criteria"]),
            held=row["held"],
            tier=row["tier"],
            amounts=row["amounts"] or {},
            at_risk={path: date.fromisoformat(day) for path, day in row["at_risk"].items()},
        )
        for row in await connection.fetch(_PROGRESS, peer_mentor_id, after, most)
    ]


_parsed = lru_cache(maxsize=1 << 8)(parse_saved)
"""Whoever asks again asks for the same definitions."""
