"""Writing to the database on behalf of a caller."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import asyncpg

from badges.api.problem import ProblemError
from sinks.failures import LOCKED, REFUSALS
from sinks.pool import Connection

_IN_THE_WAY: Final = ("40", LOCKED)
"""SQLSTATEs of transactions that stand in each other's way."""


@asynccontextmanager
async def writing(connection: Connection) -> AsyncIterator[None]:
    """Within, a transaction of `acting` may write.

    It waits longer for locks than workers do, who give way. Raises ProblemError, 409, where
    somebody else stands in the way for too long, or the application's tables refuse the row.
    """
    await connection.execute("SET LOCAL lock_timeout = '5s'")
    try:
        yield
    except asyncpg.PostgresError as error:
        sqlstate = error.sqlstate or ""
        if sqlstate.startswith(_IN_THE_WAY):
            raise ProblemError(
                HTTPStatus.CONFLICT,
                "Somebody else is changing what this needs: nothing was saved, try again",
                headers={"Retry-After": "1"},
            ) from error
        if sqlstate[:2] in REFUSALS:
            raise ProblemError(
                HTTPStatus.CONFLICT,
                f"A constraint or a trigger of the database refuses this ({sqlstate}: "
                f"{error.constraint_name or type(error).__name__}): nothing was saved",
            ) from error
        raise


async def write(connection: Connection, statement: str, *arguments: object) -> None:
    """Insert or update one row that nothing but a trigger can keep from being written.

    Raises ProblemError, 409, where one does that without an error.
    """
    if (await connection.execute(statement, *arguments)).endswith(" 0"):
        raise ProblemError(
            HTTPStatus.CONFLICT,
            "A trigger of the database lets this row go without an error: nothing was saved",
        )
