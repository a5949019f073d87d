"""A cancellation is one of the task that it is meant for, and of no other."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg
import pytest

from sinks.cancellation import uncancelled
from sinks.errors import Disconnected
from sinks.failures import translated


async def cancelled_from_inside() -> None:
    inner = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    inner.cancel()
    await inner


async def fails_on_the_way_out() -> None:
    """As a transaction does of which the rollback fails."""
    with translated():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise asyncpg.InterfaceError("connection is closed") from None


def test_that_something_inside_was_cancelled_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="not by us"):
        asyncio.run(uncancelled(cancelled_from_inside()))


@pytest.mark.parametrize("work", [lambda: asyncio.sleep(60), fails_on_the_way_out])
def test_a_task_that_is_cancelled_is(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def test() -> None:
        task = asyncio.create_task(uncancelled(work()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(test())


def test_a_time_limit_stays_one() -> None:
    async def test() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await uncancelled(fails_on_the_way_out())
        with translated(), pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.sleep(60)
        with pytest.raises(Disconnected), translated():
            raise asyncpg.InterfaceError("a time limit that is over cancels nobody any more")

    asyncio.run(test())
