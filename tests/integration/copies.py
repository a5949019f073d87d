"""A copy of a pipeline's database whose results are gone, for replay to fill again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import asyncpg

from sinks.polling import poll
from sinks.pool import Connection
from streams.log.wal import confirmed, insert_lsn
from tests.integration.pipeline import Pipeline
from tests.stack import LIMIT_S, when_free

_EMPTIED = "badge_awards, badge_award_events, peer_mentor_stats"


@asynccontextmanager
async def emptied_copy(p: Pipeline) -> AsyncIterator[str]:
    """The URL of the copy: everything that the database has, but no award, no event, no stats.

    Nobody works while it is made, the connector included; workers that run lose their connections.
    What the copy says of the log is of the very same log.
    """
    server, _, name = p.owner_url.rpartition("/")
    copy = f"{name}_copy"
    connection = await asyncpg.connect(p.stack.database_url)
    try:
        await p.site.connect.stop(p.log.connector)
        await _copy(connection, name, copy)
        await p.site.connect.resume(p.log.connector)
        sent = partial(_sends, connection, p.log.slot, await insert_lsn(connection))
        await p.until(sent, what="that the connector sends")
        await _empty(f"{server}/{copy}")
        yield f"{server}/{copy}"
    finally:
        drop = f"DROP DATABASE IF EXISTS {copy} WITH (FORCE)"
        await when_free(partial(connection.execute, drop))
        await connection.close()


async def _sends(connection: Connection, slot: str, lsn: int) -> bool:
    """Whether the connector is past that position; without it nobody can tell what is decided."""
    return await confirmed(connection, slot) >= lsn


async def _copy(connection: Connection, name: str, copy: str) -> None:
    """Postgres copies only what nobody is connected to: the files, so that oids are the same."""
    await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        await poll(partial(_copied, connection, name, copy), within=LIMIT_S)
    finally:
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    await connection.execute(f"ALTER DATABASE {copy} ALLOW_CONNECTIONS true")


async def _copied(connection: Connection, name: str, copy: str) -> bool:
    """Whether it could be copied: somebody may have been let in just before that was forbidden."""
    await connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", name
    )
    try:
        await connection.execute(f"CREATE DATABASE {copy} TEMPLATE {name}")
    except asyncpg.ObjectInUseError:
        return False
    return True


async def _empty(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        # Without the triggers that would write an event of each award that goes.
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(f"TRUNCATE {_EMPTIED}")
    finally:
        await connection.close()
