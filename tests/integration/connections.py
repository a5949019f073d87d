"""Connections to Postgres: how a test takes a worker's away, and one past the triggers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

import asyncpg

from tests.integration.pipeline import Pipeline


async def end_sessions(p: Pipeline, role: str = "badges_worker") -> None:
    """Cut every connection that a role has to this database, those just being made too.

    One that is about to be let in has no name yet, and would be let in by what held before.
    """
    now = await p.pool.fetchval("SELECT clock_timestamp()")
    await p.until(partial(_none_of_before, p, role, now), what=f"the end of {role}'s sessions")


async def _none_of_before(p: Pipeline, role: str, now: datetime) -> bool:
    await p.pool.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE usename = $1 AND datname = current_database() AND backend_start < $2",
        role,
        now,
    )
    return not await p.pool.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' "
        "AND backend_start < $2 "
        "AND (usename IS NULL OR (usename = $1 AND datname = current_database())))",
        role,
        now,
    )


@asynccontextmanager
async def triggers_off(p: Pipeline) -> AsyncIterator[asyncpg.Connection]:
    """A transaction as a restore has it, or who loads seeds: no trigger of ours notices it."""
    connection = await p.connect()
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            yield connection
    finally:
        await connection.close()
