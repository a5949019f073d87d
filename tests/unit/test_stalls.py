"""A turn that cannot be written: told after a while, tried less often then, and closed at last."""

import asyncio
from random import Random

import pytest

from sinks.backoff import delays
from sinks.base import Outcome, Turn
from sinks.errors import Disconnected, Unavailable
from sinks.refused_writes import STALLED, STALLED_SECONDS
from tests.builders import Storyteller
from tests.unit.chaos import LOG, UnreliableSink, World, run

HOUR = 3600.0


class Stuck(UnreliableSink):
    """A sink that writes nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__(Random(1))
        self.reason: Unavailable | None = Unavailable("no right (42501)", sqlstate="42501")
        self.tries: list[float] = []

    async def write(self, turn: Turn) -> Outcome:
        if self.reason:
            self.tries.append(asyncio.get_running_loop().time())
            raise self.reason
        return await super().write(turn)


async def stuck_world() -> tuple[World, Stuck, list["asyncio.Task[None]"]]:
    world, sink = World(7), Stuck()
    world.sink = sink
    for happening in list(Storyteller(world.random).tell(20)):
        world._happen(happening)
    sink.set_position(LOG, 0, 0)
    guard, services = world._services()
    watching = asyncio.create_task(guard.watch())
    world._begin(services)
    return world, sink, [watching, world._partition_workers[0][1]]


def test_it_is_told_and_closed_when_it_is_written() -> None:
    async def story() -> None:
        world, sink, tasks = await stuck_world()
        await asyncio.sleep(STALLED_SECONDS - 5)
        assert world.alerts.alerts == []
        await asyncio.sleep(10)
        (alert,) = world.alerts.alerts
        assert (alert.kind, alert.subject) == (STALLED, "0")
        assert alert.detail["sqlstate"] == "42501"
        assert "no right" in str(alert.detail["message"])
        assert alert.resolved_at is None
        sink.reason = None
        await asyncio.sleep(15)
        assert alert.resolved_at is not None
        position = await sink.position(LOG, 0)
        assert position is not None
        assert position.turn > 0
        assert len(world.alerts.alerts) == 1
        for task in tasks:
            task.cancel()

    run(story())


def test_it_is_told_again_when_somebody_has_closed_it() -> None:
    async def story() -> None:
        world, _, tasks = await stuck_world()
        await asyncio.sleep(STALLED_SECONDS + 10)
        await world.alerts.resolve(STALLED, subject="0")
        await asyncio.sleep(STALLED_SECONDS + 15)
        assert [alert.resolved_at is None for alert in world.alerts.alerts] == [False, True]
        for task in tasks:
            task.cancel()

    run(story())


def test_it_is_tried_every_few_seconds_and_no_oftener() -> None:
    async def story() -> None:
        _, sink, tasks = await stuck_world()
        await asyncio.sleep(HOUR)
        last = [at for at in sink.tries if at > sink.tries[0] + HOUR / 2]
        assert HOUR / 2 / 12 < len(last) < HOUR / 2 / 4
        assert len(sink.tries) < 900
        for task in tasks:
            task.cancel()

    run(story())


def test_what_ends_in_good_time_is_no_stall() -> None:
    async def story() -> None:
        world, sink, tasks = await stuck_world()
        for _ in range(10):
            sink.reason = Disconnected("the connection broke")
            await asyncio.sleep(STALLED_SECONDS / 2)
            sink.reason = None
            await asyncio.sleep(10)
        assert [alert.kind for alert in world.alerts.alerts] == []
        for task in tasks:
            task.cancel()

    run(story())


@pytest.mark.parametrize("seconds", [10.0, 60.0])
def test_delays_grow_up_to_a_bound(seconds: float) -> None:
    spent, tries = 0.0, 0
    for delay in delays():
        spent, tries = spent + delay, tries + 1
        if spent > seconds:
            break
    assert tries < seconds * 2 + 8
