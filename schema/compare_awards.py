"""Awards that are there already and that no constraint of ours would accept."""

from schema import catalog, duplicates
from schema.differences import Difference
from sinks.pool import Connection

_TOGETHER = (
    ("tier", "tier_earned_at", "earned_at"),
    ("revoked_at", "revoked_by", "current_user"),
    ("revoked_by", "revoked_at", "now()"),
)
"""Columns of awards of which an older table has one alone: that, the other, and what it gets."""


async def compare(connection: Connection) -> list[Difference]:
    """Awards of which one of two columns is set, and awards that are held twice.

    The table, where it exists, must have its shape.
    """
    found = await catalog.relations(connection, ["badge_awards"])
    if not found:
        return []
    columns = found["badge_awards"].columns
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
