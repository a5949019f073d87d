"""A worker that is killed in mid-load and started again: how long nobody gets a badge, and counts.

Half of the mentors get exactly as many activities as a badge needs, the others one less, so that
anything counted twice gives somebody a badge.
"""

import asyncio
from datetime import UTC, datetime
from functools import partial

from bench.figures import Figure, Target
from bench.live import insert, live, mentor_id
from bench.site import Bench
from tests.integration.pipeline import Pipeline, count_of
from tests.integration.workers import Worker

NEEDED = 10
A_SECOND = 300

_COUNTED_WRONG = """
SELECT count(*) FROM peer_mentors m
LEFT JOIN (SELECT peer_mentor_id, count(*) AS rows, sum(duration_minutes) AS minutes
           FROM activities GROUP BY 1) a ON a.peer_mentor_id = m.id
LEFT JOIN peer_mentor_stats s ON s.peer_mentor_id = m.id
LEFT JOIN badge_awards b ON b.peer_mentor_id = m.id AND b.badge_definition_id = $1
WHERE (coalesce(a.rows, 0), coalesce(a.minutes, 0), coalesce(a.rows, 0) >= $2)
    IS DISTINCT FROM (s.activity_count, s.minutes_total, b.id IS NOT NULL)
"""
_NEXT_AWARD = "SELECT min(awarded_at) FROM badge_awards WHERE awarded_at > $1"
_HISTORY = """
INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date, duration_minutes)
SELECT gen_random_uuid(), $1, 'phone', date '2025-01-01' + n % 300, 20
FROM generate_series(1, $2) n
"""


def measure(bench: Bench) -> list[Figure]:
    """Kill the worker in mid-load and start it again at once, as a supervisor does."""
    mentors, history = bench.size(400, 100), bench.size(40_000, 2_000)
    with live(bench, mentors=mentors + 1) as (rig, worker):
        pause, wrong = rig.run(partial(_kill, worker=worker, mentors=mentors, history=history))
    return [
        Figure(
            "restart_to_award",
            pause,
            "s",
            f"kill -9 of the worker until the next award, with {history:,} rows to catch up on",
            target=Target(at_most=5),
        ),
        Figure(
            "restart_miscounts",
            wrong,
            "mentors",
            f"of {mentors:,}, whose counts or badges differ from the rows afterwards",
            target=Target(at_most=0),
        ),
    ]


async def _kill(pipe: Pipeline, worker: Worker, mentors: int, history: int) -> tuple[float, float]:
    badge = await pipe.badge(None, count_of(NEEDED), key="ten")
    await pipe.pool.execute(_HISTORY, mentor_id(mentors), history)
    await pipe.settle(120)
    loading = asyncio.create_task(_load(pipe, mentors))
    await asyncio.sleep(mentors * NEEDED / A_SECOND * 0.4)
    await asyncio.to_thread(worker.kill)
    killed = datetime.now(UTC)
    worker.start()
    await pipe.until(lambda: pipe.pool.fetchval(_NEXT_AWARD, killed), 60, "the next award")
    await loading
    await pipe.settle(120)
    awarded = await pipe.pool.fetchval(_NEXT_AWARD, killed)
    wrong = await pipe.pool.fetchval(_COUNTED_WRONG, badge, NEEDED)
    return (awarded - killed).total_seconds(), wrong


async def _load(pipe: Pipeline, mentors: int) -> None:
    """Lead one mentor after the other up to the badge, or up to one short of it."""
    clock = asyncio.get_running_loop().time
    began, sent = clock(), 0
    for number in range(mentors):
        for _ in range(NEEDED - number % 2):
            await asyncio.sleep(began + sent / A_SECOND - clock())
            await insert(pipe.pool, mentor_id(number))
            sent += 1
