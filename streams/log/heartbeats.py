"""The connector's heartbeats: up to which commit time everything of the database is in Kafka.

Each second the connector changes a row of badge_heartbeats and reads that change like any other.
That it has arrived proves nothing of the rows before it: Kafka keeps the order within a partition
alone, and a producer that sends to one again, while its leader changes, goes on with the others.
But Connect confirms to Postgres only what has arrived with all before it. So a heartbeat counts
once the slot's confirmed_flush_lsn has passed its own place in the WAL, which its record carries.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from msgspec import Struct

from streams.log.debezium import UNREADABLE
from streams.log.kafka import KafkaAccess, stop

_TIMEOUT_S = 5.0
_WAIT_MS = 200
_TAIL = 300
"""So many records from the end hold the rows of some minutes: the connector sends others too.

Where nobody has set it, Connect confirms once a minute.
"""
_MOST_WAITING = 600
"""As many are kept while nothing is confirmed; then every second one is let go."""


class _Row(Struct):
    at: datetime


class _Source(Struct):
    lsn: int


class _Change(Struct):
    """A change of the row, as a record has it: its place in the WAL, in bytes, and its time."""

    source: _Source
    after: _Row


_decode = msgspec.json.Decoder(_Change).decode


def change_in(value: bytes | None) -> _Change | None:
    """What a record of the heartbeats' topic says; None: it is not of the row."""
    try:
        return _decode(value or b"{}")
    except UNREADABLE:
        return None


class Unconfirmed:
    """Heartbeats that have arrived, until the slot is confirmed beyond them."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, datetime]] = deque()
        self._newest: datetime | None = None

    def add(self, value: bytes | None) -> None:
        """Note what a record of the heartbeats' topic says; only those of the row say anything."""
        change = change_in(value)
        if change is None:
            return
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting = deque([*self._waiting][1::2])
        self._waiting.append((change.source.lsn, change.after.at))

    def newest(self, confirmed: int) -> datetime | None:
        """The newest that lies before this place in the WAL, in bytes; None before the first."""
        while self._waiting and self._waiting[0][0] < confirmed:
            _, self._newest = self._waiting.popleft()
        return self._newest


class Heartbeats:
    """Reads the newest heartbeat of a topic, with a consumer that is kept (`async with`)."""

    def __init__(self, access: KafkaAccess) -> None:
        self._access = access
        self._place = TopicPartition("", 0)
        self._consumer: AIOKafkaConsumer[Any, Any] | None = None
        self._unconfirmed = Unconfirmed()

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await stop(consumer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def newest(self, topic: str, confirmed: int) -> datetime | None:
        """Up to when everything is in Kafka, by Postgres' clock; None while that is not known.

        `confirmed` is how far the slot is confirmed, in bytes of WAL. The topic must be there.
        Raises KafkaError or OSError.
        """
        if topic != self._place.topic:
            await self.close()
            self._place, self._unconfirmed = TopicPartition(topic, 0), Unconfirmed()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._read_on()
        except (KafkaError, OSError, asyncio.CancelledError):
            # One that a restart of its broker has confused may never come to itself.
            await self.close()
            raise
        return self._unconfirmed.newest(confirmed)

    async def _read_on(self) -> None:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(**self._access.client_options(), enable_auto_commit=False)
            self._consumer = consumer
            await consumer.start()
            consumer.assign([self._place])
            consumer.seek(self._place, 0)
        consumer, place = self._consumer, self._place
        end = (await consumer.end_offsets([place]))[place]
        first = (await consumer.beginning_offsets([place]))[place]
        position = await consumer.position(place)
        if position > end or position < max(first, end - _TAIL):
            consumer.seek(place, max(first, end - _TAIL))
        while await consumer.position(place) < end:
            fetched = await consumer.getmany(place, timeout_ms=_WAIT_MS)
            self._note(fetched.get(place, ()))

    def _note(self, records: Iterable[ConsumerRecord[Any, Any]]) -> None:
        for record in records:
            self._unconfirmed.add(record.value)
