"""The database as the caller sees it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from fastapi import Request

from badges.api.callers import Caller
from sinks.failures import translated
from sinks.pool import Connection


@asynccontextmanager
async def acting(
    request: Request, caller: Caller, *, statement_timeout_s: float | None = None
) -> AsyncIterator[Connection]:
    """A transaction in which row-level security shows what is the caller's organization's alone.

    Raises StoreError where Postgres fails or refuses.
    """
    with translated():
        async with request.app.state.pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "SELECT set_config('request.jwt.claims', $1, true)",
                msgspec.json.encode(caller.claims).decode(),
            )
            if statement_timeout_s is not None:
                await connection.execute(
                    "SELECT set_config('statement_timeout', $1, true)",
                    f"{int(1000 * statement_timeout_s)}ms",
                )
            yield connection
