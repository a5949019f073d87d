"""How many dead letters wait: the topic is followed, so each of them is read once."""

import asyncio
from collections.abc import Callable
from typing import Final, NoReturn

import structlog
from aiokafka.errors import KafkaError

from sinks.errors import Unavailable
from streams.log.cluster import Cluster, Topic
from streams.log.kafka import KafkaAccess
from streams.log.reader import KafkaLog

_LOOK_EVERY_S: Final = 5.0

log = structlog.get_logger(__name__)


class DeadLettersWaiting:
    """The dead letters of a topic by their keys; a key without a value is one that was removed."""

    def __init__(
        self, access: KafkaAccess, cluster: Cluster, topic: str, has_log: Callable[[], bool]
    ) -> None:
        self._access = access
        self._cluster = cluster
        self._name = topic
        self._has_log = has_log
        self._topic: Topic | None = None
        self._keys: set[bytes | None] = set()
        self._read_to: dict[int, int] = {}
        self.waiting: int | None = None
        """How many there are; None while there is no log, and while Kafka does not answer."""

    async def follow(self) -> NoReturn:
        """Look every few seconds, for good."""
        while True:
            try:
                if self._has_log():
                    await self.look()
                else:
                    self.waiting = None
            except (KafkaError, OSError, Unavailable) as error:
                self.waiting = None
                log.info("dead letters cannot be counted", error=str(error))
            await asyncio.sleep(_LOOK_EVERY_S)

    async def look(self) -> None:
        """Count what is new. Raises KafkaError, OSError or Unavailable."""
        found = await self._cluster.topic(self._name)
        if found != self._topic:
            self._topic, self._keys, self._read_to = found, set(), {}
        if found is not None:
            for partition, end in enumerate(await self._cluster.ends(found)):
                await self._read(partition, end)
        self.waiting = len(self._keys)

    async def _read(self, partition: int, end: int) -> None:
        start = self._read_to.get(partition, 0)
        async for chunk in KafkaLog(self._access, self._name).read(partition, start, end):
            for record in chunk:
                (self._keys.add if record.value else self._keys.discard)(record.key)
            self._read_to[partition] = chunk[-1].offset + 1
        self._read_to[partition] = end
