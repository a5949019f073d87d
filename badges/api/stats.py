"""/v1/peer-mentors/{id}/stats: what a mentor did in all, and the streaks as of today."""

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from badges.api.callers import AnyCaller
from badges.api.database import acting_for
from badges.api.paging import AS_OF
from badges.queries.as_of import as_of
from badges.queries.dates import near_date

router = APIRouter(prefix="/v1/peer-mentors", tags=["peer mentors"])


class Stats(BaseModel):
    """Statistics of one mentor: every activity counts."""

    peer_mentor_id: UUID
    activity_count: int
    minutes_total: int
    active_days: int
    counts_by_type: dict[str, int]
    training_count: int
    first_activity_on: date | None
    last_activity_on: date | None
    day_streak_longest: int
    day_streak_length: int = Field(description="of the newest run")
    day_streak_last_on: date | None = Field(description="the first day of that run's last period")
    day_streak_current: int = Field(description="of the newest run, unless it is over by today")
    week_streak_longest: int
    week_streak_length: int
    week_streak_last_on: date | None
    week_streak_current: int
    month_streak_longest: int
    month_streak_length: int
    month_streak_last_on: date | None
    month_streak_current: int
    updated_at: datetime | None
    as_of: datetime | None = Field(description=AS_OF)


_COLUMNS: Final = ", ".join(
    f"{near_date(name)} AS {name}" if name.endswith("_on") else name
    for name in Stats.model_fields
    if name != "as_of"
)
_STATS: Final = f"SELECT {_COLUMNS} FROM peer_mentor_stats_current WHERE peer_mentor_id = $1"
_NOTHING: Final[dict[str, Any]] = {
    **{name: 0 if field.annotation is int else None for name, field in Stats.model_fields.items()},
    "counts_by_type": {},
}
"""What a mentor has done of whom there is no row yet."""


@router.get("/{peer_mentor_id}/stats")
async def read_stats(request: Request, caller: AnyCaller, peer_mentor_id: UUID) -> Stats:
    """The mentor's statistics; zeros for one who has no row yet."""
    async with acting_for(request, caller, peer_mentor_id) as connection:
        decided = await as_of(connection)
        row = await connection.fetchrow(_STATS, peer_mentor_id)
    found = row or _NOTHING | {"peer_mentor_id": peer_mentor_id}
    return Stats(**{**found, "as_of": decided})
