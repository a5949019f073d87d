"""A million activities that wait in the log: the whole worker with its Postgres, and a restart.

The rows are committed through Postgres, Debezium and Kafka while no worker runs. Each mentor earns
all eight badges, so that 40,000 awards with their events, the statistics and the positions are
written. Processor time is counted from the first turn on; the start of a process is not an event's.
"""

import time
from collections.abc import Mapping
from functools import partial
from statistics import median
from typing import Any

import psutil
from msgspec import Struct

from bench.definitions import criteria_text
from bench.figures import Figure, Target
from bench.live import PARTITIONS, SESSION_SECONDS, mentor_id, people
from bench.site import Bench
from sinks.pool import Pool
from tests.integration.pipeline import Pipeline, pipeline
from tests.integration.workers import Worker

ACTIVITIES = 200
"""Of each mentor: one every other day."""
LEVELS = (1, 10, 50, 100, 200)
WEEKS_IN_A_ROW = (4, 12, 26)
AT_ONCE = 20_000
"""Rows of one transaction of the application."""
PATIENCE = 600.0

_INSERT = """
INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date, duration_minutes)
SELECT md5(n::text)::uuid, (ids.all)[n % $3 + 1], (array['visit', 'phone', 'chat'])[n % 3 + 1],
    date '2024-01-01' + 2 * (n / $3), 30
FROM generate_series($1::int, $2::int - 1) n, (SELECT $4::uuid[] AS all) ids
"""
_BEGUN = "SELECT bool_or(turn > 1) FROM badge_log_positions WHERE log_id = $1"
DECIDED = """
SELECT bool_and(next_offset >= ($2::bigint[])[partition + 1])
FROM badge_log_positions WHERE log_id = $1
"""
_AWARDS = "SELECT count(*) FROM badge_awards"


class Lap(Struct, frozen=True):
    """What one lap took: seconds, seconds of processor time by process, and bytes."""

    events: int
    seconds: float
    worker: float
    postgres: float
    kafka: float
    memory: int
    alone: float
    """From the start of one worker over the whole log until its partitions are caught up."""
    together: float
    """The same with two."""
    joined: float
    """From the start of a second worker until it has its share of the partitions."""

    @property
    def cost(self) -> float:
        """Microseconds of the worker's processor time an event."""
        return self.worker / self.events * 1e6

    @property
    def whole_cost(self) -> float:
        """The same with what Postgres and the broker spent meanwhile."""
        return (self.worker + self.postgres + self.kafka) / self.events * 1e6


def measure(bench: Bench) -> list[Figure]:
    """Run some laps, each in a database and on a log of its own, and give the medians."""
    mentors = bench.size(5_000, 250)
    laps = [_lap(bench, mentors) for _ in range(bench.size(3, 1))]

    def middle(name: str) -> float:
        return median(float(getattr(lap, name)) for lap in laps)

    events = laps[0].events
    return [
        Figure(
            "backlog_rate",
            median(lap.events / lap.seconds for lap in laps),
            "events/s",
            f"the whole worker reads {events:,} activities, eight definitions; written to Postgres",
        ),
        Figure(
            "backlog_cpu",
            middle("cost"),
            "us/event",
            "processor time of the worker",
            target=Target(at_most=11),
        ),
        Figure(
            "backlog_cpu_all",
            middle("whole_cost"),
            "us/event",
            "processor time of worker, Postgres and broker",
            target=Target(at_most=15),
        ),
        Figure("backlog_postgres", middle("postgres"), "s", "processor time of Postgres"),
        Figure(
            "backlog_memory",
            middle("memory") / 1e6,
            "MB",
            "the most memory that the worker had",
            target=Target(at_most=400),
        ),
        Figure("backlog_restart", middle("alone"), "s", "one worker is started anew over it"),
        Figure(
            "backlog_restart_two",
            middle("together"),
            "s",
            "two workers are started anew over it; baseline: one",
            middle("alone"),
        ),
        Figure(
            "backlog_joined",
            middle("joined"),
            "s",
            "from the start of a second worker until it has its partitions",
            target=Target(at_most=3),
        ),
    ]


def _lap(bench: Bench, mentors: int) -> Lap:
    with pipeline(
        bench.stack, before=partial(before, mentors=mentors), partitions=PARTITIONS
    ) as rig:
        return rig.run(partial(_work_off, mentors=mentors))


