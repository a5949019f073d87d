"""Asking again and again until something is so."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Result = TypeVar("Result")

POLL_S = 0.2


async def poll(
    look: Callable[[], Awaitable[Result | None]],
    *,
    within: float | None = None,
    every: float = POLL_S,
) -> Result:
    """Look until something is found, and return that. Raises TimeoutError after `within` seconds.

    The time counts for a look that does not come to an end as well.
    """
    async with asyncio.timeout(within):
        while True:
            found = await look()
            if found:
                return found
            await asyncio.sleep(every)
