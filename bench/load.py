"""A thousand single inserts a second while everything runs on the same cores."""

import asyncio
import time
from functools import partial
from uuid import UUID

from bench.figures import Figure, Target, percentile
from bench.live import Unlocks, insert, live, mentor_id, until_all
from bench.site import Bench
from tests.integration.pipeline import Pipeline

A_SECOND = 1000
SAMPLED = 20
"""One in so many inserts is the first of its mentor and earns a badge, whose time is taken."""
BUSY = 500
"""The mentors of all other inserts."""
TICK = 0.01


def measure(bench: Bench) -> list[Figure]:
    """Insert for a minute, then wait until everything is decided."""
    seconds = bench.size(60, 10)
    inserts = A_SECOND * seconds
    with live(bench, mentors=BUSY + inserts // SAMPLED) as (rig, _):
        rate, delays, lag = rig.run(partial(_load, inserts=inserts))
    return [
        Figure(
            "load_rate",
            rate,
            "inserts/s",
            f"single-row commits over {seconds} s, all parts on the same cores; baseline: wanted",
            A_SECOND,
            Target(at_least=0.98, of_ratio=True),
        ),
        Figure("load_p50", percentile(delays, 0.5), "ms", "commit to award visible meanwhile"),
        Figure("load_p99", percentile(delays, 0.99), "ms", "the same, the 99th of a hundred"),
        Figure(
            "load_lag_after",
            lag,
            "s",
            "from the last commit until nothing is left to decide",
            target=Target(at_most=5),
        ),
    ]


async def _load(pipe: Pipeline, inserts: int) -> tuple[float, list[float], float]:
    """Inserts a second that were made, seconds from each sampled commit, and the lag's end."""
    unlocks = Unlocks()
    committed: dict[UUID, float] = {}
    async with unlocks.watched(pipe):
        began = time.perf_counter()
        await _insert(pipe, inserts, committed)
        ended = time.perf_counter()
        await pipe.settle(300)
        lag = time.perf_counter() - ended
        await until_all(unlocks.at, set(committed), 30)
    delays = [unlocks.at[mentor] - at for mentor, at in committed.items()]
    return inserts / (ended - began), delays, lag


async def _insert(pipe: Pipeline, inserts: int, committed: dict[UUID, float]) -> None:
    """Begin so many inserts a second, however long each takes; note the sampled commits."""

    async def one(number: int) -> None:
        if number % SAMPLED:
            await insert(pipe.pool, mentor_id(number % BUSY))
        else:
            mentor = mentor_id(BUSY + number // SAMPLED)
            _, committed[mentor] = await insert(pipe.pool, mentor)

    clock, a_tick = asyncio.get_running_loop().time, int(A_SECOND * TICK)
    async with asyncio.TaskGroup() as group:
        began = clock()
        for first in range(0, inserts, a_tick):
            await asyncio.sleep(began + first / A_SECOND - clock())
            for number in range(first, first + a_tick):
                group.create_task(one(number))
