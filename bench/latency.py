"""From the commit of one row to the award that it earns, and how much of that is not ours."""

import asyncio
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from bench.figures import Figure, Target, percentile
from bench.live import PARTITIONS, Arrivals, Unlocks, insert, live, mentor_id, until_all
from bench.site import Bench
from tests.integration.pipeline import Pipeline, partition_of

A_SECOND = 20
WARM_UP = 20
"""Inserts that are made first and not counted: connections, caches and code are cold."""


_SLOW_TURNS = """
CREATE FUNCTION bench_slow() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN PERFORM pg_sleep(0.15); RETURN NULL; END$$;
CREATE TRIGGER bench_slow AFTER INSERT ON badge_awards
FOR EACH STATEMENT EXECUTE FUNCTION bench_slow();
"""
"""A turn with an award takes so long where Postgres is far away."""


def measure(bench: Bench) -> list[Figure]:
    """Insert one row after the other, each the first of a mentor, which earns a badge."""
    inserts, slow = bench.size(600, 60) + WARM_UP, bench.size(200, 40) + WARM_UP
    mentors = [mentor_id(number) for number in range(inserts + 2 * PARTITIONS * slow)]
    neighbours = [each for each in mentors[inserts:] if partition_of(each, PARTITIONS) == 0][:slow]
    with live(bench, mentors=len(mentors)) as (rig, _):
        to_kafka, to_award = rig.run(partial(insert_and_watch, mentors=mentors[:inserts]))
        rig.run(lambda pipe: pipe.pool.execute(_SLOW_TURNS))
        _, slowly = rig.run(partial(insert_and_watch, mentors=neighbours))
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
        *(
            Figure(
                f"award_slow_{name}",
                percentile(slowly, share),
                "ms",
                f"{about} mentors of one partition, each turn with an award 150 ms longer",
            )
            for name, share, about in (
                ("p50", 0.5, "commit to award visible:"),
                ("p99", 0.99, "the 99th of a hundred:"),
            )
        ),
    ]


async def insert_and_watch(
    pipe: Pipeline, mentors: Sequence[UUID]
) -> tuple[list[float], list[float]]:
    """Seconds from each commit to Kafka's consumer, and to the award; an insert a mentor.

    Those of the first WARM_UP are not counted.
    """
    unlocks, arrivals = Unlocks(), Arrivals()
    committed: dict[UUID, tuple[UUID, float]] = {}
    async with unlocks.watched(pipe), arrivals.watched(pipe):
        begin = asyncio.get_running_loop().time()
        for number, mentor in enumerate(mentors):
            await asyncio.sleep(begin + number / A_SECOND - asyncio.get_running_loop().time())
            committed[mentor] = await insert(pipe.pool, mentor)
        await until_all(unlocks.at, set(committed), 30)
        await until_all(arrivals.at, {row for row, _ in committed.values()}, 30)
    counted = list(committed.items())[WARM_UP:]
    return (
        [arrivals.at[row] - at for _, (row, at) in counted],
        [unlocks.at[mentor] - at for mentor, (_, at) in counted],
    )
