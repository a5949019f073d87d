"""Indexes of tables that hold rows, built before the transaction: writers go on meanwhile."""

import asyncio
from collections.abc import Sequence

import asyncpg

from schema import locks
from schema.database import first_line
from schema.statements import split
from schema.wanted import WANTED, Thing
from sinks.locks import Tell
from sinks.pool import Connection
from streams.errors import FOUND_A_PROBLEM, Failure

# Of those that are wanted, the ones that a table which exists lacks, or has half.
_LACKING = """
SELECT name FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (name, "table", place)
WHERE EXISTS (SELECT FROM pg_class WHERE oid = to_regclass("table") AND relkind = 'r')
    AND NOT EXISTS (
        SELECT FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
        WHERE c.oid = to_regclass('public.' || name) AND coalesce(i.indisvalid, true))
ORDER BY place
"""

_IS_INVALID = """
SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid)
"""

_IN_THE_MAKING = """
SELECT EXISTS (SELECT FROM pg_stat_progress_create_index
               WHERE index_relid = to_regclass('public.' || $1))
"""

_IS_TABLE = "SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass($1) AND relkind = 'r')"

_TELLS_STATEMENTS = "badges_private.mend_activities_index()"
_POLL_S = 0.2


async def missing(connection: Connection) -> list[Thing]:
    """The indexes that a table which exists lacks, or has half. Looks at no row."""
    wanted = {each.name: each for each in WANTED.things if each.kind == "index"}
    tables = [each.table for each in wanted.values()]
    lacking = await connection.fetch(_LACKING, list(wanted), tables)
    return [*(wanted[row["name"]] for row in lacking), *await _by_table(connection)]


async def _by_table(connection: Connection) -> list[Thing]:
    """The one index whose columns depend on the table, as a function of ours tells it."""
    tells = next(each for each in WANTED.things if each.name == _TELLS_STATEMENTS)
    # Before it is there, it is asked by its body.
    statement = await connection.fetchval(tells.statement.split("$function$")[1])
    if not statement or not await connection.fetchval(_IS_TABLE, "public.activities"):
        return []
    name = "activities_mentor_date_type_idx"
    return [Thing("index", name, "public.activities", statement=statement)]


async def worth_building(connection: Connection, indexes: Sequence[Thing]) -> list[Thing]:
    """Those of them on tables that hold rows, or that an interrupted build left behind."""
    return [
        each
        for each in indexes
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {each.table})")
        or await connection.fetchval(_IS_INVALID, f"public.{each.name}")
    ]


async def build(
    connection: Connection, indexes: Sequence[Thing], *, tell: Tell, patience_s: float
) -> set[str]:
    """Build them one by one; returns those that were, as differences call them.

    Writers of the tables wait for nothing. It waits itself for every transaction that is older.
    Raises Failure when one of them is open for longer than `patience_s`; what was begun then is
    invalid, and built anew the next time.
    """
    before = await connection.fetchval("SHOW lock_timeout")
    await connection.execute(f"SET lock_timeout = '{int(patience_s * 1000)}ms'")
    try:
        return {_where(each) for each in indexes if await _build(connection, each, tell)}
    finally:
        if not connection.is_closed():
            await connection.execute(f"SET lock_timeout = '{before}'")


def _where(index: Thing) -> str:
    return f"index {index.name} on {index.table}"


async def _build(connection: Connection, wanted: Thing, tell: Tell) -> bool:
    while await connection.fetchval(_IN_THE_MAKING, wanted.name):  # noqa: ASYNC110
        await asyncio.sleep(_POLL_S)
    if await connection.fetchval(_IS_INVALID, f"public.{wanted.name}"):
        tell(f"Dropping {_where(wanted)}, which an interrupted build left invalid.")
        await _run(connection, wanted, f"DROP INDEX public.{wanted.name}")
    tell(
        f"Building {_where(wanted)}. Writers go on meanwhile; it waits for transactions that are "
        "open now."
    )
    try:
        for statement in split(wanted.statement):
            await _run(connection, wanted, statement)
    except asyncpg.UndefinedColumnError:
        # A migration adds the column, and builds the index with it.
        return False
    return True


async def _run(connection: Connection, wanted: Thing, statement: str) -> None:
    try:
        await connection.execute(statement.replace("INDEX", "INDEX CONCURRENTLY", 1))
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
        table = wanted.table.removeprefix("public.")
        why = await locks.holders(connection, [table]) or first_line(error)
        raise Failure(
            f"{_where(wanted)} is not built, for older transactions do not end: {why}",
            hint=locks.AGAIN,
            code=FOUND_A_PROBLEM,
        ) from error
