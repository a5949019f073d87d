"""What the log holds about a person: their records, in every generation that is still there."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from badges.upkeep.dead_letters import Shelf
from sinks.base import Message
from sinks.pool import Connection
from streams.log import generations
from streams.log.cluster import Cluster
from streams.log.debezium import UNREADABLE, committed_at
from streams.log.generations import Generation
from streams.log.reader import KafkaLog
from streams.log.topics import partition_of
from streams.unusable import outline


async def _kept(connection: Connection, cluster: Cluster) -> list[Generation]:
    """The generations whose topic is in Kafka, oldest first."""
    rows = await connection.fetch("SELECT log_id FROM badge_logs ORDER BY generation")
    found = [await generations.find(connection, row["log_id"]) for row in rows]
    topics = await cluster.topics([each.topic for each in found if each])
    return [
        each
        for each in found
        if each and each.topic in topics and topics[each.topic].id == each.log_id
    ]


async def read(
    connection: Connection, shelf: Shelf, mentor: str
) -> AsyncIterator[tuple[Generation, Message]]:
    """The mentor's records in their order, in every generation that the shelf's Kafka still has.

    Everybody else's are read past.
    """
    key = mentor.encode()
    for generation in await _kept(connection, shelf.cluster):
        topic = await shelf.cluster.topic(generation.topic)
        if topic is None:
            continue
        partition = partition_of(mentor, generation.partitions)
        starts, ends = await shelf.cluster.starts(topic), await shelf.cluster.ends(topic)
        log = KafkaLog(shelf.access, topic.name)
        async for chunk in log.read(partition, starts[partition], ends[partition]):
            for record in chunk:
                if record.key == key:
                    yield generation, record


@dataclass
class RecordCounts:
    """How many records there are of a person in each topic, and of which rows."""

    rows: set[str] = field(default_factory=set)
    _topics: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, generation: Generation, record: Message) -> None:
        new = {"topic": generation.topic, "state": generation.state, "records": 0}
        told = self._topics.setdefault(generation.topic, new)
        told["records"] += 1
        at = datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat()
        told.setdefault("first_at", at)
        told["last_at"] = at
        row = outline(record.value or b"").id
        if row is not None:
            self.rows.add(row)

    def topics(self) -> list[dict[str, Any]]:
        """For each topic its name, its generation's state, how many records, the first and last."""
        return list(self._topics.values())


def item(generation: Generation, record: Message) -> dict[str, Any]:
    """A record as people read it."""
    committed = committed_at(record.value)
    return {
        "topic": generation.topic,
        "offset": record.offset,
        "committed_at": committed.isoformat() if committed else None,
        "record": _decoded(record.value or b""),
    }


def _decoded(value: bytes) -> Any:
    try:
        return msgspec.json.decode(value)
    except UNREADABLE:
        return value.decode(errors="replace")
