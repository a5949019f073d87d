"""What could grow without bound: the time that Postgres is away, and a mentor's history."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from reference import partition
from tests.integration.alerts import OF_WAITING, open_kinds
from tests.integration.load import Load, load
from tests.integration.pipeline import Pipeline, Rig, count_of
from tests.integration.workers import LONG_SESSION, SESSION_SECONDS, Worker
from tests.stack import LIMIT_S
from tests.thrifty_reference import ThriftyReference

ROWS, ROWS_A_DAY = 50_000, 50
BYTES_A_ROW = 250
"""What a ledger may hold for an activity."""
BUFFERS = 150_000_000
"""Bytes for fetches, batches and what Python keeps for itself."""
FIRST_DAY = date(2021, 1, 1)

AWAY_SECONDS = 11 * SESSION_SECONDS
"""How long Postgres is away: after one session without a word a member is out."""
VISITS = 25
"""Rows that wait for each mentor."""
SETTLED_SECONDS = 3 * SESSION_SECONDS
"""After so long a worker that waits has all the memory that it will ever need for it."""
MORE_WHILE_WAITING = 20_000_000
"""Bytes that a worker may take for logging its retries and the like."""
RETRIED = "the log's integrity cannot be looked at"
"""What a worker says each time that it looks whether Postgres is back, and finds it is not."""

Activity = tuple[UUID, UUID, str, date, int]
"""Id, mentor, type, date and minutes."""


@pytest.fixture(autouse=True)
def _thrifty(monkeypatch: pytest.MonkeyPatch) -> None:
    """To evaluate so long a history from scratch after every row would take hours."""
    monkeypatch.setattr(partition, "Reference", ThriftyReference)


async def members(p: Pipeline) -> list[tuple[str, bytes]]:
    """The ids and shares of the group's members, as Kafka has them; fails while it rebalances."""
    admin = AIOKafkaAdminClient(**p.site.access.client_options())
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([f"{p.site.prefix}-worker"])
    finally:
        await admin.close()
    group: dict[str, Any] = answer.to_object()["groups"][0]
    assert group["state"] == "Stable"
    return [(member["member_id"], member["member_assignment"]) for member in group["members"]]


async def copy(p: Pipeline, rows: Sequence[Activity]) -> None:
    """Insert activities by COPY, in their order."""
    async with p.pool.acquire() as connection:
        await connection.copy_records_to_table(
            "activities",
            records=rows,
            columns=[
                "id", "peer_mentor_id", "activity_type", "activity_date", "duration_minutes",
            ],
        )  # fmt: skip


@asynccontextmanager
async def held_back(p: Pipeline) -> AsyncIterator[None]:
    """Let no worker move a position, whatever there is to read; the server may die meanwhile."""
    connection = await p.connect()
    try:
        await connection.execute("BEGIN; LOCK TABLE badge_log_positions IN EXCLUSIVE MODE")
        yield
    finally:
        # Nothing can be said to a server that may be dead by now.
        connection.terminate()


async def write_backlog(p: Pipeline, mentors: Sequence[UUID]) -> None:
    """Write many rows, and return when all of them are in the log."""
    before = await p.log_size()
    days = [FIRST_DAY + timedelta(days=n) for n in range(VISITS)]
    await copy(p, [(uuid4(), mentor, "visit", day, 5) for day in days for mentor in mentors])

    async def arrived() -> bool:
        return await p.log_size() >= before + VISITS * len(mentors)

    await p.until(arrived, what="that the log has the backlog")


async def waits(p: Pipeline, worker: Worker, until: float) -> int:
    """Return when it is so late (monotonic seconds) and the worker still tries; its memory."""
    tried = 0

    async def still_tries() -> bool:
        nonlocal tried
        if time.monotonic() < until:
            return False
        now = len(worker.said(RETRIED))
        tried = tried or now
        return now > tried

    await p.until(still_tries, AWAY_SECONDS + LIMIT_S, "that the worker tries again")
    return worker.peak_memory()


