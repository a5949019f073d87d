"""A partition worker that ends, however it does, ends the worker and is told."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

from streams.partition_worker import PARTITION_FAILED
from streams.worker import Worker
from tests.doubles.memory_alerts import MemoryAlerts
from tests.unit.test_cancellation import cancelled_from_inside


class Driven:
    """A worker of which only what drives a partition worker is there."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self.alerts = MemoryAlerts()
        self.crashes: list[BaseException] = []
        worker = Worker.__new__(Worker)
        worker._services = SimpleNamespace(alerts=self.alerts)  # type: ignore[assignment]
        worker._app = SimpleNamespace(crash=self._crash)
        partition_worker = SimpleNamespace(partition=3, run=work)
        self.task = asyncio.create_task(worker._drive(partition_worker))  # type: ignore[arg-type]

    async def _crash(self, error: BaseException) -> None:
        self.crashes.append(error)


def test_what_is_cancelled_inside_of_it_crashes_the_worker() -> None:
    async def test() -> None:
        driven = Driven(cancelled_from_inside)
        await asyncio.wait([driven.task])
        assert not driven.task.cancelled()
        assert [type(error) for error in driven.crashes] == [RuntimeError]
        assert [(a.kind, a.subject) for a in driven.alerts.alerts] == [(PARTITION_FAILED, "3")]

    asyncio.run(test())


def test_one_that_is_taken_away_is_cancelled_in_silence() -> None:
    async def test() -> None:
        driven = Driven(asyncio.Event().wait)  # type: ignore[arg-type]
        await asyncio.sleep(0)
        driven.task.cancel()
        await asyncio.wait([driven.task])
        assert driven.task.cancelled()
        assert (driven.crashes, driven.alerts.alerts) == ([], [])

    asyncio.run(test())
