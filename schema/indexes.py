"""Indexes of tables that hold rows, built before the transaction: writers go on meanwhile."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from schema import locks
from schema.database import first_line
from schema.wanted import WANTED
from sinks.locks import Tell
from sinks.pool import Connection
from streams.errors import FOUND_A_PROBLEM, Problem

_IS_TABLE = "SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass($1) AND relkind = 'r')"

_IS_LACKING = """
SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass($2) AND relkind = 'r')
    AND NOT EXISTS (
        SELECT FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
        WHERE c.oid = to_regclass('public.' || $1::text) AND coalesce(i.indisvalid, true))
"""

_IS_INVALID = """
SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid)
"""

_IN_THE_MAKING = """
SELECT EXISTS (SELECT FROM pg_stat_progress_create_index
               WHERE index_relid = to_regclass('public.' || $1))
"""

_DEPENDENT = "badges_private.mend_activities_index()"
_POLL_S = 0.2


@dataclass(frozen=True)
class Build:
    """An index that is missing or was left invalid, and the statements that build it."""

    name: str
    table: str
    statements: tuple[str, ...]

    @property
    def where(self) -> str:
        """As the difference of it is called."""
        return f"index {self.name} on {self.table}"


async def missing(connection: Connection) -> list[Build]:
    """The indexes that a table which exists lacks, or has half. Looks at no row."""
    found = []
    for wanted in WANTED.things:
        if wanted.kind == "index" and await connection.fetchval(
            _IS_LACKING, wanted.name, wanted.table
        ):
            found.append(Build(wanted.name, wanted.table, (wanted.statement.removesuffix(";"),)))
    return [*found, *await _dependent(connection)]


async def worth_building(connection: Connection, builds: Sequence[Build]) -> list[Build]:
    """Those of them on tables that hold rows, or that an interrupted build left behind."""
    return [
        each
        for each in builds
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {each.table})")
        or await connection.fetchval(_IS_INVALID, f"public.{each.name}")
    ]


async def build(
    connection: Connection, builds: Sequence[Build], *, tell: Tell, patience_s: float
) -> list[Build]:
    """Build them one by one; returns those that were. Writers of the tables wait for nothing.

    It waits itself for every transaction that is older. Raises Problem when one of them is open for
    longer than `patience_s`; what was begun then is invalid, and built anew the next time.
    """
    before = await connection.fetchval("SHOW lock_timeout")
    await connection.execute(f"SET lock_timeout = '{int(patience_s * 1000)}ms'")
    try:
        return [each for each in builds if await _build(connection, each, tell)]
    finally:
        if not connection.is_closed():
            await connection.execute(f"SET lock_timeout = '{before}'")


async def _dependent(connection: Connection) -> list[Build]:
    """The one index whose columns depend on the table, by the function that tells it."""
    name, table = "activities_mentor_date_type_idx", "public.activities"
    (tells,) = (each for each in WANTED.things if each.name == _DEPENDENT)
    # Before it is there, it is asked by its body.
    statements = await connection.fetchval(tells.statement.split("$function$")[1])
    if not statements or not await connection.fetchval(_IS_TABLE, table):
        return []
    return [Build(name, table, tuple(statements.rstrip(";").split("; ")))]


async def _build(connection: Connection, wanted: Build, tell: Tell) -> bool:
    while await connection.fetchval(_IN_THE_MAKING, wanted.name):  # noqa: ASYNC110
        await asyncio.sleep(_POLL_S)
    if await connection.fetchval(_IS_INVALID, f"public.{wanted.name}"):
        tell(f"Dropping {wanted.where}, which an interrupted build left invalid.")
        await _run(connection, wanted, f"DROP INDEX public.{wanted.name}")
    tell(
        f"Building {wanted.where}. Nobody is kept from writing; it waits for transactions that "
        "are open now."
    )
    try:
        for statement in wanted.statements:
            await _run(connection, wanted, statement)
    except asyncpg.UndefinedColumnError:
        # A migration adds the column, and builds the index with it.
        return False
    return True


async def _run(connection: Connection, wanted: Build, statement: str) -> None:
    try:
        await connection.execute(statement.replace("INDEX", "INDEX CONCURRENTLY", 1))
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
        table = wanted.table.removeprefix("public.")
        why = await locks.holders(connection, [table]) or first_line(error)
        raise Problem(
            f"{wanted.where} is not built, for older transactions do not end: {why}",
            hint=locks.AGAIN,
            code=FOUND_A_PROBLEM,
        ) from error
