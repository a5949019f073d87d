"""The database as the caller sees it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final
from uuid import UUID

import msgspec
from fastapi import Request

from badges.api.callers import Caller
from badges.api.problem import ProblemError
from badges.api.queueing import queued
from badges.queries.tenancy import is_own
from sinks.failures import translated
from sinks.pool import Connection

_PATIENCE_S: Final = 5.0
"""How long a request waits for a connection before its caller is told to come again."""

_CLAIM: Final = """
    SELECT set_config('request.jwt.claims', $1, true), set_config('badges.organization', '', true)
"""
"""The second names an organization before the claims do, should a role or database be set so."""

_IS_OWN: Final = f"SELECT EXISTS (SELECT FROM peer_mentors m WHERE id = $1 AND {is_own('m')})"


@asynccontextmanager
async def acting(
    request: Request, caller: Caller, *, statement_timeout_s: float | None = None
) -> AsyncIterator[Connection]:
    """A transaction in which row-level security shows what is the caller's organization's alone.

    Raises StoreError where Postgres fails or refuses.
    """
    with translated():
        async with _connection(request) as connection, connection.transaction():
            await connection.execute(_CLAIM, msgspec.json.encode(caller.claims).decode())
            if statement_timeout_s is not None:
                await connection.execute(
                    "SELECT set_config('statement_timeout', $1, true)",
                    f"{int(1000 * statement_timeout_s)}ms",
                )
            yield connection


@asynccontextmanager
async def _connection(request: Request) -> AsyncIterator[Connection]:
    """A connection, in the order in which requests ask for one.

    asyncpg's pool gives a free one to whoever asks at that moment, before it wakes who waits: under
    load some would wait many times as long as most. Raises TimeoutError.
    """
    state = request.app.state
    latest = time.monotonic() + _PATIENCE_S
    async with (
        queued(state.places, _PATIENCE_S),
        state.pool.acquire(timeout=latest - time.monotonic()) as connection,
    ):
        yield connection


@asynccontextmanager
async def acting_for(
    request: Request,
    caller: Caller,
    peer_mentor_id: UUID,
    *,
    statement_timeout_s: float | None = None,
) -> AsyncIterator[Connection]:
    """`acting`, for what is one mentor's: that mentor's own, and those who coordinate.

    Raises ProblemError, 404, for everybody else: whether there is such a mentor is not told.
    """
    if caller.role == "mentor" and caller.mentor_id != peer_mentor_id:
        raise _no_mentor(peer_mentor_id)
    async with acting(request, caller, statement_timeout_s=statement_timeout_s) as connection:
        if not await connection.fetchval(_IS_OWN, peer_mentor_id):
            raise _no_mentor(peer_mentor_id)
        yield connection


def _no_mentor(peer_mentor_id: UUID) -> ProblemError:
    return ProblemError(
        HTTPStatus.NOT_FOUND, f"No mentor of your organization has the id {peer_mentor_id}"
    )
