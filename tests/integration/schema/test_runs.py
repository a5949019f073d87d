"""Streaks in SQL, held against a reading that looks at one period after another."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.pool import Connection
from tables.ledger import Ledger
from tables.periods import BEGINS, PERIOD_OF, Period, PeriodName, as_date, day_number
from tests.builders import MENTOR, activity, pause
from tests.integration.schema.people import People, settle
from tests.integration.schema.postgres import Server, copy

PERIODS: tuple[PeriodName, ...] = ("day", "week", "month")
METRICS = ("count", "minutes", "active_days", "distinct_types")

Done = tuple[int, str, int | None]
"""How many days from today on, which type, how many minutes."""
Paused = tuple[int, int | None]
"""How many days from today on it begins, and after how many it ends."""


@dataclass(frozen=True)
class Streak:
    """What a streak asks of each period."""

    period: PeriodName
    metric: str = "count"
    per_period: int = 1
    types: tuple[str, ...] | None = None
    since: date | None = None
    grace: int = 0


@dataclass(frozen=True)
class Reading:
    """A mentor's rows, read as the contract says it."""

    streak: Streak
    done: Sequence[tuple[date, str, int | None]]
    pauses: Sequence[tuple[date, date | None]]

    def counts(self, period: Period) -> bool:
        streak = self.streak
        rows = [
            (day, kind, minutes)
            for day, kind, minutes in self.done
            if self.of(day) == period
            and (streak.types is None or kind in streak.types)
            and (streak.since is None or day >= streak.since)
        ]
        amounts = {
            "count": len(rows),
            "minutes": sum(minutes or 0 for _, _, minutes in rows),
            "active_days": len({day for day, _, _ in rows}),
            "distinct_types": len({kind for _, kind, _ in rows}),
        }
        return amounts[streak.metric] >= streak.per_period

    def paused(self, period: Period) -> bool:
        days = [self.begins(period) + timedelta(n) for n in range(31)]
        return any(
            starts <= day and (ends is None or day <= ends)
            for day in days
            if self.of(day) == period
            for starts, ends in self.pauses
        )

    def of(self, day: date) -> Period:
        return PERIOD_OF[self.streak.period](day_number(day))

    def begins(self, period: Period) -> date:
        return as_date(BEGINS[self.streak.period](period))

    def lengths(self, today: date) -> list[int]:
        """How long the run is after each period, from the first that counts to today's."""
        there_are = {self.of(day) for day, *_ in self.done}
        counting = [period for period in there_are if self.counts(period)]
        if not counting:
            return [0]
        last = max(*counting, self.of(today))
        found: list[int] = []
        length = missed = 0
        for period in range(min(counting), last + 1):
            if self.counts(period):
                length, missed = length + 1, 0
            elif not self.paused(period) and (period < self.of(today) or period < max(counting)):
                missed += 1
                if missed > self.streak.grace:
                    length = 0
            found.append(length)
        return found

    def at_risk_until(self, today: date) -> date | None:
        """The last day of today's period, if the run is over on the next one without more rows."""
        tomorrow = self.begins(self.of(today) + 1)
        if self.lengths(today)[-1] and not self.lengths(tomorrow)[-1]:
            return tomorrow - timedelta(1)
        return None

    def last_on(self) -> date | None:
        counting = [self.of(day) for day, *_ in self.done if self.counts(self.of(day))]
        return self.begins(max(counting)) if counting else None


class World:
    """A database with one mentor, whose rows are there for one question at a time."""

    def __init__(self, runner: asyncio.Runner, db: Connection) -> None:
        self._runner = runner
        self._db = db
        self._people = runner.run(settle(db))

    @property
    def today(self) -> date:
        return self._runner.run(_today(self._db))

    def runs(self, reading: Reading, today: date) -> tuple[Any, ...] | None:
        """What badges_private.runs says."""
        streak = reading.streak
        rows = self._runner.run(
            self._asked(
                reading,
                "SELECT * FROM badges_private.runs($1, $2, $3, $4, $5, $6, $7, $8)",
                streak.period,
                streak.metric,
                streak.per_period,
                None if streak.types is None else list(streak.types),
                streak.since,
                streak.grace,
                today,
            )
        )
        return tuple(rows[0]) if rows else None

    def at_risk_until(self, reading: Reading, today: date) -> date | None:
        """What badges_private.risks says of the streak within some criteria, unless it holds."""
        streak = reading.streak
        node = {
            "type": "streak",
            "period": streak.period,
            "metric": streak.metric,
            "per_period": streak.per_period,
            "grace": streak.grace,
            **({} if streak.types is None else {"activity_types": streak.types}),
        }
        within = json.dumps({"type": "all", "of": [{"type": "training"}, node, node]})
        rows = self._runner.run(
            self._asked(
                reading,
                "SELECT path, at_risk_until FROM badges_private.risks($1, $2, '$', $3, $4, $5)",
                within,
                ["$.of[0]", "$.of[1]"],
                streak.since,
                today,
            )
        )
        assert all(path == "$.of[1]" for path, _ in rows)
        return rows[0]["at_risk_until"] if rows else None

    def streaks(self, reading: Reading) -> dict[str, tuple[Any, ...]]:
        """What peer_mentor_streaks says, by period."""
        rows = self._runner.run(self._asked(reading, "SELECT * FROM peer_mentor_streaks($1)"))
        return {period: tuple(rest) for period, *rest in rows}

    def at_risk(self, reading: Reading) -> dict[str, tuple[Any, ...]]:
        """What peer_mentor_streaks_at_risk says, by period, of the stats as the fold has them."""
        rows = self._runner.run(
            self._asked(
                reading,
                "SELECT period, length, ends_on FROM peer_mentor_streaks_at_risk "
                "WHERE peer_mentor_id = $1",
            )
        )
        return {period: tuple(rest) for period, *rest in rows}

    async def _asked(self, reading: Reading, query: str, *values: Any) -> list[asyncpg.Record]:
        transaction = self._db.transaction()
        await transaction.start()
        try:
            await _put(self._db, self._people, reading)
            found: list[asyncpg.Record] = await self._db.fetch(query, self._people.mentor, *values)
            return found
        finally:
            await transaction.rollback()


