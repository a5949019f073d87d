"""What writing a turn to Postgres costs, the commit's fsync included, in the worker's role.

Small turns as live rows make them, on one partition and on twelve at once; large turns as a
backfill makes them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from statistics import quantiles
from uuid import uuid4

from bench.figures import Figure
from bench.site import Bench
from sinks.base import Turn
from sinks.pool import Pool, create_pool
from sinks.postgres import PostgresSink
from tables.decisions import Cause, Decision
from tables.types import Award, Stats
from tests.stack import Stack

LOG = "bench"
PARTITIONS = 12
WARM_UP = 20
EARNED = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)
EARNED_ON = 20_514

Content = tuple[Sequence[Decision], Sequence[Stats]]


def measure(bench: Bench) -> list[Figure]:
    """Write turns to a database of their own."""
    return asyncio.run(_run(bench, bench.postgres.create_database()))


class Writer:
    """One partition: the turn that comes next, and the mentors it may name."""

    def __init__(self, sink: PostgresSink, partition: int, mentors: Sequence[str]) -> None:
        self._sink = sink
        self._partition = partition
        self._number = 0
        self.mentors = mentors
        self.granted = 0

    def cause(self) -> Cause:
        """The next record."""
        return Cause(LOG, self._partition, self._number)

    async def write(self, content: Content) -> float:
        """Write one turn and return how many seconds it took."""
        number = self._number
        self._number += 1
        turn = Turn(LOG, self._partition, number, number, number + 1, (), (), *content)
        began = time.perf_counter()
        await self._sink.write(turn)
        return time.perf_counter() - began


def stats_of(mentor: str, count: int) -> Stats:
    """Stats of a mentor after `count` activities."""
    return Stats(
        peer_mentor_id=mentor,
        activity_count=count,
        minutes_total=30 * count,
        active_days=count,
        counts_by_type={"visit": count, "phone": 3},
        training_count=2,
        first_activity_on=20_000,
        last_activity_on=20_000 + count,
        day_streak_longest=7,
        day_streak_length=3,
        day_streak_last_on=20_000 + count,
        week_streak_longest=9,
        week_streak_length=4,
        week_streak_last_on=20_000,
        month_streak_longest=5,
        month_streak_length=2,
        month_streak_last_on=20_000,
    )


def grant(cause: Cause, mentor: str, definition: str) -> Decision:
    """A grant with the evidence of 50 rows."""
    award = Award(
        cause.award_id(mentor, definition), mentor, definition, EARNED, 1, earned_on=EARNED_ON
    )
    evidence = {"definition_version": 1, "rows": [str(uuid4()) for _ in range(50)], "count": 50}
    return Decision("granted", cause, None, award, 1, evidence)


def one_row(writer: Writer, number: int) -> Content:
    """What one activity usually makes: stats alone."""
    return [], [stats_of(writer.mentors[number % len(writer.mentors)], number)]


def one_award(definitions: Sequence[str]) -> Callable[[Writer, int], Content]:
    """What the activity that earns a badge makes: a grant, and stats."""

    def content(writer: Writer, number: int) -> Content:
        place, writer.granted = writer.granted, writer.granted + 1
        mentor = writer.mentors[place % len(writer.mentors)]
        definition = definitions[place // len(writer.mentors)]
        return [grant(writer.cause(), mentor, definition)], [stats_of(mentor, number)]

    return content


async def one_writer(
    name: str, writer: Writer, turns: int, content: Callable[[Writer, int], Content]
) -> list[Figure]:
    """Milliseconds a turn, one after the other."""
    for number in range(WARM_UP):
        await writer.write(content(writer, number))
    taken = quantiles([await writer.write(content(writer, n)) for n in range(turns)], n=100)
    about = f"writing a turn with {name}, one after the other"
    return [
        Figure(f"sink_{name.replace(' ', '_')}_p{share}", taken[share - 1] * 1e3, "ms", about)
        for share in (50, 99)
    ]


async def all_writers(writers: Sequence[Writer], turns: int) -> Figure:
    """Turns a second with every partition writing at once."""

    async def write(writer: Writer) -> None:
        for number in range(turns):
            await writer.write(one_row(writer, number))

    began = time.perf_counter()
    await asyncio.gather(*(write(writer) for writer in writers))
    rate = len(writers) * turns / (time.perf_counter() - began)
    return Figure("sink_turns", rate, "turns/s", f"with one row, {len(writers)} partitions at once")


async def large_turns(writer: Writer, definitions: Sequence[str], rounds: int) -> list[Figure]:
    """Rows a second where a turn grants to every mentor, and where it writes everybody's stats."""
    granting = 0.0
    for definition in definitions:
        decisions = [grant(writer.cause(), mentor, definition) for mentor in writer.mentors]
        granting += await writer.write((decisions, []))
    writing = 0.0
    for number in range(rounds):
        stats = [stats_of(mentor, number) for mentor in writer.mentors]
        writing += await writer.write(([], stats))
    count = len(writer.mentors)
    return [
        Figure(
            "sink_grants", count * len(definitions) / granting, "rows/s", f"{count:,} grants a turn"
        ),
        Figure("sink_stats", count * rounds / writing, "rows/s", f"{count:,} rows of stats a turn"),
    ]


