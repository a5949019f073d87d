"""Streaks as of today: peer_mentor_stats_current."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from sinks.pool import Connection
from tests.integration.schema.people import People, settle

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def _one_instant(db: Connection) -> AsyncIterator[None]:
    """In a transaction `now()` stands still: midnight comes between nothing here."""
    async with db.transaction():
        yield


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


FIRST, LAST = "4714-11-24 BC", "5874897-12-31"
"""The first and the last date that Postgres knows."""


async def put_on(db: Connection, people: People, on: str) -> None:
    """Statistics of one mentor with a single activity, as far away as that."""
    periods = ("day", "week", "month")
    columns = ", ".join(
        f"{p}_streak_longest, {p}_streak_length, {p}_streak_last_on" for p in periods
    )
    values = ", ".join("1, 1, $2::text::date" for _ in periods)
    await db.execute(
        "INSERT INTO peer_mentor_stats (peer_mentor_id, first_activity_on, last_activity_on, "
        f"{columns}) VALUES ($1, $2::text::date, $2::text::date, {values})",
        people.mentor,
        on,
    )


@pytest.mark.parametrize(
    ("on", "length"),
    [(LAST, 1), ("294277-01-01", 1), ("9999-12-31", 1), ("4713-01-01 BC", 0), (FIRST, 0)],
)
async def test_any_date_that_postgres_knows_is_shown_to_everybody(
    db: Connection, on: str, length: int
) -> None:
    near, far = await settle(db), await settle(db, "far")
    day = await today(db)
    await put_on(db, near, str(day))
    await put_on(db, far, on)
    await db.execute(
        "INSERT INTO mentor_pauses (peer_mentor_id, starts_on) VALUES ($1, $2)", far.mentor, day
    )
    rows = await db.fetch(
        "SELECT day_streak_current, last_activity_on::text FROM peer_mentor_stats_current "
        "ORDER BY peer_mentor_id = $1",
        far.mentor,
    )
    assert [tuple(row) for row in rows] == [(1, str(day)), (length, on)]


@pytest.mark.parametrize(
    ("starts", "ends"), [(FIRST, LAST), (LAST, LAST), ("-infinity", "infinity")]
)
async def test_a_pause_may_begin_and_end_anywhere(db: Connection, starts: str, ends: str) -> None:
    people = await settle(db)
    await put_on(db, people, str(await today(db) - timedelta(days=9)))
    await db.execute(
        "INSERT INTO mentor_pauses (peer_mentor_id, starts_on, ends_on) "
        "VALUES ($1, $2::text::date, $3::text::date)",
        people.mentor,
        starts,
        ends,
    )
    held = await db.fetchval("SELECT day_streak_current FROM peer_mentor_stats_current")
    assert held == (0 if starts == LAST else 1)


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


async def test_a_zone_that_nobody_knows_counts_as_utc(db: Connection) -> None:
    known, unknown = await settle(db), await settle(db, "nowhere")
    async with db.transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute(
            "UPDATE organizations SET timezone = 'No/Where' WHERE id = $1", unknown.organization
        )
        await db.execute("RESET session_replication_role")
    for people in (known, unknown):
        await put_on(db, people, str(await today(db) - timedelta(days=1)))
    utc = await db.fetchval("SELECT (now() AT TIME ZONE 'UTC')::date")
    rows = await db.fetch("SELECT peer_mentor_id, today FROM peer_mentor_stats_current")
    assert {tuple(row) for row in rows} == {(known.mentor, await today(db)), (unknown.mentor, utc)}
    at_risk = await db.fetch(
        "SELECT length, ends_on FROM peer_mentor_streaks_at_risk "
        "WHERE period = 'day' AND peer_mentor_id = $1",
        known.mentor,
    )
    assert [tuple(row) for row in at_risk] == [(1, await today(db))]
    for people in (known, unknown):
        assert len(await db.fetch("SELECT FROM peer_mentor_streaks($1)", people.mentor)) == 3


@pytest.mark.parametrize(
    ("on", "current"), [(FIRST, 0), ("0001-12-31 BC", 0), ("294277-01-01", 1), (LAST, 1)]
)
async def test_streaks_from_the_rows_know_any_date(db: Connection, on: str, current: int) -> None:
    people = await settle(db)
    for day in (on, "infinity", "-infinity"):
        await db.execute(
            "INSERT INTO activities (peer_mentor_id, activity_type, activity_date) "
            "VALUES ($1, 'visit', $2::text::date)",
            people.mentor,
            day,
        )
    await db.execute(
        "INSERT INTO mentor_pauses (peer_mentor_id, starts_on) VALUES ($1, $2)",
        people.mentor,
        await today(db),
    )
    rows = await db.fetch(
        "SELECT longest, current, last_on::text FROM peer_mentor_streaks($1)", people.mentor
    )
    assert [row["longest"] for row in rows] == [1, 1, 1]
    assert [row["current"] for row in rows] == [current] * 3
    assert rows[0]["last_on"] == on
