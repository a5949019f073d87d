"""A broker that comes back without its last records is found out, also when it has grown past."""

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from aiokafka.errors import KafkaError

from streams.filling import provisioning
from streams.log import generations
from streams.log.debezium import stream_order
from streams.log.generations import Decided
from streams.log.integrity import Integrity
from streams.log.wal import insert_lsn
from tests import kafka_files
from tests.integration.alerts import open_alerts
from tests.integration.pipeline import Pipeline, Rig, count_of, partition_of
from tests.integration.workers import Worker
from tests.log_site import add_activities, add_mentor, own_site, sent_for_good, verdict, written
from tests.patience import until
from tests.stack import LIMIT_S, Stack

pytestmark = pytest.mark.usefixtures("local")


def data(stack: Stack) -> Path:
    """Where the broker keeps its partitions."""
    return stack.infra.layout.run_dir / "kafka" / "data"


def restarted_without(
    stack: Stack, topic: str, partition: int, offset: int, regrown: int = 0
) -> int:
    """Let the broker lose what a partition has from an offset on; the end it has then."""
    stack.stop("connect")
    stack.stop("kafka")
    end = kafka_files.cut(data(stack), topic, partition, offset, regrown)
    stack.start("kafka")
    stack.start("connect")
    return end


async def lose(p: Pipeline, partition: int, offset: int, regrown: int = 0) -> int:
    """Let the pipeline's log lose what it has from an offset on; the end it has then."""
    return await asyncio.to_thread(
        restarted_without, p.stack, p.log.topic, partition, offset, regrown
    )


class Holder:
    """A mentor who holds a badge that they would lose with their rows."""

    def __init__(self, p: Pipeline, mentor: UUID, badge: UUID) -> None:
        self.p, self.mentor, self.badge = p, mentor, badge
        self.partition = partition_of(mentor, p.log.partitions)

    async def position(self) -> Decided:
        """How far their partition is decided."""
        return (await generations.decided(self.p.pool, self.p.log.log_id))[self.partition]

    async def decided_no_more_than(self, before: Decided) -> bool:
        """Whether nothing was decided since; how far the log has grown may have been noted."""
        now = await self.position()
        return (now.next_offset, now.last) == (before.next_offset, before.last)

    async def end(self) -> int:
        """The end of their partition."""
        topic = (await self.p.site.cluster.topics([self.p.log.topic]))[self.p.log.topic]
        return (await self.p.site.cluster.ends(topic))[self.partition]

    async def reached(self) -> int:
        """The end of their partition, as far as the broker tells."""
        with suppress(KafkaError):
            return await self.end()
        return 0

    async def all_is_decided(self) -> bool:
        """Whether the log has nothing more of their partition."""
        decided = await self.position()
        return decided.next_offset == decided.highest_end == await self.end()

    async def sent_for_good(self) -> bool:
        """Whether Connect has stored that it sent what was decided last."""
        decided = await self.position()
        assert decided.last is not None
        order = stream_order(decided.last.sequence)
        return order is not None and await sent_for_good(self.p.site, self.p.log, order[1])

    async def more_rows(self, end: int) -> None:
        """Insert rows of theirs until the partition reaches an end."""
        async with asyncio.timeout(LIMIT_S):
            while await self.reached() < end:
                await add_activities(self.p.site.connection, self.mentor, 10)
                await asyncio.sleep(0.5)


async def holder(p: Pipeline) -> Holder:
    """Insert a mentor and let them earn a badge, event after event."""
    organization, mentor = await p.newcomer()
    badge = await p.badge(organization, count_of(3), revocable=True)
    found = Holder(p, mentor, badge)
    # Their own row is in a batch by itself then, of which there can be copies.
    await p.until(found.end, what="the mentor's row in the log")
    for day in range(10, 13):
        await p.activity(mentor, f"2026-01-{day}")
        await p.settle()
    # The award's own row comes round too, before what is committed now.
    await p.settle()
    await p.until(found.all_is_decided, what="the end of the log")
    await p.until(found.sent_for_good, what="Connect's offsets")
    return found


