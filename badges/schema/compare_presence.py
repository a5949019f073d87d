"""Tables that are missing where an application has others, or these elsewhere: a word is asked for.

A table that `migrate` creates stays empty if the application keeps its rows elsewhere, and nobody
is awarded anything.
"""

from collections.abc import Sequence

from asyncpg import Record

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

# Of those names that schema public lacks.
_ELSEWHERE = """
SELECT quote_ident(n.nspname) AS schema,
       string_agg(c.relname, ', ' ORDER BY wanted.place) AS names,
       string_agg(format('ALTER TABLE %s.%s SET SCHEMA public;', quote_ident(n.nspname), c.relname),
                  E'\\n' ORDER BY wanted.place) AS moves
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
JOIN pg_class c ON c.relname = wanted.name AND c.relkind IN ('r', 'p', 'f')
    AND NOT c.relispartition
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('public', 'information_schema')
    AND to_regclass('public.' || wanted.name) IS NULL
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                    AND d.objid = c.oid AND d.deptype = 'e')
GROUP BY n.nspname ORDER BY n.nspname
"""


async def compare(connection: Connection) -> list[Difference]:
    """The source tables that are missing, if an application may have them by another name.

    That is in another schema, or among tables that are neither these nor ours.
    """
    theirs = [name for name in tables(SOURCE) if name != NOT_THEIRS]
    missing = [row["name"] for row in await connection.fetch(_MISSING, theirs)]
    others = [row["name"] for row in await connection.fetch(_OTHERS, list(tables(SOURCE + RESULT)))]
    if not missing:
        return []
    schemas = await connection.fetch(_ELSEWHERE, list(tables(SOURCE)))
    if schemas:
        return [_elsewhere(missing, schemas)]
    if not others:
        return []
    shown = ", ".join(others[:_SHOWN])
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    found = f"and tables that look like an application's: {shown}{more}"
    return [_asked(missing, found, "under these names, which is for you to do", CREATE)]


def _elsewhere(missing: Sequence[str], schemas: Sequence[Record]) -> Difference:
    """Tables of these names in other schemas; they can be moved where it is known which."""
    found = "but " + "; ".join(f"schema {row['schema']} has {row['names']}" for row in schemas)
    if len(schemas) > 1:
        return _asked(missing, found, "in schema public, which is for you to do", CREATE)
    (row,) = schemas
    path = f"in schema public, with the search_path {row['schema']}, public for what writes them"
    return _asked(missing, found, path, row["moves"], word=f" (`{CREATE}`)")


def _asked(
    missing: Sequence[str], found: str, where: str, statement: str, word: str = ""
) -> Difference:
    names = ", ".join(missing)
    return Difference(
        "schema public",
        f"has no {names}, {found}",
        f"the application's tables {where}; or your word{word} that {names} are to be created, "
        "empty",
        statement,
        consequence="stop",
        spoils_log=True,
    )
