"""How far new versions of rules have reached every mentor: which partitions have taken them up."""

from dataclasses import dataclass

from sinks.pool import Executor
from streams.lag.backlog import WORKER

_BACKFILL = """
SELECT b.definitions, b.partitions_done, l.partitions,
       CASE WHEN EXISTS (SELECT FROM pg_stat_activity
                         WHERE datname = current_database() AND application_name = $2)
            THEN badges_private.backfill_pace($1) END AS pace
FROM badges_private.backfill($1) b, badge_logs l
WHERE l.log_id = $1 AND l.state = 'live' AND b.definitions > 0
"""


@dataclass(frozen=True)
class Backfill:
    """Newest versions of rules that not every partition has taken up yet.

    The seconds that are left are not known until two partitions are done, nor while nobody works.
    """

    definitions: int
    partitions_done: int
    partitions: int
    seconds_left: float | None


async def backfill(connection: Executor, log_id: str) -> Backfill | None:
    """What is under way in a log; None where that is nothing, or the log is not live."""
    row = await connection.fetchrow(_BACKFILL, log_id, WORKER)
    if row is None:
        return None
    done, partitions, pace = row["partitions_done"], row["partitions"], row["pace"]
    left = None if pace is None else round(pace * (partitions - done), 1)
    return Backfill(row["definitions"], done, partitions, left)
