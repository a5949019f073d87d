"""Hearing what Postgres notifies, over one connection that is kept for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import asyncpg

from sinks.failures import translated
from sinks.pool import Connection, Pool

_POLL_S = 1.0
"""Should a notification be lost, what it told of is seen this much later."""


@asynccontextmanager
async def listening(
    pool: Pool, channel: str, heard: Callable[[int, str], None], *, within: float | None = None
) -> AsyncIterator[Connection]:
    """Call `heard` with the session and the payload of whatever is notified over a channel.

    The connection may take `within` seconds to come. That it is lost says nobody, only `is_lost`,
    or a statement over it. Raises StoreError.
    """

    def told(_connection: object, session: int, _channel: str, payload: object) -> None:
        heard(session, str(payload))

    with translated():
        async with pool.acquire(timeout=within) as connection:
            await connection.add_listener(channel, told)
            try:
                yield connection
            finally:
                # A lost one has been taken out of the pool, and listens to nothing.
                with suppress(asyncpg.InterfaceError):
                    await connection.remove_listener(channel, told)


def is_lost(connection: Connection) -> bool:
    """Whether a connection has ended. The pool takes one back that has, and asks of it no more."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


async def at_each_notify(
    pool: Pool, channel: str, look: Callable[[], Awaitable[None]], *, within: float | None = None
) -> None:
    """Look at once, at every NOTIFY, and each second in case one was lost.

    Returns when the connection that listens is lost, and raises StoreError where there is none to
    be had `within` seconds, or `look` does.
    """
    notified = asyncio.Event()
    async with listening(pool, channel, lambda *_: notified.set(), within=within) as connection:
        # What is read comes over other connections, so that this one is lost says nobody else.
        while not is_lost(connection):
            # Cleared first: what is saved while we look is seen at the next look.
            notified.clear()
            await look()
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_S):
                    await notified.wait()
