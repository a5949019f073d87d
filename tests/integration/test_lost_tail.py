"""A broker that comes back without its last records is found out, also when it has grown past."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from badges.console.stack import provisioning
from badges.streams import generations
from badges.streams.continuity import Break, Continuity
from badges.streams.facts import CannotTell
from tests import kafka_files
from tests.integration.pipeline import Pipeline, Rig, count_of, partition_of, pipeline
from tests.integration.test_source_live import told
from tests.log_site import add_activities, add_mentor, own_site, written
from tests.stack import Stack

LIMIT = 60.0

pytestmark = pytest.mark.usefixtures("local")


@pytest.fixture
def rig(stack: Stack) -> Iterator[Rig]:
    """A pipeline of the test's own: its generation does not last."""
    with pipeline(stack) as own:
        yield own


def data(stack: Stack) -> Path:
    """Where the broker keeps its partitions."""
    return stack.infra.layout.run_dir / "kafka" / "data"


def restarted_without(stack: Stack, topic: str, partition: int, batches: int) -> int:
    """Let the broker lose the last batches of a partition; the end it has then."""
    stack.stop("connect")
    stack.stop("kafka")
    end = kafka_files.cut(data(stack), topic, partition, batches)
    stack.start("kafka")
    stack.start("connect")
    return end


async def end_of(p: Pipeline, partition: int) -> int:
    topic = (await p.site.cluster.topics([p.log.topic]))[p.log.topic]
    return (await p.site.cluster.ends(topic))[partition]


def test_a_log_that_lost_its_end_and_grew_past_it_is_found_out(rig: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(3), revocable=True)
        partition = partition_of(mentor, p.log.partitions)
        worker = p.worker()
        await p.at_work(worker)
        for day in range(10, 13):
            await p.activity(mentor, f"2026-01-{day}")
            await p.settle()
        assert await p.award(mentor, badge) is not None
        before = await p.stats(mentor)
        decided = (await generations.decided(p.pool, p.log.log_id))[partition]
        assert decided.last is not None
        assert decided.last.offset == decided.next_offset - 1
        await asyncio.to_thread(worker.kill)

        end = await asyncio.to_thread(restarted_without, p.stack, p.log.topic, partition, 2)
        assert end < decided.next_offset
        await add_activities_until(p, mentor, partition, decided.highest_end + 5)
        await asyncio.to_thread(worker.start)

        message = await told(p, "log_rewritten", LIMIT)
        assert f"offset {decided.last.offset} of partition {partition} holds another" in message
        noted = await generations.find(p.site.connection, p.log.log_id)
        assert noted is not None
        assert (noted.state, await p.stats(mentor)) == ("broken", before)

    rig.run(test)


async def add_activities_until(p: Pipeline, mentor: object, partition: int, end: int) -> None:
    """Insert rows of a mentor until their partition has so many records."""
    async with asyncio.timeout(LIMIT):
        while await end_of(p, partition) < end:
            await p.pool.execute(
                "INSERT INTO activities (peer_mentor_id, activity_type, activity_date) "
                "SELECT $1, 'visit', '2026-02-01' FROM generate_series(1, 10)",
                mentor,
            )
            await asyncio.sleep(0.5)


def test_a_log_that_was_longer_before_is_short(stack: Stack, database_url: str) -> None:
    # What is lost was not decided yet: no worker runs.
    async def test() -> None:
        async with own_site(stack, database_url, partitions=1) as site:
            mentor = await add_mentor(site.connection, activities=3)
            live = await provisioning.provision(site)
            for number in range(2):
                await add_activities(site.connection, mentor, 2)
                await written(site, live, sum(live.starts) + 2 * number + 2)
            continuity = Continuity(live, site.connection, site.cluster, site.connect)
            assert await continuity.look() is None
            highest = (await generations.decided(site.connection, live.log_id))[0].highest_end
            assert highest == live.starts[0] + 4

            end = await asyncio.to_thread(restarted_without, stack, live.topic, 0, 1)
            assert live.starts[0] <= end < highest
            found = await _verdict(continuity)

            assert found is not None
            assert (found.kind, found.lasting) == ("log_short", True)
            assert f"ends at offset {end}, and did at {highest} before" in str(found)

    asyncio.run(test())


async def _verdict(continuity: Continuity) -> Break | None:
    async with asyncio.timeout(LIMIT):
        while True:
            with suppress(CannotTell):
                return await continuity.look()
            await asyncio.sleep(0.2)
