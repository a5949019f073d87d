"""Definitions and organizations that were saved while their triggers were off."""

from badges.schema.differences import Difference
from sinks.pool import Connection

_CAN_LOOK = """
SELECT to_regprocedure('badges_private.missed_versions()') IS NOT NULL AND (
    SELECT bool_and(to_regclass('public.' || name) IS NOT NULL)
    FROM unnest(ARRAY['organizations', 'organization_versions', 'badge_definitions',
                      'badge_definition_versions']) AS name)
"""

_MISSED = "SELECT kind, id::text, what FROM badges_private.missed_versions() ORDER BY 1, 2"

_TABLES = {"definition": "badge_definitions", "organization": "organizations"}

_FOUND = {
    "inserted": "was inserted, and no version is recorded",
    "changed": "was changed, and no version of that is recorded",
    "deleted": "was deleted, and no version of that is recorded",
    "renumbered": "has another number than its newest version",
}


async def compare(connection: Connection) -> list[Difference]:
    """Rows that differ from their newest version; none where nothing was ever recorded."""
    if not await connection.fetchval(_CAN_LOOK):
        return []
    return [
        Difference(
            f"public.{_TABLES[row['kind']]} {row['id']}",
            _FOUND[row["what"]],
            "a version of what it is now, for the workers to decide by",
            "SELECT badges_private.record_missed_versions();",
        )
        for row in await connection.fetch(_MISSED)
    ]
