"""The log as a range reader: the records of a partition between two offsets, without a group."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from sinks.base import Message, Place
from sinks.errors import Unavailable
from streams.log.connections import Connections
from streams.log.debezium import sequence_of
from streams.log.kafka import KafkaAccess, stop
from streams.log.last_record import following

CHUNK_RECORDS = 5000
PATIENCE_MS = 1000
_START_SECONDS = 10.0
"""A client that has not started by then is given up for another one.

One that began while its broker was restarted may never come to an end."""
_START_TRIES = 3
_READ_SECONDS = 30.0
"""Nor may one that read meanwhile: the records are there, so they come by then or not at all."""


class Log(Protocol):
    def read(
        self, partition: int, start: int, end: int, after: Place | None = None
    ) -> AsyncIterator[Sequence[Message]]:
        """Yield the records of offsets [start, end) in order, in chunks.

        Offsets that hold no record (a transaction's marks) are passed over. Raises Unavailable,
        also when the range is not there: a broker that has just started may not know its end yet,
        and whether the log is short is judged by its integrity.

        `after` is the last record before `start`. It is read again first, and so is the last one
        that was yielded when the connection is lost. Raises LogBroken where another has its place.
        """
        ...


class KafkaLog:
    def __init__(self, access: KafkaAccess, topic: str) -> None:
        self._access = access
        self._topic = topic

    async def read(
        self, partition: int, start: int, end: int, after: Place | None = None
    ) -> AsyncIterator[Sequence[Message]]:
        place = TopicPartition(self._topic, partition)
        if start >= end and after is None:
            return
        try:
            while True:
                with suppress(_Reconnected):
                    async for chunk in self._read(place, start, end, after):
                        yield chunk
                        after = Place(chunk[-1].offset, sequence_of(chunk[-1].value))
                        start = after.offset + 1
                    return
        except (KafkaError, OSError) as error:
            raise Unavailable(f"Kafka cannot be read: {error!r}") from error

    async def _read(
        self, place: TopicPartition, start: int, end: int, after: Place | None
    ) -> AsyncIterator[Sequence[Message]]:
        """Read over one connection. Raises _Reconnected where another one begins."""
        if after is not None:
            start, end = after.offset, max(end, after.offset + 1)
        async with _assigned(self._access, place) as (consumer, connections):
            async with asyncio.timeout(_READ_SECONDS):
                await self._check(consumer, place, start, end)
                consumer.seek(place, start)
            reached, first = start, None
            while reached < end:
                asked = reached
                async with asyncio.timeout(_READ_SECONDS):
                    records, reached = await self._fetch(consumer, place, reached)
                connection = connections.number(place, asked)
                first = first or connection
                if connection != first:
                    raise _Reconnected
                if records and records[-1].offset >= end:
                    records = [record for record in records if record.offset < end]
                if after is not None:
                    records, after = following(place.partition, after, records), None
                if records:
                    yield records

    async def _fetch(
        self, consumer: Any, place: TopicPartition, reached: int
    ) -> tuple[Sequence[Message], int]:
        """The next records, and the position after them: one of the two has moved."""
        while True:
            fetched = await consumer.getmany(
                place, timeout_ms=PATIENCE_MS, max_records=CHUNK_RECORDS
            )
            position: int = await consumer.position(place)
            if fetched or position > reached:
                return fetched.get(place, []), position

    async def _check(self, consumer: Any, place: TopicPartition, start: int, end: int) -> None:
        first = (await consumer.beginning_offsets([place]))[place]
        last = (await consumer.end_offsets([place]))[place]
        if start < first or end > last:
            raise Unavailable(
                f"partition {place.partition} of {self._topic} has offsets {first} to {last}, but "
                f"{start} to {end} are needed"
            )


class _Reconnected(Exception):
    """The connection was lost: the broker behind the next one may have another log."""


@asynccontextmanager
async def _assigned(
    access: KafkaAccess, place: TopicPartition
) -> AsyncIterator[tuple["AIOKafkaConsumer[Any, Any]", Connections]]:
    """A consumer without a group, assigned to one partition for the length of a `with`."""
    for _ in range(_START_TRIES - 1):
        with suppress(TimeoutError):
            consumer, connections = await _started(access)
            break
    else:
        consumer, connections = await _started(access)
    try:
        consumer.assign([place])
        yield consumer, connections
    finally:
        await stop(consumer)


async def _started(access: KafkaAccess) -> tuple["AIOKafkaConsumer[Any, Any]", Connections]:
    consumer: AIOKafkaConsumer[Any, Any] = AIOKafkaConsumer(
        **access.client_options(),
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    connections = Connections(consumer)
    try:
        async with asyncio.timeout(_START_SECONDS):
            await consumer.start()
    except BaseException:
        await stop(consumer)
        raise
    return consumer, connections
