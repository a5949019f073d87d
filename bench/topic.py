"""A topic of the benchmark's own, filled with lives of mentors as the connector would fill it."""

from aiokafka import AIOKafkaProducer
from msgspec import Struct

from bench.events import LIFE, lives
from streams.log.cluster import Cluster
from streams.log.kafka import KafkaAccess

PARTITIONS = 4
BATCH_RECORDS = 300
"""Records a batch of the producer: what Connect sends at once under load."""


class Filled(Struct, frozen=True):
    """A topic and what is in it. `ends` has a partition's number of records each."""

    bootstrap: str
    topic: str
    log_id: str
    ends: tuple[int, ...]

    @property
    def records(self) -> int:
        """All records of the topic."""
        return sum(self.ends)


async def fill(bootstrap: str, name: str, records: int, life: int = LIFE) -> Filled:
    """Make the topic and fill it, compressed as the connector's producer does."""
    access = KafkaAccess(bootstrap)
    async with Cluster(access) as cluster:
        await cluster.create(name, PARTITIONS, 1, {"retention.ms": "-1"})
        made = await cluster.wait_for(name, PARTITIONS)
        await _produce(access, name, records, life)
        ends = tuple(await cluster.ends(made))
    return Filled(bootstrap, name, made.id, ends)


async def _produce(access: KafkaAccess, name: str, records: int, life: int) -> None:
    producer = AIOKafkaProducer(
        **access.client_options(), compression_type="lz4", max_batch_size=1_000_000
    )
    await producer.start()
    try:
        open_batches = [producer.create_batch() for _ in range(PARTITIONS)]
        for record in lives(records, PARTITIONS, life=life):
            place = record.partition
            batch = open_batches[place]
            batch.append(key=record.key, value=record.value, timestamp=None)
            if batch.record_count() == BATCH_RECORDS:
                await producer.send_batch(batch, name, partition=place)
                open_batches[place] = producer.create_batch()
        for place, batch in enumerate(open_batches):
            if batch.record_count():
                await producer.send_batch(batch, name, partition=place)
        await producer.flush()
    finally:
        await producer.stop()
