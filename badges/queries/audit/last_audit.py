"""What the newest audit of everything came to."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from sinks.pool import Executor

_PATIENCE_S = 2.0


class LastAudit(Struct, frozen=True):
    """When it ended, and how many results differed, by kind; kinds without any are left out."""

    finished_at: datetime
    findings: Mapping[str, int]


async def last_audit(connection: Executor) -> LastAudit | None:
    """The newest audit that came to an end; those of one organization or since a date aside."""
    row = await connection.fetchrow(
        "SELECT finished_at, findings::text AS findings FROM badges_private.last_audit()",
        timeout=_PATIENCE_S,
    )
    if row is None:
        return None
    findings = msgspec.json.decode(row["findings"], type=dict[str, int])
    return LastAudit(row["finished_at"], findings)
