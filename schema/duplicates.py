"""Of the awards of one mentor and definition the earliest stays; what goes is told as an alert."""

import json
from collections.abc import Sequence

from sinks import duplicates
from sinks.duplicates import Duplicate
from sinks.pool import Connection

_REMOVE = "DELETE FROM public.badge_awards WHERE id = ANY ($1::text[]::uuid[])"

# The log had each of them, and of a mentor and badge the last that came is believed: so the one
# that stays comes once more. Its row does not change.
_SEND_AGAIN = "UPDATE public.badge_awards SET id = id WHERE id = ANY ($1::text[]::uuid[])"

# What the rule wrote is no news to the workers, but they may have believed the one that went in its
# place. A row that really changes is its writer's: that brings it back, and no turn takes it away.
_BRING_BACK = """
UPDATE public.badge_awards SET evidence = coalesce(evidence, '{}') || '{"held_twice": true}'
WHERE id = ANY ($1::text[]::uuid[]) AND changed_by = 'rule'
"""

_IS_STAMPED = "SELECT to_regprocedure('badges_private.stamp_award()') IS NOT NULL"

_TELL = """
INSERT INTO public.badge_alerts (kind, detail, resolved_at)
VALUES ('duplicate_awards', $1::text::jsonb, clock_timestamp())
"""

_RESOLVE = """
UPDATE public.badge_alerts SET resolved_at = clock_timestamp()
WHERE kind = 'duplicate_awards' AND resolved_at IS NULL
"""


async def find(connection: Connection) -> list[Duplicate]:
    """The awards that `remove` would remove; none where the table is missing."""
    return await duplicates.find(connection) if await _is_there(connection, "badge_awards") else []


async def remove(connection: Connection) -> Sequence[Duplicate]:
    """Remove every award but the earliest of its mentor and definition; returns what went."""
    found = await find(connection)
    if found:
        await connection.execute(_REMOVE, [each.id for each in found])
        kept = list({each.kept_id for each in found})
        await connection.execute(_SEND_AGAIN, kept)
        if await connection.fetchval(_IS_STAMPED):
            await connection.execute(_BRING_BACK, kept)
    return found


async def tell(connection: Connection, removed: Sequence[Duplicate]) -> None:
    """Leave an alert of what was removed, resolved since it is gone; and close those open of it."""
    if removed and await _is_there(connection, "badge_alerts"):
        message = f"{len(removed)} awards that were held twice were removed; the earliest stay"
        await connection.execute(
            _TELL, json.dumps({"message": message, **duplicates.detail(removed)})
        )
        await connection.execute(_RESOLVE)


async def _is_there(connection: Connection, table: str) -> bool:
    return bool(await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"public.{table}"))