async def figures(owner: Pool, worker: Pool, bench: Bench) -> list[Figure]:
    """Every figure, on a migrated database without a log of its own."""
    turns = bench.size(500, 100)
    sink = PostgresSink(worker)
    mentors, definitions = await people(owner, PARTITIONS * 1_000), await catalogue(owner, 20)
    await owner.execute(
        """
        INSERT INTO badge_logs (log_id, generation, topic, slot, connector, partitions,
                                system_identifier, timeline, state)
        VALUES ($1, 1, '', '', '', $2, '', 1, 'live')
        """,
        LOG,
        PARTITIONS,
    )
    await owner.execute(
        """
        INSERT INTO badge_log_positions (log_id, partition, next_offset, turn)
        SELECT $1, n - 1, 0, 0 FROM generate_series(1, $2::int) AS n
        """,
        LOG,
        PARTITIONS,
    )
    writers = [
        Writer(sink, partition, mentors[partition::PARTITIONS]) for partition in range(PARTITIONS)
    ]
    return [
        *await one_writer("one row", writers[0], turns, one_row),
        *await one_writer("an award", writers[0], turns, one_award(definitions[:1])),
        await all_writers(writers, bench.size(200, 40)),
        *await large_turns(writers[1], definitions[1:11], bench.size(10, 2)),
    ]


async def people(owner: Pool, count: int) -> list[str]:
    """Insert mentors and return their ids."""
    rows = await owner.fetch(
        """
        WITH o AS (INSERT INTO organizations (slug) VALUES ('bench') RETURNING id)
        INSERT INTO peer_mentors (organization_id)
        SELECT o.id FROM o, generate_series(1, $1::int) RETURNING id::text
        """,
        count,
    )
    return [row["id"] for row in rows]


async def catalogue(owner: Pool, count: int) -> list[str]:
    """Insert definitions and return their ids."""
    rows = await owner.fetch(
        """
        INSERT INTO badge_definitions (key, criteria, status)
        SELECT n::text, '{}', 'active' FROM generate_series(1, $1::int) AS n RETURNING id::text
        """,
        count,
    )
    return [row["id"] for row in rows]


@asynccontextmanager
async def pools(stack: Stack, url: str) -> AsyncIterator[tuple[Pool, Pool]]:
    """The owner's and the worker's connections to a new database, migrated now."""
    await stack.migrate(url)
    worker_url = stack.role_url("badges_worker", url)
    async with (
        await create_pool(url, application_name="bench") as owner,
        await create_pool(worker_url, max_size=16, application_name="bench") as worker,
    ):
        yield owner, worker


async def _run(bench: Bench, url: str) -> list[Figure]:
    async with pools(bench.postgres, url) as (owner, worker):
        return await figures(owner, worker, bench)
