"""What Postgres keeps about a person: the rows, as JSON. It is told here and not changed."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from uuid import UUID

from badges.privacy.own_tables import OWN_TABLES, SOURCES, OwnTable
from badges.privacy.person import UUIDS, Person
from sinks.pool import Connection
from streams.records import is_uuid

_WITH_IDS = ("activities", "training_completions", "mentor_pauses", "badge_awards")
"""Tables whose rows a mentor's records, alerts and dead letters name."""

_BATCH = 500
"""Rows that are fetched at a time."""


async def show_all_rows(connection: Connection) -> None:
    """From now on a policy that would hide rows is an error: nobody is gone who is only hidden."""
    await connection.execute("SET row_security = off")


async def is_there(connection: Connection, mentor: str) -> bool:
    """Whether the application has the mentor's row."""
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM peer_mentors WHERE id = $1)", UUID(mentor)
    )
    return bool(found)


async def own_tables(connection: Connection) -> dict[str, OwnTable]:
    """Those of our tables that this database has; an older version's lacks the newest."""
    rows = await connection.fetch(
        "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL",
        list(OWN_TABLES),
    )
    there = {row["name"] for row in rows}
    return {name: own_table for name, own_table in OWN_TABLES.items() if name in there}


def tables_of_mentors(known: Mapping[str, OwnTable]) -> Iterator[tuple[str, str]]:
    """Each table with rows that are a mentor's, and its column with the mentor's id."""
    for name, column in SOURCES.items():
        yield f"public.{name}", column
    for name, own_table in known.items():
        if own_table.mentor:
            yield name, own_table.mentor


async def own_rows(
    connection: Connection, table: str, column: str, mentor: str
) -> AsyncIterator[str]:
    """The mentor's rows of a table, whole. It needs a transaction."""
    # A badge says more to its holder by its name than by its id.
    named = (
        """|| coalesce((SELECT jsonb_build_object('badge_key', d.key, 'badge_name', d.name)
            FROM public.badge_definitions d WHERE d.id = t.badge_definition_id), '{}')"""
        if table == "public.badge_awards"
        else ""
    )
    query = f"SELECT (to_jsonb(t) {named})::text AS row FROM {table} t WHERE {column} = $1"
    async for row in connection.cursor(query, UUID(mentor), prefetch=_BATCH):
        yield row["row"]


async def own_ids(connection: Connection, mentor: str) -> set[str]:
    """The ids of the mentor's rows that are there, awards included."""
    rows = await connection.fetch(
        " UNION ALL ".join(
            f"SELECT id::text AS id FROM public.{table} WHERE peer_mentor_id = $1"
            for table in _WITH_IDS
        ),
        UUID(mentor),
    )
    return {row["id"] for row in rows}


async def person(connection: Connection, mentor: str, rows: Collection[str]) -> Person:
    """The mentor with those of the rows that are not somebody else's by now: rows may move."""
    others = await connection.fetch(
        " UNION ALL ".join(
            f"SELECT id::text AS id FROM public.{table} "
            "WHERE id = ANY ($1::text[]::uuid[]) AND peer_mentor_id <> $2"
            for table in _WITH_IDS
        ),
        [row for row in rows if is_uuid(row)],
        UUID(mentor),
    )
    return Person(mentor, frozenset(rows) - {row["id"] for row in others})


async def mentions(
    connection: Connection, table: str, own_table: OwnTable, person: Person
) -> list[tuple[str, str, list[str]]]:
    """Rows of a table whose words name the person: key, the row, and by what they do."""
    words = ", ".join(f"t.{column}::text" for column in own_table.words)
    rows = await connection.fetch(
        f"""
        SELECT t.{own_table.key}::text AS key, to_jsonb(t)::text AS row, named
        FROM {table} t CROSS JOIN LATERAL (SELECT concat_ws(' ', {words}) AS said) AS words
        CROSS JOIN LATERAL (
            SELECT array_agg(DISTINCT found[1]) AS named FROM (
                SELECT found FROM regexp_matches(said, '{UUIDS}', 'gi') AS found
                WHERE lower(found[1]) = ANY ($1::text[])
                UNION ALL
                SELECT found FROM regexp_matches(said, $2, 'gi') AS found) AS all_found) AS looked
        WHERE named IS NOT NULL ORDER BY t.{own_table.key}
        """,
        list(person.ids),
        person.names_pattern,
    )
    return [(row["key"], row["row"], row["named"]) for row in rows]


async def found_awards(connection: Connection, table: str, column: str, mentor: str) -> list[str]:
    """The person's elements of a table's list of awards."""
    rows = await connection.fetch(
        f"SELECT e.each::text AS element FROM {table} t, json_array_elements(t.{column}) e (each) "
        "WHERE e.each -> 'award' ->> 'peer_mentor_id' = $1",
        mentor,
    )
    return [row["element"] for row in rows]


async def acts(
    connection: Connection, known: Mapping[str, OwnTable], mentor: str
) -> dict[str, int]:
    """How often, by table and column, the person did something that is not about themselves."""
    found: dict[str, int] = {}
    for table, own_table in known.items():
        aside = f"AND {own_table.mentor}::text <> $1" if own_table.mentor else ""
        for column in own_table.actors:
            number = await connection.fetchval(
                f"SELECT count(*) FROM {table} WHERE lower({column}) = $1 {aside}", mentor
            )
            if number:
                found[f"{table.partition('.')[2]}.{column}"] = number
    return found


async def everybodys_ids(connection: Connection) -> Collection[str]:
    """The ids of badges and organizations, which are no person's."""
    rows = await connection.fetch(
        "SELECT id::text AS id FROM badge_definitions UNION ALL SELECT id::text FROM organizations"
    )
    return {row["id"] for row in rows}
