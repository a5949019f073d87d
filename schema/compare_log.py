"""Replica identities and publications: what Debezium can read, and what others' would break."""

from collections.abc import Mapping
from dataclasses import replace

from schema import checks, history
from schema.differences import Consequence, Difference
from schema.wanted import BY_MENTOR, WANTED
from sinks.pool import Connection

_PUBLISHED = """
SELECT tablename::text AS name, attnames::text[] AS columns, rowfilter AS filter
FROM pg_publication_tables WHERE schemaname = 'public' AND pubname = $1 ORDER BY tablename
"""

_OURS = """
SELECT pubinsert AND pubupdate AND pubdelete AS complete, puballtables AS everything
FROM pg_publication WHERE pubname = $1
"""

_ALL_THERE = """
SELECT bool_and(to_regclass('public.' || name) IS NOT NULL) FROM unnest($1::text[]) AS name
"""

_COLUMNS_THERE = """
SELECT bool_and(EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('public.' || name)
                        AND attname = wanted.column AND NOT attisdropped))
FROM unnest($1::text[], $2::text[]) AS wanted (name, "column")
"""


async def log_differences(connection: Connection, prefix: str) -> list[Difference]:
    """How identities and publications differ; somebody else's that does not fit stops."""
    ours = f"{prefix}_mentor_log"
    return [
        *await checks.run(connection, "identities"),
        *(replace(each, spoils_log=True) for each in await _publication(connection, ours)),
        *await checks.run(
            connection, "other_publications", values={"other_publications": (ours, BY_MENTOR)}
        ),
    ]


async def _publication(connection: Connection, name: str) -> list[Difference]:
    row = await connection.fetchrow(_OURS, name)
    where = f"publication {name}"
    tables = ", ".join(
        f"public.{table} ({', '.join(columns)})" for table, columns in WANTED.published.items()
    )
    if row is None:
        create = f'CREATE PUBLICATION "{name}" FOR TABLE {tables} '
        create += "WITH (publish = 'insert, update, delete');"
        return [Difference(where, "is missing", "the mentors' tables by column list", create)]
    drop = f'DROP PUBLICATION "{name}";'
    if row["everything"]:
        return [Difference(where, "is for all tables", "column lists", drop, "stop")]
    differences = []
    published = await connection.fetch(_PUBLISHED, name)
    found = {row["name"]: (set(row["columns"]), row["filter"]) for row in published}
    if found != _published_by(set(WANTED.published_since)):
        shown = "; ".join(f"{row['name']} ({', '.join(row['columns'])})" for row in published)
        found_as = f"has other tables, columns or row filters: {shown}"
        if not await connection.fetchval(_ALL_THERE, list(WANTED.published)):
            return [Difference(where, found_as, tables, drop, "stop")]
        older = _published_by(await history.applied(connection))
        if not await _has_columns(connection, older):
            # Somebody took a column away: once it is back there is something to list.
            return []
        mend = f'ALTER PUBLICATION "{name}" SET TABLE {tables};'
        consequence: Consequence = "mend" if found == older else "stop"
        differences.append(Difference(where, found_as, tables, mend, consequence))
    if not row["complete"]:
        differences.append(
            Difference(
                where,
                "leaves out inserts, updates or deletes",
                "insert, update, delete",
                f"ALTER PUBLICATION \"{name}\" SET (publish = 'insert, update, delete');",
                consequence="stop",
            )
        )
    return differences


async def _has_columns(
    connection: Connection, published: Mapping[str, tuple[set[str], None]]
) -> bool:
    wanted = [(table, name) for table, (names, _) in published.items() for name in names]
    return bool(await connection.fetchval(_COLUMNS_THERE, *map(list, zip(*wanted, strict=True))))


def _published_by(applied: set[str]) -> dict[str, tuple[set[str], None]]:
    """What the publication of a database with these migrations shows: columns, no row filter."""
    published, since = WANTED.published, WANTED.published_since
    missing = [tables for version, tables in since.items() if version not in applied]
    lacks = {table: {c for each in missing for c in each.get(table, ())} for table in published}
    return {table: (set(columns) - lacks[table], None) for table, columns in published.items()}
