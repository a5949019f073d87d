"""What the newest audit of everything came to."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from sinks.pool import Executor

_PATIENCE_S = 2.0


@dataclass(frozen=True)
class Audit:
    """When the newest audit of everything ended, and what it found, by kind."""

    finished_at: datetime
    findings: dict[str, int]
    """How many results differed; kinds without any are left out."""


async def last_audit(connection: Executor) -> Audit | None:
    """The newest audit that came to an end; those of one organization or since a date aside."""
    row = await connection.fetchrow(
        "SELECT finished_at, findings::text AS findings FROM badges_private.last_audit()",
        timeout=_PATIENCE_S,
    )
    if row is None:
        return None
    findings = msgspec.json.decode(row["findings"], type=dict[str, int])
    return Audit(row["finished_at"], findings)
