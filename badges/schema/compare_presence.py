"""Tables that are missing where an application has tables of other names: a word is asked for.

A table that `migrate` creates stays empty if the application keeps its rows elsewhere, and nobody
is awarded anything.
"""

from badges.schema.differences import Difference
from badges.schema.shape import RESULT, SOURCE, tables
from sinks.pool import Connection

CREATE = "badges migrate --create"

NOT_THEIRS = "badge_definitions"
"""The one source table that an application without badges rightly lacks."""

_SHOWN = 12

_MISSING = """
SELECT name FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
WHERE to_regclass('public.' || name) IS NULL ORDER BY place
"""

# Neither what belongs to an extension, such as spatial_ref_sys, nor partitions.
_OTHERS = """
SELECT c.relname::text AS name FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'f')
    AND NOT c.relispartition AND c.relname <> ALL ($1)
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                    AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relname
"""


async def compare(connection: Connection) -> list[Difference]:
    """The source tables that are missing, if there are tables that are neither these nor ours."""
    theirs = [name for name in tables(SOURCE) if name != NOT_THEIRS]
    missing = [row["name"] for row in await connection.fetch(_MISSING, theirs)]
    others = [row["name"] for row in await connection.fetch(_OTHERS, list(tables(SOURCE + RESULT)))]
    if not missing or not others:
        return []
    shown = ", ".join(others[:_SHOWN])
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return [
        Difference(
            "schema public",
            f"has no {', '.join(missing)}, and tables that look like an application's: "
            f"{shown}{more}",
            "the application's tables under these names, which is for you to do; or your word that "
            f"{', '.join(missing)} are to be created, empty",
            CREATE,
            consequence="stop",
            spoils_log=True,
        )
    ]
