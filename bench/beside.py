"""From a commit to its award while `badges replay` reads the whole log beside the worker."""

import asyncio
from contextlib import suppress
from functools import partial

from bench.figures import Figure, percentile
from bench.latency import WARM_UP, insert_and_watch
from bench.live import live, mentor_id
from bench.site import Bench
from tests.integration.commands import Command
from tests.integration.pipeline import Pipeline

ROUNDS = 3
"""With and without in turn: what else the machine does is then in both."""
ROWS = 200
"""Of each mentor of the history that is replayed: one a day."""
PATIENCE = 600.0

_HISTORY = """
INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date, duration_minutes)
SELECT gen_random_uuid(), mentor, (ARRAY['visit', 'phone', 'chat'])[1 + n % 3],
    date '2025-01-01' + n, 20
FROM unnest($1::uuid[]) AS mentor, generate_series(1, $2::int) AS n
"""


def measure(bench: Bench) -> list[Figure]:
    """Insert as the latency section does, without a replay and with one, in turn."""
    inserts, old = bench.size(400, 40), bench.size(1_000, 50)
    counted = 2 * ROUNDS * (inserts + WARM_UP)
    with live(bench, mentors=counted + old) as (rig, _):
        alone, beside = rig.run(partial(_in_turn, inserts=inserts, counted=counted, old=old))
    return [
        Figure(
            f"beside_replay_{name}",
            percentile(beside, share),
            "ms",
            f"{about} while a replay runs at its default rate; baseline: without",
            percentile(alone, share),
        )
        for name, share, about in (
            ("p50", 0.5, "commit to award visible"),
            ("p99", 0.99, "the same, the 99th of a hundred"),
        )
    ]


async def _in_turn(
    pipe: Pipeline, inserts: int, counted: int, old: int
) -> tuple[list[float], list[float]]:
    """Seconds from each commit to its award: without a replay, and with one."""
    history = [mentor_id(counted + number) for number in range(old)]
    await pipe.pool.execute(_HISTORY, history, ROWS)
    await pipe.settle(PATIENCE)
    alone: list[float] = []
    beside: list[float] = []
    number = inserts + WARM_UP
    for first in range(0, counted, 2 * number):
        mentors = [mentor_id(first + each) for each in range(2 * number)]
        alone += (await insert_and_watch(pipe, mentors[:number]))[1]
        replaying = asyncio.create_task(_replay_again_and_again(pipe))
        try:
            beside += (await insert_and_watch(pipe, mentors[number:]))[1]
        finally:
            replaying.cancel()
            with suppress(asyncio.CancelledError):
                await replaying
    return alone, beside


async def _replay_again_and_again(pipe: Pipeline) -> None:
    """A replay that goes on until the task is cancelled; one that fails raises."""
    while True:
        command = await Command(pipe, "replay").start()
        try:
            code, _, errors = await command.end()
        except asyncio.CancelledError:
            await command.kill()
            raise
        if code:
            raise RuntimeError(f"badges replay ended with {code}: {errors}")
