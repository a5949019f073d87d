"""A new badge on a history of 200,000 activities, beside rows that go on being decided.

Each of the mentors qualifies, so as many awards are written as there are mentors, and none twice.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from uuid import UUID, uuid4

from bench.definitions import criteria_text
from bench.figures import Figure, Target, percentile
from bench.live import Unlocks, insert, live, mentor_id, until_all
from bench.site import Bench
from tests.integration.pipeline import Pipeline, count_of

ACTIVITIES = 10
"""Of each mentor, a day apart."""
NEWCOMERS = 400
"""Mentors who do something for the first time, half of them before and half of them meanwhile."""
EVERY_S = 0.025
PATIENCE = 600.0

_INSERT = """
INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date, duration_minutes)
SELECT gen_random_uuid(), mentor, 'visit', date '2026-01-01' + n, 30
FROM unnest($1::uuid[]) AS mentor, generate_series(1, $2::int) AS n
"""
_HOLD_IT = "SELECT count(*) FROM badge_awards WHERE badge_definition_id = $1"
_GRANTED = """
SELECT count(*), count(DISTINCT peer_mentor_id) AS mentors FROM badge_award_events
WHERE badge_definition_id = $1 AND kind = 'granted'
"""


def measure(bench: Bench) -> list[Figure]:
    """Save one badge when the history is decided; what each row waits for before and meanwhile."""
    mentors = bench.size(20_000, 500)
    with live(bench, mentors=mentors + NEWCOMERS) as (rig, _):
        seconds, before, meanwhile = rig.run(partial(_measure, mentors=mentors))
    history = f"{mentors * ACTIVITIES:,} activities"
    return [
        Figure(
            "backfill",
            seconds,
            "s",
            f"a new badge on {history}, until all {mentors:,} mentors hold it, once each",
            target=Target(at_most=10),
        ),
        Figure(
            "backfill_live_p99",
            percentile(meanwhile, 0.99),
            "ms",
            "commit to award visible of rows meanwhile, the 99th of a hundred; baseline: before",
            percentile(before, 0.99),
        ),
    ]


async def _measure(pipe: Pipeline, mentors: int) -> tuple[float, list[float], list[float]]:
    """Seconds until everybody holds the badge; of rows before and meanwhile, until their award."""
    everybody = [mentor_id(number) for number in range(mentors)]
    for first in range(0, mentors, 1_000):
        await pipe.pool.execute(_INSERT, everybody[first : first + 1_000], ACTIVITIES)
    await pipe.settle(PATIENCE)
    newcomers = [mentor_id(mentors + number) for number in range(NEWCOMERS)]
    unlocks = Unlocks()
    async with unlocks.watched(pipe):
        before = await _delays(pipe, unlocks, newcomers[::2])
        badge = uuid4()
        began = time.perf_counter()
        await pipe.pool.execute(
            "INSERT INTO badge_definitions (id, key, name, description, criteria, status) "
            "VALUES ($1, 'new', 'New', 'A badge', $2, 'active')",
            badge,
            criteria_text(count_of(ACTIVITIES // 2)),
        )
        reached = asyncio.create_task(_reached(pipe, badge, mentors))
        meanwhile = await _delays(pipe, unlocks, newcomers[1::2])
        seconds = await reached - began
    row = await pipe.pool.fetchrow(_GRANTED, badge)
    if row is None or tuple(row) != (mentors, mentors):
        raise RuntimeError(f"the badge was granted {row}, and not once to each of {mentors}")
    return seconds, before, meanwhile


async def _reached(pipe: Pipeline, badge: UUID, mentors: int) -> float:
    """When everybody held it."""

    async def held() -> bool:
        return bool(await pipe.pool.fetchval(_HOLD_IT, badge) == mentors)

    await pipe.until(held, PATIENCE, "everybody to hold the badge")
    return time.perf_counter()


async def _delays(pipe: Pipeline, unlocks: Unlocks, mentors: Sequence[UUID]) -> list[float]:
    """Seconds from the commit of each mentor's first activity until the award is visible."""
    committed: dict[UUID, float] = {}
    for mentor in mentors:
        _, committed[mentor] = await insert(pipe.pool, mentor)
        await asyncio.sleep(EVERY_S)
    await until_all(unlocks.at, set(mentors), PATIENCE)
    return [unlocks.at[mentor] - at for mentor, at in committed.items()]
