"""Connections to Postgres as a worker wants them: short waits, no chatter, JSON by msgspec."""

from typing import Any, TypeAlias

import asyncpg
import msgspec

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)
Executor: TypeAlias = "Pool | Connection"
"""Whatever runs a statement; a pool may take another connection for the next."""

_JSONB_VERSION = b"\x01"

_SERVER_PATIENCE_S = 5
"""So much later than the client the server gives up a statement."""

KEEPALIVES = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
}
"""The server notices within half a minute that our machine has vanished. Its probes also keep a
firewall from forgetting a connection on which a long statement is silent.
"""

SERVER_SETTINGS = {
    "search_path": "public",
    "timezone": "UTC",
    "jit": "off",
    # Shorter than deadlock_timeout (1 s): where a worker and the application wait for each other,
    # it is the worker that gives way and tries again.
    "lock_timeout": "800ms",
    # A worker that was stopped in mid-turn must not keep its partition's position locked.
    "idle_in_transaction_session_timeout": "10s",
    # One connection listens, and others rest: none of them is to end for that.
    "idle_session_timeout": "0",
    **KEEPALIVES,
}


async def create_pool(
    url: str,
    *,
    application_name: str,
    role: str | None = None,
    max_size: int = 8,
    connect_timeout: float = 5.0,
    command_timeout: float = 30.0,
) -> Pool:
    """Make a pool on `url`; timeouts in seconds. It connects when it must, so it may come early.

    With a `role`, whoever the URL names acts as it, and must be it or a member: what the worker
    writes is told apart from people's acts by its role. A connection goes back without the usual
    RESET ALL, so nothing may be set on one for longer than a transaction.
    """
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=max_size,
        timeout=connect_timeout,
        command_timeout=command_timeout,
        init=_prepare,
        reset=_leave_as_it_is,
        server_settings={
            **SERVER_SETTINGS,
            # The server ends what a client could not, and nothing before that: a new definition
            # for thousands of mentors is one statement, and longer than a database may allow.
            "statement_timeout": f"{int(1000 * (command_timeout + _SERVER_PATIENCE_S))}ms",
            "application_name": application_name,
            **({"role": role} if role else {}),
        },
    )


async def _prepare(connection: Connection) -> None:
    if connection.get_server_version() >= (17, 0):
        # Not known before, and so not to be sent with the others.
        await connection.execute("SET transaction_timeout = 0")
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=_encode, decoder=_decode
    )


async def _leave_as_it_is(_: Connection) -> None:
    """Save a round trip a turn; asyncpg itself rolls back what is still open."""


def _encode(value: object) -> bytes:
    return _JSONB_VERSION + msgspec.json.encode(value)


def _decode(data: bytes) -> Any:
    return msgspec.json.decode(data[1:])
