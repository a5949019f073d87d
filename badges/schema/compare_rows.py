"""Rows that are there already and that no constraint of ours would accept."""

from collections.abc import Collection

from badges.schema import catalog, duplicates
from badges.schema.differences import Difference
from sinks.pool import Connection

_SAME_KEY = """
SELECT coalesce(organization_id::text, 'every organization') AS organization, key,
       count(*)::int AS number, string_agg(id::text, ', ' ORDER BY id) AS ids
FROM public.badge_definitions GROUP BY organization_id, key HAVING count(*) > 1
ORDER BY 1, 2 LIMIT 20
"""

_STATUS = """
SELECT DISTINCT status FROM public.badge_definitions
WHERE status NOT IN ('draft', 'active', 'retired') ORDER BY 1 LIMIT 20
"""

_ZONES = """
SELECT id::text, timezone FROM public.organizations
WHERE timezone NOT IN (SELECT name FROM pg_timezone_names) ORDER BY id LIMIT 20
"""

_TOGETHER = (
    ("tier", "tier_earned_at", "earned_at"),
    ("revoked_at", "revoked_by", "current_user"),
    ("revoked_by", "revoked_at", "now()"),
)
"""Columns of awards of which an older table has one alone: that, the other, and what it gets."""


async def compare(connection: Connection) -> list[Difference]:
    """Keys used twice, unknown statuses and zones (which stop), awards held twice.

    The tables that exist must have their shape.
    """
    found = await catalog.relations(
        connection, ["organizations", "badge_definitions", "badge_awards"]
    )
    differences: list[Difference] = []
    if "badge_definitions" in found:
        differences += await _definitions(connection)
    if "organizations" in found:
        differences += await _organizations(connection)
    if "badge_awards" in found:
        differences += await _awards(connection, found["badge_awards"].columns)
    return differences


async def _definitions(connection: Connection) -> list[Difference]:
    same = [
        Difference(
            "public.badge_definitions",
            f"{row['number']} definitions of {row['organization']} have the key {row['key']!r}: "
            f"{row['ids']}",
            "one definition a key and organization",
            "UPDATE public.badge_definitions SET key = key || '-' || left(id::text, 8) "
            "WHERE id = '...';",
            consequence="stop",
        )
        for row in await connection.fetch(_SAME_KEY)
    ]
    unknown = [
        Difference(
            "public.badge_definitions.status",
            f"has the value {row['status']!r}",
            "draft, active or retired",
            await connection.fetchval(
                "SELECT format('UPDATE public.badge_definitions SET status = ''draft'' "
                "WHERE status = %L;', $1::text)",
                row["status"],
            ),
            consequence="stop",
        )
        for row in await connection.fetch(_STATUS)
    ]
    return same + unknown


async def _organizations(connection: Connection) -> list[Difference]:
    return [
        Difference(
            "public.organizations.timezone",
            f"{row['timezone']!r} of organization {row['id']} is no known time zone",
            "an IANA name, spelled exactly",
            f"UPDATE public.organizations SET timezone = 'Europe/Oslo' WHERE id = '{row['id']}';",
            consequence="stop",
        )
        for row in await connection.fetch(_ZONES)
    ]


async def _awards(connection: Connection, columns: Collection[str]) -> list[Difference]:
    differences = []
    for has, lacks, value in _TOGETHER:
        other = lacks if lacks in columns else "NULL"
        if has in columns and await connection.fetchval(
            f"SELECT EXISTS (SELECT FROM public.badge_awards "
            f"WHERE {has} IS NOT NULL AND {other} IS NULL)"
        ):
            differences.append(_half(has, lacks, value))
    return differences + [
        Difference(
            f"public.badge_awards {award.id}",
            f"mentor {award.peer_mentor_id} holds badge {award.badge_definition_id} "
            f"already, by award {award.kept_id}",
            "one award a mentor and definition",
            f"DELETE FROM public.badge_awards WHERE id = '{award.id}';",
        )
        for award in await duplicates.find(connection)
    ]


def _half(has: str, lacks: str, value: str) -> Difference:
    kind = "text" if lacks == "revoked_by" else "timestamptz"
    return Difference(
        f"public.badge_awards.{has}",
        f"is set where {lacks} is not",
        "both or neither",
        f"ALTER TABLE public.badge_awards ADD COLUMN IF NOT EXISTS {lacks} {kind};\n"
        f"UPDATE public.badge_awards SET {lacks} = {value} "
        f"WHERE {has} IS NOT NULL AND {lacks} IS NULL;",
        consequence="stop",
    )
