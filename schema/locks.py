"""Locks that nobody waits long for: asked for shortly, given up, and asked for again later.

Whoever wants to write while a lock is waited for queues behind the one who waits. So `migrate`
waits for half a second, lets the queue go, and tries once more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, repeat
from typing import TypeVar

import asyncpg

from schema.database import first_line
from schema.wanted import TABLES
from sinks.locks import Tell
from sinks.pool import Connection
from streams.errors import FOUND_A_PROBLEM, Failure

PATIENCE_S = 120.0
"""How long a lock is tried for, counted from the first attempt."""

AGAIN = (
    "Run `badges migrate` again when it is over, or end it: that is safe, for what was begun is "
    "undone or begun anew"
)

_PAUSES_S = (0.5, 1.0, 2.0)
_PAUSE_S = 3.0
_TELL_EVERY_S = 10.0

# Shorter than deadlock_timeout (1 s): where we and an application wait for each other, it is we who
# give way. It bounds each wait, and taking all tables together.
_LIMIT = """
SELECT greatest(1, least(500, setting::int / 2)) FROM pg_settings WHERE name = 'deadlock_timeout'
"""

_LOCKABLE = """
SELECT name FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
JOIN pg_class c ON c.oid = to_regclass('public.' || name) AND c.relkind = 'r' ORDER BY place
"""

_HOLDERS = """
SELECT a.pid, string_agg(DISTINCT c.relname, ', ') AS tables,
       coalesce(nullif(a.application_name, ''), a.backend_type,
                (SELECT 'vacuum' FROM pg_stat_progress_vacuum v WHERE v.pid = a.pid),
                (SELECT 'analyze' FROM pg_stat_progress_analyze v WHERE v.pid = a.pid),
                'of another role') AS who, a.state,
       extract(epoch FROM clock_timestamp() - a.xact_start)::int AS seconds
FROM pg_locks l
JOIN pg_class c ON c.oid = l.relation
JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.pid <> pg_backend_pid() AND c.relnamespace = 'public'::regnamespace
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND c.relname = ANY ($1)
GROUP BY a.pid, who, a.state, a.xact_start ORDER BY a.xact_start NULLS LAST, a.pid LIMIT 3
"""

_EVERY = list(TABLES)

Result = TypeVar("Result")


class _Busy(Exception):
    """Somebody else has a table; whatever was waited for by now is let go of."""


async def patiently(
    connection: Connection,
    attempt: Callable[[], Awaitable[Result]],
    *,
    tell: Tell,
    patience_s: float,
    hint: str = AGAIN,
) -> Result:
    """Try in a transaction of its own until no lock is missing; a failed try leaves nothing.

    Raises Failure, with the names of those who hold what is needed and the hint, after
    `patience_s` seconds.
    """
    loop = asyncio.get_running_loop()
    began, told = loop.time(), -_TELL_EVERY_S
    pauses = chain(_PAUSES_S, repeat(_PAUSE_S))
    while True:
        try:
            async with connection.transaction():
                await _limit(connection)
                return await attempt()
        except (_Busy, asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            why = await holders(connection, _EVERY) or first_line(error)
            left = patience_s - (loop.time() - began)
            if left <= 0:
                raise Failure(
                    f"no lock was to be had for {patience_s:.0f} s: {why}",
                    hint=hint,
                    code=FOUND_A_PROBLEM,
                ) from None
            if loop.time() - told >= _TELL_EVERY_S:
                tell(
                    f"Waiting for a lock: {why}. Trying again for {left:.0f} s; nobody is held up."
                )
                told = loop.time()
        await asyncio.sleep(min(next(pauses), left))


async def take_all(connection: Connection) -> None:
    """Lock each of our and the application's tables that exist, always in one order.

    Until the transaction ends. Raises _Busy when that takes as long as any lock may.
    """
    rows = await connection.fetch(_LOCKABLE, _EVERY)
    if not rows:
        return
    limit = await connection.fetchval(_LIMIT)
    listed = ", ".join(f"public.{row['name']}" for row in rows)
    await connection.execute(f"SET LOCAL statement_timeout = '{limit}ms'")
    try:
        await connection.execute(f"LOCK TABLE {listed} IN ACCESS EXCLUSIVE MODE")
        await connection.execute("SET LOCAL statement_timeout = 0")
    except asyncpg.QueryCanceledError as error:
        raise _Busy(first_line(error)) from error


async def holders(connection: Connection, names: Sequence[str]) -> str:
    """Who has locks on these tables, the oldest transaction first; empty when nobody has."""
    return "; ".join(
        f"process {row['pid']} ({row['who']}, {row['state'] or 'at work'}"
        + (f", for {row['seconds']} s" if row["seconds"] is not None else "")
        + f") has {row['tables']}"
        for row in await connection.fetch(_HOLDERS, names)
    )


async def _limit(connection: Connection) -> None:
    limit = await connection.fetchval(_LIMIT)
    await connection.execute(f"SET LOCAL lock_timeout = '{limit}ms'")
    await connection.execute("SET LOCAL statement_timeout = 0")
