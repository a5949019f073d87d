"""As of when results are right."""

from datetime import datetime

from sinks.pool import Executor


async def as_of(connection: Executor) -> datetime | None:
    """The commit time up to which the stream has decided; None while nobody knows."""
    found: datetime | None = await connection.fetchval("SELECT badges_private.as_of()")
    return found
