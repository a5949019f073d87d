"""The log as a range reader: the records of a partition between two offsets, without a group."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from badges.streams.errors import LogBroken
from badges.streams.kafka import KafkaAccess

CHUNK_RECORDS = 5000
PATIENCE_MS = 1000


class LogReader:
    """Reads ranges of one generation's topic. Kafka being away is waited for, by asking again."""

    def __init__(self, access: KafkaAccess, topic: str) -> None:
        self._access = access
        self._topic = topic

    async def read(
        self, partition: int, start: int, end: int
    ) -> AsyncIterator[Sequence[ConsumerRecord[Any, Any]]]:
        """Yield the records of offsets [start, end) in order, in chunks of at most CHUNK_RECORDS.

        Offsets that hold no record (a transaction's marks) are passed over. Raises LogBroken when
        the log ends before `end`, aiokafka's OffsetOutOfRangeError when it begins after `start`.
        """
        if start >= end:
            return
        place = TopicPartition(self._topic, partition)
        async with self._consumer(place) as consumer:
            consumer.seek(place, start)
            while await consumer.position(place) < end:
                fetched = await consumer.getmany(
                    place, timeout_ms=PATIENCE_MS, max_records=CHUNK_RECORDS
                )
                records = [r for r in fetched.get(place, ()) if r.offset < end]
                if records:
                    yield records
                elif (await consumer.end_offsets([place]))[place] < end:
                    raise LogBroken(
                        "log_shorter_than_position",
                        f"partition {partition} of {self._topic} ends before offset {end}, up to "
                        "which it was decided",
                    )

    def _consumer(self, place: TopicPartition) -> "_Assigned":
        return _Assigned(self._access, place)


class _Assigned:
    """A consumer without a group, assigned to one partition for the length of a `with`."""

    def __init__(self, access: KafkaAccess, place: TopicPartition) -> None:
        self._consumer = AIOKafkaConsumer(
            **access.client_options(),
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        self._place = place

    async def __aenter__(self) -> AIOKafkaConsumer[Any, Any]:
        await self._consumer.start()
        self._consumer.assign([self._place])
        return self._consumer

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
