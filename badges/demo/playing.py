"""Playing the script: every moment in its second, each transaction in a connection of its own."""

import asyncio
import time
from collections.abc import Callable, Sequence

from badges.demo.world import Moment, Transaction
from sinks.pool import Pool


async def play(
    pool: Pool,
    script: Sequence[tuple[float, Moment]],
    take: Callable[[Moment, float], None],
) -> None:
    """Save each moment when it is due, and tell `take` when its COMMIT had returned.

    The time is this process's monotonic clock in seconds; of several transactions that are saved at
    once, it is that of the first. A moment that is slow to commit does not hold up the next one.
    One that fails ends the others, and its error is raised.
    """
    began = time.perf_counter()
    try:
        async with asyncio.TaskGroup() as tasks:
            for due, moment in script:
                await asyncio.sleep(began + due - time.perf_counter())
                tasks.create_task(_save(pool, moment, take))
    except BaseExceptionGroup as errors:
        raise _cause(errors) from None


def _cause(error: BaseException) -> BaseException:
    """The error itself: each group of tasks has wrapped it in one more."""
    return _cause(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


async def _save(pool: Pool, moment: Moment, take: Callable[[Moment, float], None]) -> None:
    together = asyncio.Barrier(len(moment.transactions))
    # The others wait at the barrier for one that fails: the group cancels them.
    async with asyncio.TaskGroup() as group:
        saves = [group.create_task(_commit(pool, each, together)) for each in moment.transactions]
    take(moment, min(save.result() for save in saves))


async def _commit(pool: Pool, transaction: Transaction, together: asyncio.Barrier) -> float:
    async with pool.acquire() as connection:
        async with connection.transaction():
            for statement in transaction:
                await connection.execute(*statement)
            await together.wait()
        return time.perf_counter()