async def _today(db: Connection) -> date:
    found: date = await db.fetchval("SELECT (now() AT TIME ZONE 'Europe/Oslo')::date")
    return found


async def _put(db: Connection, people: People, reading: Reading) -> None:
    """The rows, and the statistics that the fold makes of them."""
    ledger = Ledger(MENTOR)
    for number, (day, kind, minutes) in enumerate(reading.done):
        ledger.put_activity(activity(str(number), str(day), kind, minutes))
    for number, (starts, ends) in enumerate(reading.pauses):
        ledger.put_pause(pause(str(number), str(starts), None if ends is None else str(ends)))
    stats = ledger.stats()
    await db.executemany(
        "INSERT INTO activities (peer_mentor_id, activity_date, activity_type, duration_minutes) "
        "VALUES ($1, $2, $3, $4)",
        [(people.mentor, *row) for row in reading.done],
    )
    await db.executemany(
        "INSERT INTO mentor_pauses (peer_mentor_id, starts_on, ends_on) VALUES ($1, $2, $3)",
        [(people.mentor, *row) for row in reading.pauses],
    )
    columns: dict[str, Any] = {"activity_count": stats.activity_count}
    for period in PERIODS:
        last_on = getattr(stats, f"{period}_streak_last_on")
        columns[f"{period}_streak_longest"] = getattr(stats, f"{period}_streak_longest")
        columns[f"{period}_streak_length"] = getattr(stats, f"{period}_streak_length")
        columns[f"{period}_streak_last_on"] = None if last_on is None else as_date(last_on)
    places = ", ".join(f"${number}" for number in range(2, len(columns) + 2))
    await db.execute(
        f"INSERT INTO peer_mentor_stats (peer_mentor_id, {', '.join(columns)}) "
        f"VALUES ($1, {places})",
        people.mentor,
        *columns.values(),
    )


@pytest.fixture(scope="module")
def world(server: Server, template: str) -> Iterator[World]:
    start, _, model = template.rpartition("/")
    with asyncio.Runner() as runner:
        runner.run(copy(start, "runs", model))
        db = runner.run(asyncpg.connect(f"{start}/runs"))
        yield World(runner, db)
        runner.run(db.close())
    server.drop_database(f"{start}/runs")


def lives() -> st.SearchStrategy[tuple[list[Done], list[Paused]]]:
    """What somebody did and when they paused, around today; often in a row."""
    steps = st.sampled_from([1, 1, 2, 7, 9, 30])
    days = st.builds(lambda step, n: n - step * abs(n), steps, st.integers(-12, 3))
    done = st.tuples(days, st.sampled_from("ab"), st.none() | st.integers(0, 40))
    paused = st.tuples(days, st.none() | st.integers(0, 40))
    return st.tuples(st.lists(done, max_size=40), st.lists(paused, max_size=3))


@st.composite
def streaks(draw: st.DrawFn) -> Streak:
    return Streak(
        draw(st.sampled_from(PERIODS)),
        draw(st.sampled_from(METRICS)),
        draw(st.sampled_from([1, 1, 2, 30])),
        draw(st.none() | st.just(("a",))),
        draw(st.none() | st.just(date(2026, 8, 1))),
        draw(st.sampled_from([0, 0, 1, 2])),
    )


def reading(streak: Streak, life: tuple[list[Done], list[Paused]], today: date) -> Reading:
    done, pauses = life
    return Reading(
        streak,
        [(today + timedelta(on), kind, minutes) for on, kind, minutes in done],
        [
            (
                today + timedelta(starts),
                None if days is None else today + timedelta(starts + days),
            )
            for starts, days in pauses
        ],
    )


SOME = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@SOME
@given(streak=streaks(), life=lives(), ago=st.integers(0, 40))
def test_a_streak_as_of_a_day_is_what_one_reads(
    world: World, streak: Streak, life: tuple[list[Done], list[Paused]], ago: int
) -> None:
    here = date(2026, 9, 30)
    read, today = reading(streak, life, here), here - timedelta(ago)
    lengths = read.lengths(today)
    expected = (max(lengths), lengths[-1], read.last_on(), read.at_risk_until(today))
    assert world.runs(read, today) == (expected if expected[0] else None)
    assert world.at_risk_until(read, today) == expected[-1]


@SOME
@given(life=lives())
def test_streaks_and_those_at_risk_are_what_one_reads(
    world: World, life: tuple[list[Done], list[Paused]]
) -> None:
    """Both from the rows, as peer_mentor_streaks, and from the statistics, as the view."""
    while not _as_one_reads(world, life):
        pass


def _as_one_reads(world: World, life: tuple[list[Done], list[Paused]]) -> bool:
    """Compare; False if midnight came between what was read."""
    today = world.today
    streaks: dict[str, tuple[Any, ...]] = {}
    at_risk: dict[str, tuple[Any, ...]] = {}
    for period in PERIODS:
        read = reading(Streak(period), life, today)
        lengths, ends_on = read.lengths(today), read.at_risk_until(today)
        streaks[period] = (max(lengths), lengths[-1], read.last_on(), ends_on)
        if ends_on is not None:
            at_risk[period] = (lengths[-1], ends_on)
    found = world.streaks(read), world.at_risk(read)
    if world.today != today:
        return False
    assert found == (streaks, at_risk)
    return True