async def _work_off(pipe: Pipeline, mentors: int) -> Lap:
    events = mentors * ACTIVITIES
    ends = await fill(pipe, mentors)
    worker = pipe.worker(BADGES_SESSION_TIMEOUT=SESSION_SECONDS)
    worker.start()
    log_id = pipe.log.log_id
    await pipe.until(lambda: pipe.pool.fetchval(_BEGUN, log_id), PATIENCE, "the first turn")
    began, spent = time.monotonic(), spent_so_far(pipe, worker)
    await pipe.until(lambda: pipe.pool.fetchval(DECIDED, log_id, ends), PATIENCE, "the last turn")
    seconds = time.monotonic() - began
    used = {name: at - spent[name] for name, at in spent_so_far(pipe, worker).items()}
    memory = worker.peak_memory()
    wanted = mentors * (len(LEVELS) + len(WEEKS_IN_A_ROW))
    awarded = await pipe.pool.fetchval(_AWARDS)
    if awarded != wanted:
        raise RuntimeError(f"{awarded} awards were written, and not {wanted}")
    await pipe.settle(PATIENCE)
    alone, joined, together = await _restarts(pipe, worker)
    return Lap(
        events, seconds, **used, memory=memory, alone=alone, together=together, joined=joined
    )


async def fill(pipe: Pipeline, mentors: int) -> list[int]:
    """Commit all activities; return the end of each partition once the log holds them."""
    ids, rows = [mentor_id(number) for number in range(mentors)], mentors * ACTIVITIES
    wanted = await pipe.log_size() + rows
    for first in range(0, rows, AT_ONCE):
        await pipe.pool.execute(_INSERT, first, min(first + AT_ONCE, rows), mentors, ids)

    async def filled() -> bool:
        return await pipe.log_size() >= wanted

    await pipe.until(filled, PATIENCE, "the log to hold every row")
    (topic,) = (await pipe.site.cluster.topics([pipe.log.topic])).values()
    return await pipe.site.cluster.ends(topic)


async def _restarts(pipe: Pipeline, worker: Worker) -> tuple[float, float, float]:
    """Seconds of a restart alone, of a second worker's joining, and of a restart of both."""
    worker.ask_to_end(30)
    alone = await _until_caught_up(pipe, worker)
    second = pipe.worker(BADGES_SESSION_TIMEOUT=SESSION_SECONDS)
    began = time.monotonic()
    second.start()
    await pipe.until(lambda: pipe.has_partitions(second), PATIENCE, "a share of the partitions")
    joined = time.monotonic() - began
    await pipe.settle(PATIENCE)
    for each in (worker, second):
        each.ask_to_end(30)
    return alone, joined, await _until_caught_up(pipe, worker, second)


async def _until_caught_up(pipe: Pipeline, *workers: Worker) -> float:
    began = time.monotonic()
    for worker in workers:
        worker.start()

    async def caught_up() -> bool:
        found = {said["partition"] for each in workers for said in each.said("caught up")}
        return len(found) == pipe.log.partitions

    await pipe.until(caught_up, PATIENCE, "every partition to be caught up")
    return time.monotonic() - began


def spent_so_far(pipe: Pipeline, worker: Worker) -> Mapping[str, float]:
    """Seconds of processor time that each has used so far."""
    return {
        "worker": processor_time(worker.process),
        "postgres": _tree_time(pipe.stack.process("postgres")),
        "kafka": processor_time(pipe.stack.process("kafka")),
    }


def processor_time(process: psutil.Process) -> float:
    """Seconds that a process has used so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _tree_time(process: psutil.Process) -> float:
    """A server's and that of its sessions, ended ones included."""
    times = process.cpu_times()
    ended = times.children_user + times.children_system
    return (
        times.user
        + times.system
        + ended
        + sum(map(processor_time, process.children(recursive=True)))
    )


async def before(pool: Pool, mentors: int) -> None:
    """Insert so many mentors and the eight definitions."""
    await people(pool, mentors)
    await pool.executemany(
        "INSERT INTO badge_definitions (key, name, description, criteria, status) "
        "VALUES ($1, $1, 'A badge', $2, 'active')",
        [(f"badge-{place}", criteria_text(each)) for place, each in enumerate(_criteria())],
    )


def _criteria() -> list[dict[str, Any]]:
    counts = [{"type": "threshold", "metric": "count", "at_least": level} for level in LEVELS]
    weeks = [{"type": "streak", "period": "week", "length": length} for length in WEEKS_IN_A_ROW]
    return [*counts, *weeks]
