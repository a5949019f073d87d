"""The connector's heartbeats: up to which commit time everything of the database is in Kafka.

Each second the connector changes a row of badge_heartbeats and reads that change like any other:
whatever was committed before it is in the log once it has arrived in the topic of the heartbeats.
"""

import asyncio
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
_TAIL = 50
"""So many records from the end hold the row of some seconds: the connector sends others too."""


class _Row(Struct):
    at: datetime


class _Change(Struct):
    after: _Row | None = None


_decode = msgspec.json.Decoder(_Change).decode


class Heartbeats:
    """Reads the newest heartbeat of a topic, with a consumer that is kept (`async with`)."""

    def __init__(self, access: KafkaAccess) -> None:
        self._access = access
        self._place = TopicPartition("", 0)
        self._consumer: AIOKafkaConsumer[Any, Any] | None = None
        self._newest: datetime | None = None

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await stop(consumer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def newest(self, topic: str) -> datetime | None:
        """Up to when everything is in Kafka, by Postgres' clock; None while that is not known.

        The topic must be there. Raises KafkaError or OSError.
        """
        if topic != self._place.topic:
            await self.close()
            self._place, self._newest = TopicPartition(topic, 0), None
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._read_on()
        except (KafkaError, OSError):
            # One that a restart of its broker has confused may never come to itself.
            await self.close()
            raise
        return self._newest

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
            try:
                row = _decode(record.value or b"{}").after
            except UNREADABLE:
                continue
            if row is not None:
                self._newest = row.at
