"""Workers that are killed, paused, joined and left by others: nothing is lost or counted twice."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import date
from functools import partial
from uuid import UUID, uuid4

import pytest
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from aiokafka.errors import KafkaError
from aiokafka.protocol.group import JoinGroupRequest

from streams.log.generations import Generation
from tests import slow_consumer
from tests.integration.load import load
from tests.integration.pipeline import Pipeline, Rig, count_of
from tests.integration.workers import LONG_SESSION, SESSION_SECONDS, Worker
from tests.stack import LIMIT_S, wait_for


def test_a_worker_killed_in_mid_load_goes_on_where_its_awards_are(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        async with load(p, 1) as going:
            for _ in range(3):
                await going.more(60)
                await asyncio.to_thread(worker.kill)
                worker.start()
                print(f"kill -9 and restart: next award after {await p.next_decision():.1f} s")

    unmanned.run(test)


def test_a_worker_that_slept_through_its_session_writes_nothing_when_it_wakes(
    unmanned: Rig,
) -> None:
    async def test(p: Pipeline) -> None:
        sleeper, other = p.worker(), p.worker()
        await p.at_work(sleeper)
        async with load(p, 2) as going:
            await going.more(60)
            await asyncio.to_thread(sleeper.pause)
            other.start()
            await p.until(lambda: p.has_partitions(other, p.log.partitions), what="the takeover")
            await p.next_decision()
            for _ in range(5):
                await going.commit(going.operations.edit())
            await going.more(40)
            sleeper.resume()
            await going.more(60)
        assert other.runs

    unmanned.run(test)


def test_workers_join_leave_and_die_in_mid_load(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        first, second, third = p.worker(), p.worker(), p.worker()
        await p.at_work(first)
        async with load(p, 3) as going:
            await going.more(40)
            await p.at_work(second)
            await going.more(40)
            await asyncio.to_thread(first.ask_to_end)
            await going.more(40)
            await p.at_work(third)
            await asyncio.to_thread(second.kill)
            await going.more(40)

    unmanned.run(test)


def test_a_worker_told_to_end_does_so_in_mid_load(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        async with load(p, 4) as going:
            for _ in range(3):
                await p.at_work(worker)
                await going.more(40)
                began = time.monotonic()
                code = await asyncio.to_thread(worker.ask_to_end)
                print(f"SIGTERM: ended after {time.monotonic() - began:.1f} s")
                assert code == 0
            worker.start()

    unmanned.run(test)


def test_a_rebalance_in_mid_backfill_of_a_new_definition(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        first, second = p.worker(), p.worker()
        await p.at_work(first)
        organization = await p.organization()
        mentors = await many_mentors(p, organization, 2000)
        await p.settle()
        await asyncio.to_thread(first.pause)
        reached, one_short = [await p.badge(organization, count_of(n)) for n in (3, 4)]
        second.start()
        first.resume()
        await p.until(lambda: p.has_partitions(second), what="the rebalance")
        await p.settle()

        rows = await p.pool.fetch(
            "SELECT badge_definition_id, count(*) AS awards FROM badge_awards "
            "WHERE badge_definition_id = ANY ($1) GROUP BY 1",
            [reached, one_short],
        )
        assert [tuple(row) for row in rows] == [(reached, len(mentors))]
        granted = await p.pool.fetchval(
            "SELECT count(*) FROM badge_award_events WHERE badge_definition_id = $1", reached
        )
        assert granted == len(mentors)

    unmanned.run(test)


async def many_mentors(p: Pipeline, organization: UUID, number: int) -> list[UUID]:
    """Mentors with three visits each, by COPY."""
    mentors = [uuid4() for _ in range(number)]
    async with p.pool.acquire() as connection, connection.transaction():
        await connection.copy_records_to_table(
            "peer_mentors",
            records=[(mentor, organization, "Nobody", True) for mentor in mentors],
            columns=["id", "organization_id", "display_name", "active"],
        )
        await connection.copy_records_to_table(
            "activities",
            records=[
                (uuid4(), mentor, "visit", date(2026, 1, day))
                for day in (1, 2, 3)
                for mentor in mentors
            ],
            columns=["id", "peer_mentor_id", "activity_type", "activity_date"],
        )
    return mentors


def instance_of(worker: Worker) -> str:
    """The name that the worker has in its group."""
    wait_for(lambda: bool(worker.said("working")), LIMIT_S, "that the worker says its name")
    return str(worker.said("working")[0]["instance"])


def test_two_workers_never_share_an_instance(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        first, second = p.worker(), p.worker()
        await p.at_work(first, second)
        names = {instance_of(worker) for worker in (first, second)}
        assert len(names) == 2

    unmanned.run(test)


@pytest.mark.parametrize("part", ["postgres", "kafka"])
def test_a_worker_ends_when_told_whatever_hangs(unmanned: Rig, part: str) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2))
        await p.activity(mentor, "2026-01-01")
        await p.settle()
        await p.activity(mentor, "2026-01-02")
        p.stack.pause(part)
        try:
            code = await asyncio.to_thread(worker.ask_to_end)
        finally:
            p.stack.resume(part)
        assert code == 0
        await p.at_work(worker)
        await p.until(lambda: p.award(mentor, badge))
        await p.settle()
        assert await p.events(mentor, badge) == ["granted"]

    unmanned.run(test)


def test_one_host_name_and_two_directories_make_two_names(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        run_dir = p.stack.infra.layout.run_dir
        first, second = (
            p.worker(BADGES_INSTANCE_DIRECTORY=str(run_dir / place)) for place in ("here", "there")
        )
        await p.at_work(first, second)
        names = {worker: instance_of(worker) for worker in (first, second)}
        assert len(set(names.values())) == 2

        for worker in (first, second):
            await asyncio.to_thread(worker.kill)
            worker.start()
            await p.until(partial(p.has_partitions, worker), what="partitions")
            assert instance_of(worker) == names[worker]
        assert first.runs

    unmanned.run(test)


def test_a_worker_whose_name_is_taken_in_a_slow_rebalance_ends_too(unmanned: Rig) -> None:
    """Kafka says it while nothing is fetched, and aiokafka tells only those who fetch."""

    async def test(p: Pipeline) -> None:
        worker = p.worker()
        worker.module = slow_consumer.__name__
        await p.at_work(worker)
        async with joining_as(instance_of(worker), p.stack.kafka_bootstrap, p.log):
            await asyncio.to_thread(wait_for, lambda: not worker.runs, LIMIT_S, "the worker's end")
        assert_its_name_was_taken(worker)

    unmanned.run(test)


@asynccontextmanager
async def joining_as(name: str, bootstrap: str, log: Generation) -> AsyncIterator[None]:
    """Join the workers' group under a name again and again, and never wait for partitions."""
    wanted = ConsumerProtocolMemberMetadata(2, [log.topic], b"").encode()
    session = SESSION_SECONDS * 1000
    join = JoinGroupRequest(log.group, session, 60_000, "", name, "consumer", [("faust", wanted)])
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        broker = await client.coordinator_lookup(CoordinationType.GROUP, log.group)
        assert await client.ready(broker, group=ConnectionGroup.COORDINATION)

        async def again_and_again() -> None:
            while True:
                with suppress(KafkaError):
                    await client.send(broker, join, group=ConnectionGroup.COORDINATION)
                await asyncio.sleep(0)

        joining = asyncio.create_task(again_and_again())
        try:
            yield
        finally:
            joining.cancel()
    finally:
        await client.close()


def assert_its_name_was_taken(worker: Worker) -> None:
    said = worker.failure()
    assert said.startswith("badges: another worker ")
    assert f"the name {instance_of(worker)} " in said


def test_a_worker_whose_name_another_takes_ends_with_one_line(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        run_dir = p.stack.infra.layout.run_dir
        first = p.worker(BADGES_INSTANCE_DIRECTORY=str(run_dir / "original"), **LONG_SESSION)
        await p.at_work(first)
        shutil.copytree(run_dir / "original", run_dir / "copy")
        second = p.worker(BADGES_INSTANCE_DIRECTORY=str(run_dir / "copy"), **LONG_SESSION)
        second.start()
        both = (first, second)
        await asyncio.to_thread(
            wait_for, lambda: not all(worker.runs for worker in both), LIMIT_S, "the end of one"
        )

        # The other may have heard of its last return by now, and be about to end too.
        ended = next(worker for worker in both if not worker.runs)
        assert_its_name_was_taken(ended)

    unmanned.run(test)
