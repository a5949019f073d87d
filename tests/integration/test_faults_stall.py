"""When the log's integrity breaks, the worker says so and writes nothing any more."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from streams.log.generations import Generation
from streams.write_guard import LOOKED
from tests.integration.alerts import OF_WAITING, open_kinds
from tests.integration.breaks import add_partitions, drop_slot, make_topic_again
from tests.integration.pipeline import Pipeline, count_of, partition_of, pipeline
from tests.integration.workers import Worker
from tests.own_site import OwnSite
from tests.stack import Stack


async def send_a_snapshot_row(site: OwnSite, live: Generation) -> None:
    found = await site.connection.fetchrow("SELECT id, organization_id FROM peer_mentors LIMIT 1")
    assert found is not None
    mentor: UUID = found["id"]
    row = {
        "__table": "peer_mentors",
        "__op": "r",
        "__source_lsn": 1,
        "__source_sequence": '[null,"1"]',
        "id": str(mentor),
        "organization_id": str(found["organization_id"]),
        "active": True,
    }
    async with AIOKafkaProducer(**site.access.client_options()) as producer:
        await producer.send_and_wait(
            live.topic,
            msgspec.json.encode(row),
            str(mentor).encode(),
            partition=partition_of(mentor, live.partitions),
        )


@pytest.mark.parametrize(
    "damage", [add_partitions, drop_slot, make_topic_again, send_a_snapshot_row]
)
def test_a_worker_whose_log_broke_writes_nothing(
    stack: Stack, damage: Callable[[OwnSite, Generation], Awaitable[None]]
) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker(BADGES_LOG_LEVEL="DEBUG")
        await p.at_work(worker)
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2))
        await p.activity(mentor, "2026-01-01")
        await p.settle()
        assert await open_kinds(p, but=OF_WAITING) == []

        await damage(p.site, p.log)

        async def is_told() -> bool:
            return await open_kinds(p, but=OF_WAITING) != []

        await p.until(is_told, what="the alert")
        before = await written(p)
        size = await p.log_size()
        await p.activity(mentor, "2026-01-02")
        await p.badge(organization, count_of(1))
        if damage in (add_partitions, send_a_snapshot_row):  # the connector still runs
            await p.until(lambda: grew(p, size), what="the row in the log")
        await two_more_looks(p, worker)
        await asyncio.to_thread(worker.ask_to_end)

        kinds = await open_kinds(p, but=OF_WAITING)
        assert len(kinds) == 1, kinds
        assert await written(p) == before
        assert await p.award(mentor, badge) is None

    with pipeline(stack) as rig:
        rig.run(test)


async def grew(p: Pipeline, size: int) -> bool:
    return await p.log_size() > size


async def two_more_looks(p: Pipeline, worker: Worker) -> None:
    """Give the worker the time to write: a look began and ended, and after each it would."""
    seen = len(worker.said(LOOKED))

    async def looked() -> bool:
        return len(worker.said(LOOKED)) >= seen + 2

    await p.until(looked, what="two more looks at the integrity")


async def written(p: Pipeline) -> list[list[asyncpg.Record]]:
    """Everything that a worker writes."""
    positions = "SELECT log_id, partition, next_offset, turn, turn_id FROM badge_log_positions"
    return [
        # The highest end of each partition is what was seen, not what was decided.
        await p.pool.fetch(f"{positions} ORDER BY 1, 2")
    ] + [
        await p.pool.fetch(f"SELECT * FROM {table} ORDER BY 1, 2, 3")
        for table in (
            "badge_awards",
            "badge_award_events",
            "peer_mentor_stats",
            "badge_rule_positions",
        )
    ]
