"""Of those who ask for what few may have at once, each waits for a bounded time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def queued(
    places: asyncio.Semaphore, within_s: float, otherwise: Exception | None = None
) -> AsyncIterator[None]:
    """Have one of the places during the block, in the order of asking.

    Raises TimeoutError, or what is given for it, when none is free in time; what the block itself
    raises stays as it is.
    """
    try:
        async with asyncio.timeout(within_s):
            await places.acquire()
    except TimeoutError:
        if otherwise is None:
            raise
        raise otherwise from None
    try:
        yield
    finally:
        places.release()
