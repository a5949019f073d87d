"""A worker that is far behind catches up in bounded memory, and its group hears from it."""

import asyncio
import time
from datetime import date, timedelta
from uuid import UUID, uuid4

from tests.integration.pipeline import Pipeline, Rig, count_of
from tests.integration.workers import LONG_SESSION

MENTORS, VISITS = 400, 250
BYTES_A_ROW = 250
"""What a ledger may hold for an activity."""
BUFFERS = 150_000_000
"""Bytes for fetches, batches and what Python keeps for itself."""


def test_a_backlog_is_decided_in_bounded_memory_without_losing_the_session(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        reached, one_short = [await p.badge(organization, count_of(VISITS + n)) for n in (0, 1)]
        for number in range(10):
            rolling = count_of(50 + number, "visit", window={"rolling_days": 90})
            await p.badge(organization, rolling, revocable=True)
        worker = p.worker(**LONG_SESSION)
        await p.at_work(worker)
        await p.settle()
        idle = worker.peak_memory()
        await asyncio.to_thread(worker.ask_to_end)
        await write_backlog(p, organization)

        began = time.monotonic()
        worker.start()
        await p.settle()
        took = time.monotonic() - began
        peak = worker.peak_memory()
        rows = MENTORS * VISITS
        print(f"{rows:,} rows behind: {took:.0f} s, peak {peak >> 20} MB, idle {idle >> 20} MB")

        assert peak - idle < rows * BYTES_A_ROW + BUFFERS
        assert len(worker.said("partitions assigned")) == 1
        holders = await p.pool.fetch(
            "SELECT badge_definition_id, count(*) FROM badge_awards "
            "WHERE badge_definition_id = ANY ($1) GROUP BY 1",
            [reached, one_short],
        )
        assert [tuple(row) for row in holders] == [(reached, MENTORS)]

    unmanned.run(test)


async def write_backlog(p: Pipeline, organization: UUID) -> None:
    """Write many rows by COPY, and return when all are in the log."""
    before = await p.log_size()
    mentors = [uuid4() for _ in range(MENTORS)]
    first = date(2025, 1, 1)
    async with p.pool.acquire() as connection:
        await connection.copy_records_to_table(
            "peer_mentors",
            records=[(mentor, organization, "Nobody", True) for mentor in mentors],
            columns=["id", "organization_id", "display_name", "active"],
        )
        await connection.copy_records_to_table(
            "activities",
            records=[
                (uuid4(), mentor, "visit", first + timedelta(days=day))
                for day in range(VISITS)
                for mentor in mentors
            ],
            columns=["id", "peer_mentor_id", "activity_type", "activity_date"],
        )

    async def arrived() -> bool:
        return await p.log_size() >= before + MENTORS * (VISITS + 1)

    await p.until(arrived, what="that the log has the backlog")
