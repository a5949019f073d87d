"""What Postgres still has of a person whose row is gone: counted, and removed."""

from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from badges.privacy import kept
from badges.privacy.own_tables import SOURCES, OwnTable
from badges.privacy.person import FORGOTTEN, Person, any_of
from sinks.pool import Connection


async def left_in_sources(connection: Connection, mentor: str) -> dict[str, int]:
    """The application's rows that name a mentor who is gone: no foreign key took them along."""
    counts = {
        table: await _count(connection, f"public.{table}", column, mentor)
        for table, column in SOURCES.items()
    }
    return {table: number for table, number in counts.items() if number}


async def found(
    connection: Connection, known: Mapping[str, OwnTable], person: Person
) -> Counter[str]:
    """How many rows of each of our tables are the person's, or name them."""
    counts: Counter[str] = Counter()
    for table, own_table in known.items():
        if own_table.mentor:
            counts[table] += await _count(connection, table, own_table.mentor, person.mentor)
        if own_table.words:
            counts[table] += len(await kept.mentions(connection, table, own_table, person))
        if own_table.found:
            rest = await kept.found_awards(connection, table, own_table.found, person.mentor)
            counts[table] += len(rest)
    return +counts


async def erase(
    connection: Connection, known: Mapping[str, OwnTable], person: Person
) -> Counter[str]:
    """Remove the person's rows from our tables, and their ids from words; how many of each table.

    It needs a transaction, in which the mentor's row is known to be gone.
    """
    counts: Counter[str] = Counter()
    for table, own_table in known.items():
        if own_table.mentor:
            done = await connection.execute(
                f"DELETE FROM {table} WHERE {own_table.mentor} = $1 "
                "AND NOT EXISTS (SELECT FROM public.peer_mentors WHERE id = $1)",
                UUID(person.mentor),
            )
            counts[table] += int(done.rpartition(" ")[2])
        for column in own_table.words:
            alone = OwnTable(key=own_table.key, words=(column,))
            for key, _, named in await kept.mentions(connection, table, alone, person):
                await _mask(connection, table, own_table.key, key, column, named)
                counts[table] += 1
        if own_table.found:
            counts[table] += await _take_out(connection, table, own_table.found, person.mentor)
    return +counts


async def _count(connection: Connection, table: str, column: str, mentor: str) -> int:
    query = f"SELECT count(*) FROM {table} WHERE {column} = $1"
    return int(await connection.fetchval(query, UUID(mentor)))


async def _mask(
    connection: Connection, table: str, key: str, row: str, column: str, named: list[str]
) -> None:
    type_ = await connection.fetchval(
        "SELECT format_type(atttypid, NULL) FROM pg_attribute "
        "WHERE attrelid = $1::regclass AND attname = $2",
        table,
        column,
    )
    await connection.execute(
        f"UPDATE {table} SET {column} = "
        f"regexp_replace({column}::text, $1, '{FORGOTTEN}', 'gi')::{type_} "
        f"WHERE {key}::text = $2",
        any_of(named),
        row,
    )


async def _take_out(connection: Connection, table: str, column: str, mentor: str) -> int:
    """Take the person's awards out of a list of {award}; how many they were."""
    number = len(await kept.found_awards(connection, table, column, mentor))
    if number:
        await connection.execute(
            f"""
            UPDATE {table} t SET {column} = (
                SELECT json_agg(each) FROM json_array_elements(t.{column}) e (each)
                WHERE each -> 'award' ->> 'peer_mentor_id' <> $1)
            WHERE {column}::text LIKE '%' || $1 || '%'
            """,
            mentor,
        )
    return number
