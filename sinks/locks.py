"""Advisory locks of Postgres: one command at a time."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from sinks.polling import poll
from sinks.pool import Connection

Tell: TypeAlias = Callable[[str], None]
"""Takes a line about what is waited for."""


@asynccontextmanager
async def one_at_a_time(
    connection: Connection, key: str, tell: Tell, others: str
) -> AsyncIterator[None]:
    """Wait until no other session has the advisory lock of this key (SQL), and hold it.

    It is asked for again and again: one who waits for it in a statement would be waited for by an
    index that its holder builds.
    """

    async def taken() -> bool:
        return bool(await connection.fetchval(f"SELECT pg_try_advisory_lock({key})"))

    if not await taken():
        tell(f"{others} is at work; waiting for its end.")
        await poll(taken)
    try:
        yield
    finally:
        if not connection.is_closed():
            await connection.execute(f"SELECT pg_advisory_unlock({key})")
