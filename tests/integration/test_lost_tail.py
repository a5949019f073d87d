"""A broker that comes back without its last records is found out by the ends it had."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from badges.console.stack import provisioning
from badges.streams import generations
from badges.streams.continuity import Break, Continuity
from badges.streams.facts import CannotTell
from tests import kafka_files
from tests.log_site import add_activities, add_mentor, own_site, written
from tests.stack import Stack

LIMIT = 60.0

pytestmark = pytest.mark.usefixtures("local")


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
