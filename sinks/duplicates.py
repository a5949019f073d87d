"""Awards that one mentor holds twice, which only the lack of the unique constraint allows.

The earliest of a mentor and definition stays; what goes is told as an alert.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sinks.pool import Connection, Executor
from sinks.queries import QUERIES

NAMED_AT_MOST = 20

# Between the look and the removal nobody may delete the award that was to stay, or write another.
_KEEP_WRITERS_OUT = "LOCK TABLE public.badge_awards IN SHARE ROW EXCLUSIVE MODE"

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


@dataclass(frozen=True)
class Duplicate:
    """An award of a mentor and definition, and the earlier one of theirs that stays."""

    id: str
    peer_mentor_id: str
    badge_definition_id: str
    earned_at: datetime
    kept_id: str

    def sentence(self) -> str:
        return (
            f"award {self.id}: mentor {self.peer_mentor_id} holds badge "
            f"{self.badge_definition_id} by the earlier award {self.kept_id}."
        )


async def find(connection: Executor) -> list[Duplicate]:
    rows = await connection.fetch(QUERIES["duplicate_awards"])
    return [Duplicate(**dict(row.items())) for row in rows]


def detail(found: Sequence[Duplicate]) -> dict[str, object]:
    return {
        "number": len(found),
        "rows": [
            {
                "id": each.id,
                "kept_id": each.kept_id,
                "peer_mentor_id": each.peer_mentor_id,
                "badge_definition_id": each.badge_definition_id,
            }
            for each in found[:NAMED_AT_MOST]
        ],
    }


async def remove(connection: Connection, *, dry_run: bool = False) -> list[Duplicate]:
    """Remove every award but the earliest of its mentor and definition; returns what went.

    A dry run only returns it. Nothing goes where there is no table of awards yet. Until the
    transaction ends others may read awards, and write none.
    """
    found = await find(connection) if await _is_there(connection, "badge_awards") else []
    if found and not dry_run:
        await connection.execute(_KEEP_WRITERS_OUT)
        # Somebody else may have removed them while we waited for the lock.
        found = await find(connection)
    if found and not dry_run:
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
        await connection.execute(_TELL, json.dumps({"message": message, **detail(removed)}))
        await connection.execute(_RESOLVE)


async def _is_there(connection: Connection, table: str) -> bool:
    return bool(await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"public.{table}"))
