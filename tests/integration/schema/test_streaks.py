"""Streaks as of today: peer_mentor_stats_current."""

from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from badges.sinks.pool import Connection
from tests.integration.schema.people import settle

pytestmark = pytest.mark.anyio


async def current(
    db: Connection, period: str, last_on: date | None, pauses: list[tuple[date, date | None]]
) -> Any:
    people = await settle(db)
    await db.execute(
        f"INSERT INTO peer_mentor_stats (peer_mentor_id, {period}_streak_longest, "
        f"{period}_streak_length, {period}_streak_last_on) VALUES ($1, 9, 5, $2)",
        people.mentor,
        last_on,
    )
    await db.executemany(
        "INSERT INTO mentor_pauses (peer_mentor_id, starts_on, ends_on) VALUES ($1, $2, $3)",
        [(people.mentor, *pause) for pause in pauses],
    )
    return await db.fetchval(f"SELECT {period}_streak_current FROM peer_mentor_stats_current")


async def today(db: Connection) -> date:
    found: date = await db.fetchval("SELECT (now() AT TIME ZONE 'Europe/Oslo')::date")
    return found


def first_day(period: str, day: date, back: int) -> date:
    """The first day of the period `back` periods before the day's own."""
    match period:
        case "day":
            return day - timedelta(days=back)
        case "week":
            return day - timedelta(days=day.weekday() + 7 * back)
        case _:
            months = day.year * 12 + day.month - 1 - back
            return date(months // 12, months % 12 + 1, 1)


@pytest.mark.parametrize("period", ["day", "week", "month"])
@pytest.mark.parametrize(("back", "length"), [(-3, 5), (0, 5), (1, 5), (2, 0), (40, 0)])
async def test_a_run_lasts_until_a_whole_period_is_missed(
    db: Connection, period: str, back: int, length: int
) -> None:
    last_on = first_day(period, await today(db), back)
    assert await current(db, period, last_on, []) == length


@pytest.mark.parametrize("period", ["day", "week", "month"])
@pytest.mark.parametrize(("gap", "length"), [(None, 5), (2, 0)])
async def test_paused_periods_are_bridged_if_all_are(
    db: Connection, period: str, gap: int | None, length: int
) -> None:
    day = await today(db)
    paused = [first_day(period, day, back) for back in (1, 2, 3) if back != gap]
    pauses: list[tuple[date, date | None]] = [(each, each) for each in paused]
    assert await current(db, period, first_day(period, day, 4), pauses) == length


async def test_a_pause_without_end_bridges_up_to_today(db: Connection) -> None:
    day = await today(db)
    assert await current(db, "week", first_day("week", day, 9), [(day - timedelta(65), None)]) == 5


async def test_without_any_activity_there_is_no_streak(db: Connection) -> None:
    assert await current(db, "day", None, []) == 0


async def test_today_is_the_organizations_own(db: Connection) -> None:
    for slug, zone in (("west", "Pacific/Pago_Pago"), ("east", "Pacific/Kiritimati")):
        people = await settle(db, slug, zone)
        await db.execute(
            "INSERT INTO peer_mentor_stats (peer_mentor_id) VALUES ($1)", people.mentor
        )
    rows: list[asyncpg.Record] = await db.fetch(
        "SELECT today FROM peer_mentor_stats_current ORDER BY today"
    )
    assert rows[0]["today"] < rows[1]["today"]
