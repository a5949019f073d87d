"""Clocks that are ten minutes off: what is decided and written has nothing to do with them."""

import asyncio
import signal
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

from tests import clock_off
from tests.integration.load import Load, load
from tests.integration.pipeline import Pipeline, Rig, count_of
from tests.integration.workers import Worker
from tests.stack import ROOT

TEN_MINUTES = timedelta(minutes=10)
NEARLY = timedelta(minutes=2)
"""How far a worker's log may be from what its wrong clock should say."""
ZONES = ("Asia/Kolkata", "Pacific/Apia", "America/Sao_Paulo", "Europe/Oslo")


def off_by(p: Pipeline, ahead: timedelta) -> Worker:
    """A worker whose clock is ahead, or behind if that is negative."""
    settings = {clock_off.AHEAD: str(ahead.total_seconds()), "PYTHONPATH": str(ROOT)}
    worker = p.worker(**settings)
    worker.module = clock_off.__name__
    return worker


async def is_ahead(worker: Worker, by: timedelta) -> bool:
    """Whether the clock that stamped the last line of the worker's log was so far ahead."""
    return abs(ahead_in_the_log(worker) - by) < NEARLY


def ahead_in_the_log(worker: Worker) -> timedelta:
    """By how much the clock was ahead that stamped the last line of the worker's log."""
    written = datetime.fromtimestamp(worker.log_file.stat().st_mtime, UTC)
    stamped = [line["timestamp"] for line in worker.lines() if "timestamp" in line]
    return datetime.fromisoformat(stamped[-1]) - written


async def save_rules(going: Load, zone: str) -> None:
    """Edit definitions, and take both organizations to another time zone."""
    for _ in range(4):
        await going.commit(going.operations.edit())
        await going.more(4)
    await going.execute(
        "UPDATE organizations SET timezone = $2 WHERE id = ANY ($1)",
        going.operations.organizations,
        zone,
    )
    await going.more(10)


async def written_outside(p: Pipeline, began: datetime) -> list[str]:
    """The names of result tables with an instant of writing before `began`, or after now."""
    rows = await p.pool.fetch(
        """
        SELECT name FROM (
            SELECT 'awards' AS name, awarded_at AS at FROM badge_awards WHERE awarded_by = 'rule'
            UNION ALL SELECT 'revocations', revoked_at FROM badge_awards WHERE revoked_by = 'rule'
            UNION ALL SELECT 'events', at FROM badge_award_events WHERE source <> 'admin'
            UNION ALL SELECT 'stats', updated_at FROM peer_mentor_stats
            UNION ALL SELECT 'alerts', at FROM badge_alerts) AS instants
        WHERE at NOT BETWEEN $1 AND clock_timestamp() GROUP BY name
        """,
        began,
    )
    return [row["name"] for row in rows]


def test_workers_with_clocks_twenty_minutes_apart_work_beside_and_after_each_other(
    unmanned: Rig,
) -> None:
    async def test(p: Pipeline) -> None:
        began = await first_instant(p)
        ahead, behind = off_by(p, TEN_MINUTES), off_by(p, -TEN_MINUTES)
        await p.at_work(ahead)
        async with load(p, 41) as going:
            await going.more(30)
            assert await is_ahead(ahead, TEN_MINUTES)
            await p.at_work(behind)
            await save_rules(going, ZONES[0])
            assert await is_ahead(behind, -TEN_MINUTES)

            await asyncio.to_thread(ahead.ask_to_end)
            await save_rules(going, ZONES[1])
            await p.at_work(ahead)
            await save_rules(going, ZONES[2])

            await asyncio.to_thread(behind.kill)
            await save_rules(going, ZONES[3])
            await p.next_decision()
        assert await written_outside(p, began) == []

    unmanned.run(test)


async def first_instant(p: Pipeline) -> datetime:
    """An instant before everything that a worker of this pipeline wrote."""
    live_at: datetime = await p.pool.fetchval("SELECT min(created_at) FROM badge_logs")
    return live_at


def test_a_clock_is_put_back_by_twenty_minutes_while_the_worker_works(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        began = await first_instant(p)
        worker, other = off_by(p, TEN_MINUTES), p.worker()
        await p.at_work(worker)
        async with load(p, 42) as going:
            await going.more(30)
            worker.process.send_signal(signal.SIGUSR1)
            await save_rules(going, ZONES[0])
            await p.at_work(other)
            # It says something of the other that joins, sooner or later than that has partitions.
            await p.until(lambda: is_ahead(worker, -TEN_MINUTES), what="a line by that clock")
            await asyncio.to_thread(other.ask_to_end)
            worker.process.send_signal(signal.SIGUSR1)
            await save_rules(going, ZONES[1])
            await p.next_decision()
        assert await written_outside(p, began) == []
        assert worker.runs

    unmanned.run(test)


def test_rows_from_an_application_whose_clock_is_ahead_count_at_once(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.at_work(off_by(p, -TEN_MINUTES))
        organization = await p.organization("Pacific/Kiritimati")
        mentors = [await p.mentor(organization) for _ in range(6)]
        reached, one_short = [await p.badge(organization, count_of(n)) for n in (4, 5)]
        async with load(p, 43) as going:
            for days in range(4):
                for mentor in mentors:
                    await insert_from_the_future(p, mentor, date(2031, 5, 1 + days))
                await going.more(5)
            await p.until(lambda: holds_all(p, reached, mentors), what="badges for future rows")
            await p.pool.execute(
                "UPDATE activities SET created_at = created_at + $2 "
                "WHERE peer_mentor_id = ANY ($1)",
                mentors,
                TEN_MINUTES,
            )
            await going.more(20)
        assert not await holds_all(p, one_short, mentors[:1])
        awards = [await p.award(mentor, reached) for mentor in mentors]
        # 4 May begins at 10 o'clock UTC of the day before where the day begins first.
        earned = datetime(2031, 5, 3, 10, tzinfo=UTC)
        assert [award and award["earned_at"] for award in awards] == [earned] * len(mentors)

    unmanned.run(test)


async def insert_from_the_future(p: Pipeline, mentor: UUID, on: date) -> None:
    """Insert a row that says it is made ten minutes from now."""
    await p.pool.execute(
        "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date, created_at) "
        "VALUES ($1, $2, 'visit', $3, clock_timestamp() + $4)",
        uuid4(),
        mentor,
        on,
        TEN_MINUTES,
    )


async def holds_all(p: Pipeline, badge: UUID, mentors: list[UUID]) -> bool:
    """Whether all of the mentors hold the badge."""
    holders = await p.pool.fetchval(
        "SELECT count(*) FROM badge_awards "
        "WHERE badge_definition_id = $1 AND peer_mentor_id = ANY ($2) AND revoked_at IS NULL",
        badge,
        mentors,
    )
    return bool(holders == len(mentors))
