"""Postgres, Kafka and Connect end, stall and come back in mid-load: nothing is lost or doubled."""

import asyncio
from datetime import date, timedelta
from uuid import uuid4

import pytest

from tests.integration.connections import end_sessions
from tests.integration.load import load
from tests.integration.pipeline import Pipeline, Rig, count_of
from tests.integration.workers import Worker

AWAY_SECONDS = 4.0
"""How long a server that is paused stays so."""


@pytest.mark.parametrize("how", ["restarted", "killed"])
def test_postgres_goes_and_comes_back(unmanned: Rig, how: str) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        async with load(p, 11 if how == "killed" else 12) as going:
            await going.more(60)
            if how == "killed":
                await asyncio.to_thread(p.stack.kill, "postgres")
            else:
                await asyncio.to_thread(p.stack.stop, "postgres")
            await asyncio.to_thread(p.stack.start, "postgres")
            print(f"postgres {how}: next award after {await p.next_decision():.1f} s")
            await going.more(60)
        assert worker.runs

    unmanned.run(test)


def test_postgres_has_no_connections_left_for_the_worker(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        async with load(p, 13) as going:
            await going.more(60)
            await p.pool.execute("ALTER ROLE badges_worker CONNECTION LIMIT 0")
            try:
                await end_sessions(p)
                stuck = await p.last_decision()
                await going.more(60)
                # Events go with their mentors, of whom the load deletes some.
                assert await p.last_decision() <= stuck
            finally:
                await p.pool.execute("ALTER ROLE badges_worker CONNECTION LIMIT -1")
            await p.next_decision()
            for _ in range(5):
                await end_sessions(p)
                await going.more(30)
        assert worker.runs

    unmanned.run(test)


@pytest.mark.parametrize("how", ["restarted", "killed", "paused"])
def test_kafka_goes_and_comes_back(unmanned: Rig, how: str) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        async with load(p, ["restarted", "killed", "paused"].index(how) + 14) as going:
            await going.more(60)
            if how == "paused":
                p.stack.pause("kafka")
                try:
                    await asyncio.sleep(AWAY_SECONDS)
                finally:
                    p.stack.resume("kafka")
            else:
                await asyncio.to_thread(p.stack.kill if how == "killed" else p.stack.stop, "kafka")
                await asyncio.to_thread(p.stack.start, "kafka")
            print(f"kafka {how}: next award after {await p.next_decision():.1f} s")
            await going.more(60)

    unmanned.run(test)


def test_kafka_restarts_while_a_worker_catches_up(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        async with load(p, 20) as going:
            await going.more(100)
            await p.at_work(worker)
            await asyncio.to_thread(p.stack.kill, "kafka")
            await asyncio.to_thread(p.stack.start, "kafka")
            await p.next_decision()
            await going.more(20)

    unmanned.run(test)


def test_connect_killed_inside_a_copy_sends_rows_again(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        organization = await p.organization()
        mentors = [await p.mentor(organization) for _ in range(20)]
        reached, one_short = [await p.badge(organization, count_of(n)) for n in (150, 151)]

        async def grew(rows: int) -> bool:
            return await p.log_size() >= rows

        async with load(p, 17) as going:
            await going.more(50)
            rows = [
                (uuid4(), mentor, "visit", date(2024, 1, 1) + timedelta(days=day))
                for day in range(150)
                for mentor in mentors
            ]
            before = await p.log_size()
            async with p.pool.acquire() as connection:
                await connection.copy_records_to_table(
                    "activities",
                    records=rows,
                    columns=["id", "peer_mentor_id", "activity_type", "activity_date"],
                )
            await p.until(lambda: grew(before + 200), what="the first rows of the COPY")
            await asyncio.to_thread(p.stack.kill, "connect")
            sent = await p.log_size() - before
            await asyncio.to_thread(p.stack.start, "connect")
            print(f"connect killed after {sent} rows; next award {await p.next_decision():.1f} s")
            await going.more(40)
        earned = await p.pool.fetch(
            "SELECT badge_definition_id, earned_at FROM badge_awards "
            "WHERE badge_definition_id = ANY ($1)",
            [reached, one_short],
        )
        assert {row["badge_definition_id"] for row in earned} == {reached}
        assert len(earned) == len(mentors)
        print(f"{await p.log_size() - before} records since the COPY of {len(rows)} rows began")

    unmanned.run(test)


def test_the_application_may_hold_a_transaction_open(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2))
        async with load(p, 18) as going, p.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(
                "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) "
                "SELECT gen_random_uuid(), $1, 'visit', date '2026-01-01' + n "
                "FROM generate_series(1, 2) n",
                mentor,
            )
            await going.more(60)
            assert await p.award(mentor, badge) is None
            await transaction.commit()
            await p.until(lambda: p.award(mentor, badge))

    unmanned.run(test)


def test_the_worker_gives_way_to_a_lock_of_the_application(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(1))
        async with load(p, 19) as going:
            async with p.pool.acquire() as connection, connection.transaction():
                await connection.execute("LOCK TABLE badge_awards IN EXCLUSIVE MODE")
                await p.activity(mentor, "2026-01-01")
                await p.until(lambda: gave_way(worker), what="that the worker tries again")
                assert await p.award(mentor, badge) is None
            await p.until(lambda: p.award(mentor, badge))
            await going.more(50)

    unmanned.run(test)


async def gave_way(worker: Worker) -> bool:
    return bool(worker.said("not available, trying again"))
