"""Writes what an audit found to be missing or wrong, in a transaction that the caller opened."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec

from sinks.failures import Suppressed
from sinks.pool import Connection
from sinks.queries import QUERIES

_Repairable: TypeAlias = Literal["missing", "date", "tier", "revocation", "stats"]

_WRITES: Final[
    Mapping[_Repairable, tuple[str, Literal["INSERT", "UPDATE", "INSERT or UPDATE"]]]
] = {
    "missing": ("badge_awards", "INSERT"),
    "date": ("badge_awards", "UPDATE"),
    "tier": ("badge_awards", "UPDATE"),
    "revocation": ("badge_awards", "UPDATE"),
    "stats": ("peer_mentor_stats", "INSERT or UPDATE"),
}
REPAIRABLE: Final = tuple(_WRITES)
"""In the order in which they are written."""


async def hold(
    connection: Connection,
    log_id: str,
    partition: int,
    mentors: Sequence[UUID],
    definitions: Sequence[UUID],
) -> bool:
    """Let neither the partition's worker write, nor anybody change or delete what this is about.

    What is written from here on is the audit's. False where the log is over: nothing is held then.
    """
    await connection.execute(QUERIES["act_as_audit"])
    if not await connection.fetchval(QUERIES["hold_partition"], log_id, partition):
        return False
    await connection.execute(QUERIES["hold_subjects"], mentors, definitions)
    await connection.execute(QUERIES["hold_awards"], mentors, definitions)
    return True


async def write(
    connection: Connection, kind: _Repairable, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write rows of one kind, by mentor and definition as they should be.

    Raises what Postgres refuses, and Suppressed where a trigger has let a row go.
    """
    if not rows:
        return
    written = await connection.fetchval(
        QUERIES[f"repair_{kind}"], msgspec.json.encode(rows).decode()
    )
    if written < len(rows):
        raise Suppressed(*_WRITES[kind])