def test_postgres_is_away_for_long_while_rows_wait_in_kafka(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        mentors = [await p.mentor(organization) for _ in range(400)]
        reached, one_short = [await p.badge(organization, count_of(VISITS + n)) for n in (0, 1)]
        worker = p.worker(**LONG_SESSION)
        await p.at_work(worker)
        await p.settle()
        idle, member = worker.peak_memory(), await members(p)
        async with load(p, 52) as going:
            await going.more(40)
            async with held_back(p):
                await write_backlog(p, mentors)
                await asyncio.to_thread(p.stack.kill, "postgres")
            gone = time.monotonic()
            early = await waits(p, worker, gone + SETTLED_SECONDS)
            late = await waits(p, worker, gone + AWAY_SECONDS)
            assert await members(p) == member
            await asyncio.to_thread(p.stack.start, "postgres")
            print(f"postgres back: next award after {await p.next_decision():.1f} s")
            await going.more(40)
        print(f"peak {early >> 20} MB, then {late >> 20} MB, idle {idle >> 20} MB")
        assert late - idle < len(mentors) * VISITS * BYTES_A_ROW + BUFFERS
        assert late - early < MORE_WHILE_WAITING
        assert len(worker.said("partitions assigned")) == 1
        assert await members(p) == member

        async def is_quiet() -> bool:
            return await open_kinds(p, but=["definition_invalid", *OF_WAITING]) == []

        # What was refused for a lock of the load's is written before it is told.
        await p.until(is_quiet, what="that nothing is told any more")
        holders = await p.pool.fetch(
            "SELECT badge_definition_id, count(*) FROM badge_awards "
            "WHERE badge_definition_id = ANY ($1) GROUP BY 1",
            [reached, one_short],
        )
        assert [tuple(row) for row in holders] == [(reached, len(mentors))]

    unmanned.run(test)


def history(mentor: UUID, first: int, number: int) -> list[Activity]:
    """So many rows of a mentor in the order of their dates, the first being number `first`."""
    return [
        (
            uuid4(),
            mentor,
            "ward" if n % 3 else "school",
            FIRST_DAY + timedelta(days=n // ROWS_A_DAY),
            n % 90,
        )
        for n in range(first, first + number)
    ]


async def define_badges(p: Pipeline, organization: UUID) -> tuple[UUID, UUID]:
    """Badges of every type that looks at activities; those for all rows and for one more.

    All others are reached early in the history, or the reference would take minutes. The revocable
    ones are lost when a tenth of the rows is deleted, and come back with the late rows.
    """
    tiers = [{"name": name, "at_least": n} for name, n in (("some", 100), ("many", 900))]
    day_streak = {"type": "streak", "period": "day", "length": 30}
    for criteria, revocable in (
        ({"type": "tier", "metric": "count", "tiers": tiers}, True),
        (count_of(ROWS_A_DAY * 30 - 40, window={"rolling_days": 30}), True),
        (count_of(ROWS_A_DAY * 7 - 10, "ward", "school", window={"calendar": "week"}), True),
        (day_streak | {"per_period": 10, "activity_types": ["ward"]}, False),
        ({"type": "streak", "period": "month", "length": 12, "grace": 1}, False),
        ({"type": "all", "of": [count_of(2000, "ward"), day_streak]}, False),
    ):
        await p.badge(organization, criteria, revocable=revocable)
    reached, one_more = [await p.badge(organization, count_of(n)) for n in (ROWS, ROWS + 1)]
    return reached, one_more


async def a_newcomer_gets_a_badge(p: Pipeline, going: Load) -> float:
    """Somebody else unlocks a badge; the seconds that it took."""
    organization, mentor = await p.newcomer()
    badge = await p.badge(organization, count_of(2))
    for day in (1, 2):
        await p.activity(mentor, f"2026-02-0{day}")
    began = time.monotonic()
    await p.until(lambda: p.award(mentor, badge), what="somebody else's badge")
    took = time.monotonic() - began
    await going.more(5)
    return took


@asynccontextmanager
async def frozen(p: Pipeline, mentor: UUID) -> AsyncIterator[None]:
    """Let the mentor be inactive meanwhile: all that happens is decided at once afterwards."""
    change = "UPDATE peer_mentors SET active = $2 WHERE id = $1"
    await p.pool.execute(change, mentor, False)
    yield
    await p.pool.execute(change, mentor, True)


async def change_history(p: Pipeline, mentor: UUID, rows: Sequence[Activity]) -> None:
    """Deletions, late rows and corrections, by thousands and one by one."""
    await p.pool.execute("DELETE FROM activities WHERE id = ANY ($1)", [r[0] for r in rows[::10]])
    late = history(mentor, 1000, 2010)
    for row in late[:10]:
        await copy(p, [row])
    async with frozen(p, mentor):
        await copy(p, late[10:])
    correct = (
        "UPDATE activities SET activity_date = activity_date - $2::int, activity_type = 'school', "
        "duration_minutes = duration_minutes + 5 WHERE id = ANY ($1)"
    )
    async with frozen(p, mentor):
        await p.pool.execute(correct, [row[0] for row in rows[1::20]], 400)
    for row in rows[2:20_000:2000]:
        await p.pool.execute(correct, [row[0]], 3)


def test_a_mentor_with_many_thousand_rows(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        reached, one_more = await define_badges(p, organization)
        mentor = await p.mentor(organization)
        worker = p.worker(**LONG_SESSION)
        await p.at_work(worker)
        await p.settle()
        idle, member = worker.peak_memory(), await members(p)
        rows = history(mentor, 0, ROWS)
        took: list[float] = []
        # To decide so long a history anew for each rule that others save would take too long.
        async with load(p, 51, saves=False) as going:
            for first in range(0, ROWS, 10_000):
                await copy(p, rows[first : first + 10_000])
                took.append(await a_newcomer_gets_a_badge(p, going))
            await p.until(lambda: p.award(mentor, reached), what="the badge for all rows")
            assert await p.award(mentor, one_more) is None
            assert await members(p) == member
            await change_history(p, mentor, rows)
            took.append(await a_newcomer_gets_a_badge(p, going))
            await p.settle()
            peak = worker.peak_memory()
            assert await members(p) == member
        print(
            f"others' badges after {', '.join(f'{seconds:.1f}' for seconds in took)} s; "
            f"peak {peak >> 20} MB, idle {idle >> 20} MB"
        )
        assert peak - idle < ROWS * BYTES_A_ROW + BUFFERS
        assert len(worker.said("partitions assigned")) == 1

    unmanned.run(test)
