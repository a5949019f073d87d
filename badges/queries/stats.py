"""What a mentor did in all, and the streaks as of today."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from badges.queries.dates import near_date
from sinks.pool import Executor


class MentorStats(Struct, frozen=True):
    """A row of peer_mentor_stats_current; zeros and nulls for a mentor who has none yet."""

    peer_mentor_id: UUID
    activity_count: int = 0
    minutes_total: int = 0
    active_days: int = 0
    counts_by_type: dict[str, int] = {}
    training_count: int = 0
    first_activity_on: date | None = None
    last_activity_on: date | None = None
    day_streak_longest: int = 0
    day_streak_length: int = 0
    day_streak_last_on: date | None = None
    day_streak_current: int = 0
    week_streak_longest: int = 0
    week_streak_length: int = 0
    week_streak_last_on: date | None = None
    week_streak_current: int = 0
    month_streak_longest: int = 0
    month_streak_length: int = 0
    month_streak_last_on: date | None = None
    month_streak_current: int = 0
    updated_at: datetime | None = None


_COLUMNS: Final = ", ".join(
    f"{near_date(name)} AS {name}" if name.endswith("_on") else name
    for name in MentorStats.__struct_fields__
)
_STATS: Final = f"SELECT {_COLUMNS} FROM peer_mentor_stats_current WHERE peer_mentor_id = $1"


async def stats(connection: Executor, peer_mentor_id: UUID) -> MentorStats:
    """What is known of a mentor."""
    row = await connection.fetchrow(_STATS, peer_mentor_id)
    if row is None:
        return MentorStats(peer_mentor_id)
    return MentorStats(**row)
