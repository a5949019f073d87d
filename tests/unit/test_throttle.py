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


class Waiter:
    """One that asks, and notes when it is told to ask again."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle
        self.woken: list[float] = []

    def may_begin(self) -> bool:
        """Whether it may begin now."""
        return self._throttle.may_begin(self._wake)

    def _wake(self) -> None:
        assert self.may_begin()
        self.woken.append(now())


def now() -> float:
    """The loop's time, in tenths of seconds."""
    return round(asyncio.get_running_loop().time(), 1)


def test_one_begins_when_the_one_before_has_ended() -> None:
    async def story() -> None:
        throttle = Throttle()
        one, other = Waiter(throttle), Waiter(throttle)
        assert one.may_begin()
        with throttle.taking_up():
            await asyncio.sleep(10)
            assert not other.may_begin()
            assert not other.may_begin()
        began = now()
        await asyncio.sleep(1)
        # In the loop's next turn, and by the machine's own clock.
        assert [at - began < 1 for at in other.woken] == [True]
        assert one.woken == []

    run(story())


def test_with_a_pause_it_begins_that_much_later() -> None:
    async def story() -> None:
        throttle = Throttle(5)
        other = Waiter(throttle)
        with throttle.taking_up():
            pass
        began = now()
        assert not other.may_begin()
        await asyncio.sleep(4)
        assert not other.may_begin()
        await asyncio.sleep(60)
        assert len(other.woken) == 1
        assert 4.9 <= other.woken[0] - began <= 5.5

    run(story())


def test_one_that_does_not_come_to_an_end_is_not_waited_for() -> None:
    async def story() -> None:
        throttle = Throttle()
        other = Waiter(throttle)
        with throttle.taking_up():
            assert not other.may_begin()
            await asyncio.sleep(300)
            assert len(other.woken) == 1
            with throttle.taking_up():
                assert not other.may_begin()

    run(story())


def test_one_that_fails_lets_the_next_begin() -> None:
    async def story() -> None:
        throttle = Throttle()
        other = Waiter(throttle)
        with pytest.raises(ZeroDivisionError), throttle.taking_up():
            raise ZeroDivisionError
        await asyncio.sleep(0.1)
        assert other.may_begin()

    run(story())


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
    throttle = Throttle(5)
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
            await asyncio.sleep(10)
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
