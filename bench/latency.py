"""From the commit of one row to the award that it earns, and how much of that is not ours."""

import asyncio
from functools import partial
from uuid import UUID

from bench.figures import Figure, Target, percentile
from bench.live import Arrivals, Unlocks, insert, live, mentor_id, until_all
from bench.site import Bench
from tests.integration.pipeline import Pipeline

A_SECOND = 20
WARM_UP = 20
"""Inserts that are made first and not counted: connections, caches and code are cold."""


def measure(bench: Bench) -> list[Figure]:
    """Insert one row after the other, each the first of a mentor, which earns a badge."""
    inserts = bench.size(600, 60)
    with live(bench, mentors=inserts + WARM_UP) as (rig, _):
        to_kafka, to_award = rig.run(partial(insert_and_watch, first=0, inserts=inserts))
    return [
        Figure(
            "award_p50",
            percentile(to_award, 0.5),
            "ms",
            f"commit to award visible, {A_SECOND} inserts/s; baseline: commit to Kafka consumer",
            percentile(to_kafka, 0.5),
            Target(at_most=30),
        ),
        Figure(
            "award_p99",
            percentile(to_award, 0.99),
            "ms",
            "the same, the 99th of a hundred; baseline: commit to Kafka consumer",
            percentile(to_kafka, 0.99),
            Target(at_most=100),
        ),
    ]


async def insert_and_watch(
    pipe: Pipeline, first: int, inserts: int
) -> tuple[list[float], list[float]]:
    """Seconds from each commit to Kafka's consumer, and to the award.

    Each insert is of another mentor, from the one numbered `first` on: `inserts` and WARM_UP.
    """
    unlocks, arrivals = Unlocks(), Arrivals()
    committed: dict[UUID, tuple[UUID, float]] = {}
    async with unlocks.watched(pipe), arrivals.watched(pipe):
        begin = asyncio.get_running_loop().time()
        for number in range(inserts + WARM_UP):
            await asyncio.sleep(begin + number / A_SECOND - asyncio.get_running_loop().time())
            mentor = mentor_id(first + number)
            committed[mentor] = await insert(pipe.pool, mentor)
        await until_all(unlocks.at, set(committed), 30)
        await until_all(arrivals.at, {row for row, _ in committed.values()}, 30)
    counted = list(committed.items())[WARM_UP:]
    return (
        [arrivals.at[row] - at for _, (row, at) in counted],
        [unlocks.at[mentor] - at for mentor, (_, at) in counted],
    )
