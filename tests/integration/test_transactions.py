"""A Kafka Connect that writes in transactions dies inside one: every row counts once."""

import asyncio
from collections.abc import Iterator
from uuid import UUID

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from badges.stack import connect
from tests.integration.pipeline import Pipeline, Rig, partition_of, pipeline
from tests.log_site import add_activities, records
from tests.stack import Stack

ROWS = 20_000
TRIES = 6
SETTLING_SECONDS = 3.0
"""The broker may still write the end of a transaction that it was asked for before the pause."""
AGAIN_WITHIN = 240.0
"""Seconds: first the session of the dead Connect ends, then its transaction."""


@pytest.fixture
def transactional(
    stack: Stack, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stack]:
    """The stack with another Connect cluster on it, with exactly.once.source.support."""
    request.getfixturevalue("local")
    names = connect.names("exactly-once")
    stack.stop("connect")
    try:
        with monkeypatch.context() as patch:
            patch.setitem(connect.SETTINGS, "exactly.once.source.support", "enabled")
            patch.setattr(connect, "names", lambda _: names)
            stack.start("connect")
            yield stack
            stack.stop("connect")
    finally:
        stack.start("connect")


@pytest.fixture
def rig(transactional: Stack) -> Iterator[Rig]:
    """A pipeline of that Connect's, which is gone before it is."""
    with pipeline(transactional) as made:
        yield made
        transactional.repair(("connect",))


class Uncommitted:
    """One partition of the log with all that is not committed, open or broken off."""

    def __init__(self, consumer: AIOKafkaConsumer, place: TopicPartition) -> None:
        self._consumer = consumer
        self._place = place
        consumer.assign([place])

    async def end(self) -> int:
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets([self._place])
        return ends[self._place]

    async def sent(self, mentor: UUID) -> int:
        """How many records of a mentor were ever sent."""
        self._consumer.seek(self._place, 0)
        found = 0
        end = await self.end()
        while await self._consumer.position(self._place) < end:
            fetched = await self._consumer.getmany(self._place, timeout_ms=1000)
            records = fetched.get(self._place, [])
            found += sum(record.key == str(mentor).encode() for record in records)
        return found


async def open_transaction(p: Pipeline, mentor: UUID, log: Uncommitted) -> int:
    """Write until Connect, which is paused then, is inside a transaction; the rows written."""
    for tries in range(1, TRIES + 1):
        before = await log.end()
        await add_activities(p.site.connection, mentor, ROWS)

        async def arrives(end: int = before) -> bool:
            return await log.end() > end

        await p.until(arrives, what="the first of the rows")
        p.stack.pause("connect")
        await asyncio.sleep(SETTLING_SECONDS)
        (topic,) = (await p.site.cluster.topics([p.log.topic])).values()
        stable = (await p.site.cluster.ends(topic))[partition_of(mentor, p.log.partitions)]
        if stable < await log.end():
            return tries * ROWS
        p.stack.resume("connect")
        await p.settle()
    pytest.fail("Connect never was inside a transaction")


def test_rows_of_a_transaction_that_is_broken_off_count_once(rig: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.at_work(p.worker())
        _, mentor = await p.newcomer()
        await p.settle()
        place = TopicPartition(p.log.topic, partition_of(mentor, p.log.partitions))
        options = p.site.access.client_options()
        async with AIOKafkaConsumer(**options, isolation_level="read_uncommitted") as consumer:
            log = Uncommitted(consumer, place)
            rows = 0
            for _ in range(TRIES):
                rows += await open_transaction(p, mentor, log)
                p.stack.kill("connect")
                p.stack.start("connect")
                await p.settle(AGAIN_WITHIN)

                stats = await p.stats(mentor)
                assert stats is not None
                assert stats["activity_count"] == rows
                found = await records(p.site, p.log)
                ids = [
                    msgspec.json.decode(value)["id"] for key, value in found if key == str(mentor)
                ]
                assert len(ids) == len(set(ids)) == rows + 1  # and the mentor
                # What Connect has asked for before it was stopped is committed after all.
                if await log.sent(mentor) > len(ids):
                    break
            else:
                pytest.fail("nothing was broken off")
        await p.verify()

    rig.run(test)
