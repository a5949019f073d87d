"""A whole pipeline that is measured: people, the twenty definitions, a worker, and two clocks.

One clock stops when an award's row can be seen, the other when a row has come out of Kafka.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.definitions import CRITERIA, ORGANIZATION, criteria_text
from bench.site import Bench
from sinks.pool import Pool
from streams.log.kafka import KafkaAccess
from tests.integration.pipeline import Pipeline, Rig, pipeline
from tests.integration.workers import Worker

PARTITIONS = 12
SESSION_SECONDS = "30"
"""Both as they are without any setting."""
FIRST_BADGE = UUID(int=1)
"""The badge for the first activity, of whatever kind."""

_TELL_AWARDS = f"""
CREATE OR REPLACE FUNCTION bench_tell() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN PERFORM pg_notify('bench_awards', NEW.peer_mentor_id::text); RETURN NULL; END$$;
CREATE OR REPLACE TRIGGER bench_tell AFTER INSERT ON badge_awards FOR EACH ROW
WHEN (NEW.badge_definition_id = '{FIRST_BADGE}') EXECUTE FUNCTION bench_tell();
"""
_INSERT = """
INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date, duration_minutes)
VALUES ($1, $2, 'visit', '2026-01-01', 30)
"""


@contextmanager
def live(bench: Bench, mentors: int) -> Iterator[tuple[Rig, Worker]]:
    """A pipeline with so many mentors, nobody of whom has done anything yet, and one worker."""
    before = partial(_before, mentors=mentors)
    with pipeline(bench.stack, before=before, partitions=PARTITIONS) as rig:
        worker = rig.pipeline.worker(BADGES_SESSION_TIMEOUT=SESSION_SECONDS)
        worker.start()
        rig.run(lambda pipe: pipe.settle(60))
        yield rig, worker


def mentor_id(number: int) -> UUID:
    """The id of a mentor, by number from 0."""
    return UUID(int=(1 << 96) + number)


async def insert(pool: Pool, mentor: UUID) -> tuple[UUID, float]:
    """Insert an activity of a mentor; its id, and when the commit was acknowledged."""
    row = UUID(int=time.time_ns() << 32 | mentor.int & 0xFFFFFFFF)
    await pool.execute(_INSERT, row, mentor)
    return row, time.perf_counter()


class Unlocks:
    """When the badge for the first activity of a mentor could be seen."""

    def __init__(self) -> None:
        self.at: dict[UUID, float] = {}

    @asynccontextmanager
    async def watched(self, pipe: Pipeline) -> AsyncIterator[None]:
        """Listen; a notification comes with the commit that makes the row visible."""
        async with pipe.pool.acquire() as connection:
            await connection.execute(_TELL_AWARDS)
            await connection.add_listener("bench_awards", self._seen)
            try:
                yield
            finally:
                await connection.remove_listener("bench_awards", self._seen)

    def _seen(self, *told: Any) -> None:
        self.at[UUID(told[-1])] = time.perf_counter()


class Arrivals:
    """When an activity's record came out of Kafka."""

    def __init__(self) -> None:
        self.at: dict[UUID, float] = {}

    @asynccontextmanager
    async def watched(self, pipe: Pipeline) -> AsyncIterator[None]:
        """Read the log from its end on."""
        consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
            **KafkaAccess(pipe.stack.kafka_bootstrap).client_options(), enable_auto_commit=False
        )
        await consumer.start()
        consumer.assign([TopicPartition(pipe.log.topic, n) for n in range(pipe.log.partitions)])
        await consumer.seek_to_end()
        reading = asyncio.create_task(self._read(consumer))
        try:
            yield
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
            await consumer.stop()

    async def _read(self, consumer: "AIOKafkaConsumer[bytes, bytes]") -> None:
        decode = msgspec.json.Decoder(_Row).decode
        async for record in consumer:
            self.at[decode(record.value or b"{}").id] = time.perf_counter()


class _Row(msgspec.Struct):
    id: UUID = UUID(int=0)


async def people(pool: Pool, mentors: int) -> None:
    """Insert the organization and so many mentors."""
    await pool.execute(
        "INSERT INTO organizations (id, slug, name) VALUES ($1, 'bench', 'Bench')",
        UUID(ORGANIZATION),
    )
    await pool.executemany(
        "INSERT INTO peer_mentors (id, organization_id, display_name) VALUES ($1, $2, 'Nobody')",
        [(mentor_id(number), UUID(ORGANIZATION)) for number in range(mentors)],
    )


async def _before(pool: Pool, mentors: int) -> None:
    await people(pool, mentors)
    await pool.executemany(
        "INSERT INTO badge_definitions (id, key, name, description, criteria, revocable, status) "
        "VALUES ($1, $2, $2, 'A badge', $3, $4, 'active')",
        [
            (UUID(int=place + 1), f"badge-{place}", criteria_text(criteria), place % 3 == 0)
            for place, criteria in enumerate(CRITERIA)
        ],
    )


async def until_all(seen: dict[UUID, float], wanted: set[UUID], seconds: float) -> None:
    """Wait until all of some ids were seen. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while wanted - seen.keys():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
