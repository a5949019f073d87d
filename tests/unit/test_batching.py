"""The Faust transport: what it has the consumer read, and what of the positions it commits."""

import asyncio
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import faust
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.batching import ReadCommitted

MINE, GONE = TP("log", 0), TP("log", 1)


def consumer_of(hand_on: Any = lambda _: None) -> tuple[Any, Any]:
    """A consumer of the transport, which has not begun, and the transport."""
    transport: Any = faust.App("log", broker="badges://127.0.0.1:9").transport
    nobody = {"on_partitions_revoked": set, "on_partitions_assigned": set}
    return transport.create_consumer(hand_on, **nobody), transport


@pytest.mark.parametrize(
    ("held", "expected"),
    [({MINE, GONE}, {MINE: 5, GONE: 7}), ({MINE}, {MINE: 5}), (set[TP](), None)],
    ids=["all", "some", "none"],
)
def test_what_a_rebalance_took_is_not_committed(
    monkeypatch: pytest.MonkeyPatch, held: set[TP], expected: dict[TP, int] | None
) -> None:
    """To commit nothing at all is an error to aiokafka, of which Faust would end the worker."""
    committed: list[dict[TP, int]] = []

    async def commit(_: Any, offsets: dict[TP, int]) -> bool:
        committed.append(offsets)
        return True

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_commit", commit)
    monkeypatch.setattr(ReadCommitted, "assignment", lambda _: held)
    thread = ReadCommitted.__new__(ReadCommitted)

    answer = asyncio.run(thread._commit({MINE: 5, GONE: 7}))

    assert answer is (expected is not None)
    assert committed == ([] if expected is None else [expected])


def test_what_faust_has_no_setting_for_is_set_where_aiokafka_reads_it() -> None:
    async def made() -> tuple[dict[str, Any], dict[str, Any]]:
        consumer, transport = consumer_of()
        ours = consumer._thread._create_worker_consumer(transport)
        plain = AIOKafkaConsumer(fetch_max_wait_ms=77, isolation_level="read_uncommitted")
        for each in (ours, plain):
            await each.stop()
        return vars(ours), vars(plain)

    ours, plain = asyncio.run(made())
    assert (plain["_fetch_max_wait_ms"], plain["_isolation_level"]) == (77, "read_uncommitted")
    assert (ours["_fetch_max_wait_ms"], ours["_isolation_level"]) == (100, "read_committed")


def test_a_partition_without_a_position_ends_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one is whose log has lost its end, until a place in it is found anew."""

    async def story() -> None:
        consumer, transport = consumer_of()
        thread = consumer._thread
        thread._consumer = reading = thread._create_worker_consumer(transport)
        reading._subscription.assign_from_user([TopicPartition(*MINE)])
        # As if both were at work for long.
        reading._fetcher = SimpleNamespace(_subscriptions=reading._subscription)
        thread.time_started = 0.0
        monkeypatch.setattr(thread, "_verify_aiokafka_event_path", lambda *_: False)
        monkeypatch.setattr(consumer, "assignment", lambda: {MINE})
        with pytest.raises(AssertionError):
            await super(type(consumer), consumer).verify_all_partitions_active()
        await consumer.verify_all_partitions_active()
        reading._fetcher = None
        await reading.stop()

    asyncio.run(story())


def test_a_rebalance_waits_for_no_answer_of_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it waits for 90 s, Faust takes part in no further one."""

    async def story() -> None:
        consumer, transport = consumer_of()
        asked = asyncio.Event()

        async def never(*_: object) -> None:
            asked.set()
            await asyncio.Event().wait()

        thread = consumer._thread
        thread._consumer = reading = thread._create_worker_consumer(transport)
        monkeypatch.setattr(thread, "call_thread", never)
        faust_seeks = asyncio.create_task(super(type(consumer), consumer).perform_seek())
        await asked.wait()
        assert not faust_seeks.done()
        faust_seeks.cancel()

        await consumer.perform_seek()
        await reading.stop()

    asyncio.run(story())


def test_what_comes_again_after_a_rebalance_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust would drop it without a word, and its partition stand still: nobody acknowledges it."""

    async def story() -> list[int]:
        handed: list[int] = []

        async def hand_on(message: Any) -> None:
            handed.append(message.offset)
            consumer._stopped.set()

        consumer, _ = consumer_of(hand_on)
        record = ConsumerRecord(*MINE, 3, 0, 0, None, b"", 0, 0, 0, ())
        monkeypatch.setattr(consumer, "_fetch", AsyncMock(return_value={MINE: [record]}))
        monkeypatch.setattr(consumer, "_get_active_partitions", lambda: {MINE})
        monkeypatch.setattr(consumer, "highwater", lambda _: 10)
        consumer.resume_flow()
        # As noted late by the hand-over that the rebalance broke off.
        consumer._read_offset[MINE] = 9
        async with asyncio.timeout(10):
            await consumer._drain_messages(SimpleNamespace(_stopped=asyncio.Event()))
        return handed

    assert asyncio.run(story()) == [3]
