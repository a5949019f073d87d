"""What a partition worker does while nothing comes, and while it does not know whether any does."""

import asyncio
from datetime import UTC, datetime

import msgspec.structs
import pytest

from sinks.base import Turn
from streams.partition_worker import PARTITION_FAILED, Batch, PartitionWorker
from tables.types import Award
from tests.builders import MENTOR, mentor, organization
from tests.doubles.memory_sink import MemorySink
from tests.unit.chaos import LOG, World, run


async def idle_world() -> tuple[World, list["asyncio.Task[None]"], PartitionWorker]:
    """A world whose worker has decided all, and has heard of no end of the log yet."""
    world = World(0)
    world.versions.keep(organization())
    world._put(mentor(), before_start=True)
    world.start = len(world.log.records[0])
    world.sink.set_position(LOG, 0, world.start)
    guard, services = world._services()
    await world.alerts.raise_alert(PARTITION_FAILED, {"message": "before"}, subject="0")
    worker = PartitionWorker(0, services, lambda: None, lambda _: None, lambda _: 1)
    return world, [asyncio.create_task(guard.watch()), asyncio.create_task(worker.run())], worker


def test_an_end_that_is_not_known_is_no_end() -> None:
    """A rebalance takes it away; what a person gave may be in the log, and not fetched yet."""

    async def story() -> None:
        world, tasks, _ = await idle_world()
        earned = datetime(2026, 2, 9, tzinfo=UTC)
        by_hand = Award("a", MENTOR, "d", earned, 1, awarded_by="anna", changed_by="anna")
        world.sink.put_award(by_hand)
        await asyncio.sleep(60)
        assert [(a.kind, a.resolved_at) for a in world.alerts.alerts] == [(PARTITION_FAILED, None)]
        for task in tasks:
            task.cancel()

    run(story())


@pytest.mark.parametrize("steps", range(6))
def test_one_that_is_woken_as_it_is_cancelled_ends(steps: int) -> None:
    async def story() -> None:
        _, tasks, worker = await idle_world()
        await asyncio.sleep(30.3)
        worker.wake()
        for _ in range(steps):
            await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(1)
        assert tasks[1].done()
        tasks[0].cancel()

    run(story())


def test_what_was_fetched_before_a_rebalance_makes_room_for_what_is_fetched_again() -> None:
    async def story() -> None:
        world = World(0)
        _, services = world._services()
        worker = PartitionWorker(0, services, lambda: None, lambda _: None, lambda _: 1)
        done = []
        for number in range(100):
            worker.offer(Batch((), lambda number=number: done.append(number)))  # type: ignore[misc]
        assert done == list(range(99))
        assert worker._batches.qsize() == 1

    run(story())


def test_what_a_replay_was_refused_is_tried_again_though_nothing_comes() -> None:
    async def story() -> None:
        world, tasks, _ = await idle_world()
        await asyncio.sleep(10)
        at = await world.sink.position(LOG, 0)
        assert at is not None
        world.sink.refusing["stats", MENTOR] = "P0001"
        stats = [msgspec.structs.replace(world.sink.stats[MENTOR], activity_count=7)]
        turn = Turn(LOG, 0, at.turn, at.next_offset, at.next_offset, stats=stats)
        await MemorySink.write(world.sink, turn)
        world.sink.refusing.clear()
        assert world.sink.queue.rows
        await asyncio.sleep(200)
        assert world.sink.queue.rows == []
        assert world.sink.stats[MENTOR].activity_count == 7
        for task in tasks:
            task.cancel()

    run(story())