async def one_of(p: Pipeline, *kinds: str) -> str:
    """The message of the one break among what is open, of one of these kinds."""

    async def message() -> str | None:
        found = [detail for kind, detail in await open_alerts(p) if kind in kinds]
        return str(found[0]["message"]) if len(found) == 1 else None

    said: str = await p.until(message, what=f"one alert of {kinds}")
    return said


async def is_broken(p: Pipeline) -> bool:
    noted = await generations.find(p.pool, p.log.log_id)
    return noted is not None and noted.state == "broken"


@pytest.mark.parametrize("meanwhile", ["down", "paused"])
def test_a_log_that_lost_its_end_and_grew_past_it_is_found_out(own: Rig, meanwhile: str) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        held = await holder(p)
        await asyncio.to_thread(worker.kill if meanwhile == "down" else worker.pause)
        before, decided = await p.stats(held.mentor), await held.position()
        assert decided.last is not None
        assert decided.last.offset == decided.next_offset - 1

        assert await lose(p, held.partition, decided.last.offset - 1) < decided.last.offset
        await held.more_rows(decided.highest_end + 5)
        await asyncio.to_thread(worker.start if meanwhile == "down" else worker.resume)

        message = await one_of(p, "log_rewritten")
        assert (
            f"offset {decided.last.offset} of partition {held.partition} holds another" in message
        )
        await p.until(partial(is_broken, p), what="that it is noted")
        assert await p.stats(held.mentor) == before
        assert await held.decided_no_more_than(decided)

    own.run(test)


@pytest.mark.parametrize("more", [0, 7])
def test_a_worker_at_work_finds_out_a_log_that_has_grown_by_the_time_it_is_back(
    own: Rig, more: int
) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        held = await holder(p)
        before, decided = await p.stats(held.mentor), await held.position()
        assert decided.last is not None

        regrown = decided.next_offset + more
        lost = decided.last.offset - 1
        assert await lose(p, held.partition, lost, regrown) == regrown

        message = await one_of(p, "log_rewritten")
        assert (
            f"offset {decided.last.offset} of partition {held.partition} holds another" in message
        )
        await p.until(partial(is_broken, p), what="that it is noted")
        assert await p.stats(held.mentor) == before

    own.run(test)


def test_of_two_workers_neither_goes_on(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        workers = [p.worker(), p.worker()]
        await p.at_work(*workers)
        held = await holder(p)
        before, decided = await p.stats(held.mentor), await held.position()
        assert decided.last is not None
        await asyncio.to_thread(workers[0].pause)

        await lose(p, held.partition, decided.last.offset)
        await held.more_rows(decided.highest_end + 5)
        await one_of(p, "log_rewritten", "log_short")
        await asyncio.to_thread(workers[0].resume)

        await p.until(lambda: all_know(workers), what="both to know")
        await p.until(partial(is_broken, p), what="that it is noted")
        assert await p.stats(held.mentor) == before
        assert await held.decided_no_more_than(decided)

    own.run(test)


async def all_know(workers: list[Worker]) -> bool:
    return all(worker.said("the log is broken, nothing is written") for worker in workers)


def test_a_log_that_was_longer_before_is_short(stack: Stack, database_url: str) -> None:
    # What is lost was not decided yet: no worker runs.
    async def test() -> None:
        async with own_site(stack, database_url, partitions=1) as site:
            mentor = await add_mentor(site.connection, activities=3)
            live = await provisioning.provision(site)
            for number in range(2):
                await add_activities(site.connection, mentor, 2)
                await written(site, live, sum(live.starts) + 2 * number + 2)
            integrity = Integrity(live, site.connection, site.cluster, site.connect)
            assert await verdict(integrity) is None
            highest = (await generations.decided(site.connection, live.log_id))[0].highest_end
            assert highest == live.starts[0] + 4
            rows_end = await insert_lsn(site.connection)
            await until(partial(sent_for_good, site, live, rows_end), "Connect's offsets")

            end = await asyncio.to_thread(restarted_without, stack, live.topic, 0, highest - 1)
            assert live.starts[0] <= end < highest
            found = await verdict(integrity)

            assert found is not None
            assert (found.kind, found.lasting) == ("log_short", True)
            assert f"ends at offset {end}, and did at {highest} before" in str(found)

    asyncio.run(test())
