"""What is measured once for all who ask."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

_Found = TypeVar("_Found")


class Shared(Generic[_Found]):
    """One measurement at a time, which all who ask meanwhile share, and `good_for_s` after it.

    So what others are asked does not depend on how many ask here.
    """

    def __init__(self, measure: Callable[[], Awaitable[_Found]], good_for_s: float) -> None:
        self._measure = measure
        self._good_for_s = good_for_s
        self._measuring: asyncio.Task[_Found] | None = None
        self._good_until = 0.0

    async def now(self) -> _Found:
        """What was measured, `good_for_s` ago at most. Raises what measuring does."""
        clock = asyncio.get_running_loop().time
        task = self._measuring
        if task is None or (task.done() and clock() >= self._good_until):
            task = self._measuring = asyncio.create_task(self._once())
        # Whoever goes away takes nothing from the others.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End what is being measured."""
        if self._measuring is not None:
            self._measuring.cancel()
            await asyncio.wait([self._measuring])

    async def _once(self) -> _Found:
        try:
            return await self._measure()
        finally:
            self._good_until = asyncio.get_running_loop().time() + self._good_for_s
