"""Whether a task is to end, or only something that it awaits was cancelled.

Libraries cancel tasks of their own and await them, and an error on the way out of a transaction
takes the place of a cancellation. A task that is mistaken about it ends in silence, or lives on.
"""

import asyncio
from collections.abc import Awaitable


def is_cancelled() -> bool:
    """Whether the task that runs here was cancelled itself, by whoever holds it or by a timeout."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def uncancelled(work: Awaitable[None]) -> None:
    """Await work; that it was cancelled from inside is an error (RuntimeError) like any other."""
    try:
        await work
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise
        raise RuntimeError("something that it awaits was cancelled, and not by us") from error
