"""/v1/peer-mentors/{id}/stats: what a mentor did in all, and the streaks as of today."""

from datetime import date, timedelta
from typing import Any

import pytest

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.service import Service

pytestmark = pytest.mark.anyio

NOTHING: dict[str, Any] = {
    "activity_count": 0, "minutes_total": 0, "active_days": 0, "counts_by_type": {},
    "training_count": 0, "first_activity_on": None, "last_activity_on": None,
    "day_streak_longest": 0, "day_streak_length": 0, "day_streak_last_on": None,
    "day_streak_current": 0, "week_streak_longest": 0, "week_streak_length": 0,
    "week_streak_last_on": None, "week_streak_current": 0, "month_streak_longest": 0,
    "month_streak_length": 0, "month_streak_last_on": None, "month_streak_current": 0,
    "updated_at": None, "as_of": None,
}  # fmt: skip


def stats(service: Service, organization: Organization, mentor: str) -> dict[str, Any]:
    with service.client("coordinator", organization.id) as client:
        answer = client.get(f"/v1/peer-mentors/{mentor}/stats")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_mentor_without_rows_has_zeros(service: Service, mine: Organization) -> None:
    mentor = mine.mentors[0]
    assert stats(service, mine, mentor) == NOTHING | {"peer_mentor_id": mentor}


async def test_they_are_the_rows_and_the_current_streaks(
    service: Service, owner: Pool, mine: Organization
) -> None:
    mentor = mine.mentors[0]
    today: date = await owner.fetchval("SELECT (now() AT TIME ZONE 'Europe/Oslo')::date")
    await owner.execute(
        "INSERT INTO peer_mentor_stats (peer_mentor_id, activity_count, minutes_total, "
        "active_days, counts_by_type, first_activity_on, last_activity_on, day_streak_longest, "
        "day_streak_length, day_streak_last_on, week_streak_longest, week_streak_length, "
        "week_streak_last_on) "
        "VALUES ($1, 7, 90, 5, $2, '2020-02-03', $3, 4, 3, $3, 2, 1, '2020-02-03')",
        mentor,
        {"visit": 7},
        today - timedelta(1),
    )
    found = stats(service, mine, mentor)
    assert found.pop("updated_at") is not None
    assert found == {key: value for key, value in NOTHING.items() if key != "updated_at"} | {
        "peer_mentor_id": mentor,
        "activity_count": 7,
        "minutes_total": 90,
        "active_days": 5,
        "counts_by_type": {"visit": 7},
        "first_activity_on": "2020-02-03",
        "last_activity_on": str(today - timedelta(1)),
        "day_streak_longest": 4,
        "day_streak_length": 3,
        "day_streak_last_on": str(today - timedelta(1)),
        "day_streak_current": 3,
        "week_streak_longest": 2,
        "week_streak_length": 1,
        "week_streak_last_on": "2020-02-03",
        "week_streak_current": 0,
    }


async def test_dates_beyond_the_calendar_are_the_nearest_ones(
    service: Service, owner: Pool, mine: Organization
) -> None:
    mentor = mine.mentors[0]
    await owner.execute(
        "INSERT INTO peer_mentor_stats (peer_mentor_id, first_activity_on, last_activity_on) "
        "VALUES ($1, '4714-11-24 BC', '5874897-12-31')",
        mentor,
    )
    found = stats(service, mine, mentor)
    assert (found["first_activity_on"], found["last_activity_on"]) == ("0001-01-01", "9999-12-31")
