"""How a worker ends: a partition worker's end, of any kind, and its names in the group."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Self

import pytest

from streams import worker as worker_module
from streams.errors import GenerationClosed
from streams.partition_worker import PARTITION_FAILED
from streams.worker import Worker
from tests.builders import generation
from tests.doubles.memory_alerts import MemoryAlerts
from tests.unit.chaos import run
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


class Slow:
    """A cluster of which every answer takes 8 s; the names that have left a group."""

    def __init__(self) -> None:
        self.left: list[str] = []

    def __call__(self, _: object, *, patience: float) -> Self:
        self._patience = patience
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def leave(self, _: str, names: Sequence[str]) -> None:
        """Let them leave, unless that takes longer than whoever asks waits for an answer."""
        async with asyncio.timeout(self._patience):
            await asyncio.sleep(8)
        self.left.extend(names)


def test_names_of_earlier_generations_may_take_their_time_to_leave_and_its_own_may_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Slow()
    monkeypatch.setattr(worker_module, "Cluster", cluster)

    async def closed() -> None:
        raise GenerationClosed("generation 4 is live")

    async def story() -> None:
        worker = Worker.__new__(Worker)
        worker._generation = generation(number=3)
        worker._options = SimpleNamespace(kafka=None)  # type: ignore[assignment]
        worker._static_member = SimpleNamespace(name="host")  # type: ignore[assignment]
        worker._member = "host-3"
        worker._work = closed  # type: ignore[method-assign]
        with pytest.raises(GenerationClosed):
            await worker.run()
        assert cluster.left == ["host-1", "host-2"]

    run(story())
