"""New versions are taken up by one partition after another; rows do not wait for that."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from sinks.base import Position
from streams.partition_worker import PartitionWorker
from streams.throttle import Throttle
from tests.builders import OTHER_ORGANIZATION, activity, definition, mentor, organization
from tests.unit.chaos import LOG, World, run

BADGE = definition("a", {"type": "threshold", "metric": "count", "at_least": 1})


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_without_a_pause_nobody_waits() -> None:
    throttle = Throttle()
    with throttle.taking_up():
        assert throttle.is_open
    assert throttle.is_open


def test_the_next_begins_a_pause_after_the_end_of_the_one_before() -> None:
    clock = Clock()
    throttle = Throttle(5, clock)
    assert throttle.is_open
    with throttle.taking_up():
        clock.now = 100
        assert not throttle.is_open
    assert not throttle.is_open
    clock.now = 104.9
    assert not throttle.is_open
    clock.now = 105
    assert throttle.is_open


def test_two_that_could_not_wait_are_both_waited_for() -> None:
    clock = Clock()
    throttle = Throttle(5, clock)
    with throttle.taking_up():
        with throttle.taking_up():
            pass
        clock.now = 100
        assert not throttle.is_open


def test_one_that_fails_lets_the_next_begin() -> None:
    clock = Clock()
    throttle = Throttle(5, clock)
    with pytest.raises(ZeroDivisionError), throttle.taking_up():
        raise ZeroDivisionError
    clock.now = 5
    assert throttle.is_open


@asynccontextmanager
async def one_that_waits() -> AsyncIterator[tuple[World, ExitStack]]:
    """A worker that has decided one mentor, while another partition takes versions up.

    That ends when the stack is closed.
    """
    world = World(0)
    world._save(organization())
    world._put(mentor(), before_start=True)
    world.start = len(world.log.records[0])
    world.sink.set_position(LOG, 0, world.start)
    guard, services = world._services()
    throttle = Throttle(5, asyncio.get_running_loop().time)
    services = replace(services, throttle=throttle)
    worker = PartitionWorker(
        0, services, lambda: len(world.log.records[0]), lambda _: None, lambda _: 1
    )
    tasks = [asyncio.create_task(guard.watch()), asyncio.create_task(worker.run())]
    await until(lambda: (position(world) or Position(0, 0)).turn > 0)
    with ExitStack() as other:
        other.enter_context(throttle.taking_up())
        yield world, other
    for task in tasks:
        task.cancel()


def position(world: World) -> Position | None:
    """Where the partition stands."""
    return world.sink._positions.get((LOG, 0))


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    for _ in range(600):
        if condition():
            return
        await asyncio.sleep(0.5)
    raise AssertionError("it never came about")


async def decided(world: World) -> None:
    """Wait until every record is decided."""
    end = len(world.log.records[0])
    await until(lambda: (position(world) or Position(0, 0)).next_offset == end)


def test_rows_are_decided_while_a_new_version_waits() -> None:
    async def story() -> None:
        async with one_that_waits() as (world, _):
            world._save(BADGE)
            world._put(activity("1", "2026-01-01"), before_start=False)
            await decided(world)
            assert await world.awards() == {}
            await asyncio.sleep(60)
            assert await world.awards() == {}

    run(story())


def test_it_is_taken_up_when_the_pause_is_over() -> None:
    async def story() -> None:
        async with one_that_waits() as (world, other):
            world._save(BADGE)
            world._put(activity("1", "2026-01-01"), before_start=False)
            await decided(world)
            other.close()
            await until(lambda: bool(world.sink.events))
            assert [event.source for event in world.sink.events] == ["replay"]

    run(story())


def test_a_row_that_names_what_is_new_waits_for_nobody() -> None:
    async def story() -> None:
        async with one_that_waits() as (world, _):
            world._save(organization(OTHER_ORGANIZATION))
            world._save(BADGE)
            world._put(mentor(organization=OTHER_ORGANIZATION), before_start=False)
            world._put(activity("1", "2026-01-01"), before_start=False)
            await decided(world)
            assert [event.source for event in world.sink.events] == ["stream"]
            assert not world.alerts.alerts

    run(story())
