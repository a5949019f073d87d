"""The log's reader over a real Kafka that goes away."""

import asyncio
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from sinks.errors import Unavailable
from streams.log import reader
from streams.log.kafka import KafkaAccess
from streams.log.reader import KafkaLog
from tests.patience import patient_cluster, until
from tests.stack import LIMIT_S, Stack

pytestmark = pytest.mark.anyio

RECORDS = 20_000


async def test_a_broker_that_is_gone_makes_a_read_unavailable_and_cancels_nobody(
    kafka_alone: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fetches for it is in the pause before its next try, and is stopped there."""
    access, topic = KafkaAccess(kafka_alone.kafka_bootstrap), f"read-{uuid4()}"
    async with patient_cluster(access) as cluster:
        await cluster.create(topic, 1, 1, {})
        await cluster.wait_for(topic, 1)
    async with AIOKafkaProducer(bootstrap_servers=kafka_alone.kafka_bootstrap) as producer:
        sent = [await producer.send(topic, value=b"x" * 600) for _ in range(RECORDS)]
        await asyncio.gather(*sent)
    gone = asyncio.Event()

    async def read() -> None:
        async for _ in KafkaLog(access, topic).read(0, 0, RECORDS):
            if not gone.is_set():
                monkeypatch.setattr(reader, "_READ_SECONDS", 5.0)
                kafka_alone.kill("kafka")
                gone.set()

    reading = asyncio.create_task(read())
    await asyncio.wait([reading], timeout=LIMIT_S)

    assert gone.is_set()
    assert reading.done()
    assert not reading.cancelled()
    assert isinstance(reading.exception(), Unavailable)
    await until(nothing_fetches, "the end of what fetches")


async def nothing_fetches() -> bool:
    frames = [frame for task in asyncio.all_tasks() for frame in task.get_stack()]
    return not [frame for frame in frames if "aiokafka" in frame.f_code.co_filename]
