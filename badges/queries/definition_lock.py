"""Badge definitions of an organization are saved one at a time."""

from typing import Final
from uuid import UUID

from sinks.pool import Executor

_ONE_AT_A_TIME: Final = """
    SELECT pg_advisory_xact_lock(hashtextextended('badge_definitions of ' || $1::uuid::text, 0))
"""


async def lock_definitions(connection: Executor, organization_id: UUID) -> None:
    """Wait until nobody else saves a definition of the organization, to the transaction's end.

    Two that are saved at once could each be right by itself, and close a cycle together.
    """
    await connection.execute(_ONE_AT_A_TIME, organization_id)
