"""What Kafka says about topics: their ids, partitions, settings and the ends of their logs."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    NoError,
    UnknownMemberIdError,
    UnknownTopicOrPartitionError,
    for_code,
)
from msgspec import Struct

from sinks.polling import poll
from streams.log.altering import AlterSettingsRequest
from streams.log.kafka import KafkaAccess, stop
from streams.log.leaving import LeaveGroupRequest
from streams.log.metadata import MetadataRequest

_ANSWER_S = 5.0
COMMAND_ANSWER_S = 30.0
"""Seconds for each answer that a command waits for, which would have to begin anew without it."""
_WAIT_S = 30.0
PATIENCE_MS = 200
_SMALL_FETCH = 64 * 1024


class Topic(Struct, frozen=True):
    """A topic as it is now. `id` is Kafka's own spelling of its topic id, 22 characters."""

    name: str
    id: str
    partitions: int


class Placement(Struct, frozen=True):
    """The cluster, and how topics lie on its brokers.

    Of each topic `replicas` has the fewest that a partition has, `behind` the partitions of which a
    replica is not in sync.
    """

    cluster_id: str
    brokers: int
    replicas: Mapping[str, int]
    behind: Mapping[str, int]


@dataclass(frozen=True)
class Member:
    """A process of a consumer group, by the name that Kafka has for it, and what it reads."""

    name: str
    host: str
    partitions: list[int]


class Cluster:
    """One client for questions and for making topics; reuse it, and close it (`async with`).

    Every method raises KafkaError or OSError when Kafka does not answer, which takes `patience`
    seconds a request.
    """

    def __init__(self, access: KafkaAccess, *, patience: float = _ANSWER_S) -> None:
        self._options = {**access.client_options(), "request_timeout_ms": int(1000 * patience)}
        self._admin = AIOKafkaAdminClient(**self._options)
        self._consumer = self._new_consumer()
        self._started = False
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        async with self._starting:
            if not self._started:
                await self._admin.start()
                await self._consumer.start()
                self._started = True

    async def close(self) -> None:
        await stop(self._consumer)
        await self._admin.close()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def topics(self, names: Sequence[str] | None = None) -> dict[str, Topic]:
        await self.start()
        answer = await self._admin._send_request(MetadataRequest(names))
        found: dict[str, Topic] = {}
        for topic in answer.to_object()["topics"]:
            if topic["error_code"] == NoError.errno:
                text = base64.urlsafe_b64encode(topic["topic_id"]).decode().rstrip("=")
                found[topic["topic"]] = Topic(topic["topic"], text, len(topic["partitions"]))
            elif topic["error_code"] != UnknownTopicOrPartitionError.errno:
                raise for_code(topic["error_code"])(topic["topic"])
        return found

    async def topic(self, name: str) -> Topic | None:
        """One topic; None where it is not there."""
        return (await self.topics([name])).get(name)

    async def placement(self, names: Sequence[str]) -> Placement:
        """Where these topics lie; one that is not there is not in the answer."""
        await self.start()
        answer = (await self._admin._send_request(MetadataRequest(names))).to_object()
        found = {
            topic["topic"]: topic["partitions"]
            for topic in answer["topics"]
            if topic["error_code"] == NoError.errno
        }
        return Placement(
            cluster_id=answer["cluster_id"],
            brokers=len(answer["brokers"]),
            replicas={name: min(len(each["replicas"]) for each in found[name]) for name in found},
            behind={
                name: sum(len(each["isr"]) < len(each["replicas"]) for each in found[name])
                for name in found
            },
        )

    async def settings(self, topic: str) -> dict[str, str]:
        """The topic's settings in force, inherited ones included."""
        await self.start()
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        (answer,) = await self._admin.describe_configs([resource])
        code, message, _, _, entries = answer.resources[0][:5]
        if code != NoError.errno:
            raise for_code(code)(message)
        return {entry[0]: entry[1] for entry in entries}

    async def change(self, topic: str, settings: Mapping[str, str]) -> None:
        """Set some of a topic's settings; the others stay as they are."""
        await self.start()
        answer = await self._admin._send_request(AlterSettingsRequest(topic, settings))
        for code, message, *_ in answer.resources:
            if code != NoError.errno:
                raise for_code(code)(f"{topic}: {message}")

    async def create(
        self, topic: str, partitions: int, replication_factor: int, settings: Mapping[str, str]
    ) -> None:
        await self.start()
        new = NewTopic(topic, partitions, replication_factor, topic_configs=dict(settings))
        answer = await self._admin.create_topics([new])
        for name, code, message in answer.topic_errors:
            if code != NoError.errno:
                raise for_code(code)(f"{name}: {message}")

    async def wait_for(self, topic: str, partitions: int) -> Topic:
        """The topic, once the brokers know it and lead its partitions. Raises TimeoutError."""

        async def known() -> Topic | None:
            found = await self.topic(topic)
            return found if found is not None and found.partitions == partitions else None

        return await poll(known, within=_WAIT_S)

    async def delete(self, topics: Sequence[str]) -> None:
        existing = sorted(await self.topics(topics))
        if existing:
            answer = await self._admin.delete_topics(existing)
            for name, code in answer.topic_error_codes:
                if code not in (NoError.errno, UnknownTopicOrPartitionError.errno):
                    raise for_code(code)(name)

    async def starts(self, topic: Topic) -> list[int]:
        """Each partition's first offset that is still there, 0 unless somebody cut the log."""
        await self.start()
        return _in_order(await self._consumer.beginning_offsets(_places(topic)))

    async def ends(self, topic: Topic) -> list[int]:
        """Each partition's end: the next record's offset, or that of the first one uncommitted."""
        await self.start()
        return _in_order(await self._consumer.end_offsets(_places(topic)))

    async def leave(self, group: str, names: Sequence[str]) -> None:
        """Take static members out of a consumer group; names that nobody has are passed over."""
        await self.start()
        coordinator = await self._admin.find_coordinator(group)
        request = LeaveGroupRequest(group, names)
        answer = await self._admin._send_request_to_node(coordinator, request)
        for code in (answer.error_code, *(member[-1] for member in answer.members)):
            if code not in (NoError.errno, UnknownMemberIdError.errno):
                raise for_code(code)(group)

    async def members(self, group: str) -> list[Member]:
        """Those that are in a consumer group now; one that was killed stays for its session."""
        await self.start()
        (answer,) = await self._admin.describe_consumer_groups([group])
        return [
            Member(
                member["member_id"],
                member["client_host"].removeprefix("/"),
                _assigned(member["member_assignment"]),
            )
            for member in answer.to_object()["groups"][0]["members"]
        ]

    async def values_at(self, topic: Topic, offsets: Mapping[int, int]) -> dict[int, bytes | None]:
        """The value of the record at an offset of each partition, None where there is no record.

        The offsets must lie below the ends. It may wait for ever.
        """
        ranges = {number: (offset, offset + 1) for number, offset in offsets.items()}
        found = await self.first_values(topic, ranges)
        return {number: found.get(number) for number in offsets}

    async def first_values(
        self, topic: Topic, ranges: Mapping[int, tuple[int, int]]
    ) -> dict[int, bytes | None]:
        """The value of the first record of each partition from an offset on, below another one.

        A partition without a record there is left out: the mark of a transaction's end has an
        offset, and so has what was aborted. The ranges must lie below the ends. A consumer of its
        own, which no broker's restart has confused, reads them; it may wait for ever.
        """
        found: dict[int, bytes | None] = {}
        consumer = self._new_consumer(max_partition_fetch_bytes=_SMALL_FETCH)
        try:
            await consumer.start()
            places = {TopicPartition(topic.name, number): r for number, r in ranges.items()}
            consumer.assign(list(places))
            for place, (offset, _) in places.items():
                consumer.seek(place, offset)
            while places:
                fetched = await consumer.getmany(timeout_ms=PATIENCE_MS)
                for place, (_, end) in [*places.items()]:
                    records = fetched.get(place, [])
                    if not records and await consumer.position(place) < end:
                        continue
                    if records and records[0].offset < end:
                        found[place.partition] = records[0].value
                    consumer.pause(place)
                    del places[place]
        finally:
            await stop(consumer)
        return found

    def _new_consumer(self, **options: Any) -> "AIOKafkaConsumer[Any, Any]":
        return AIOKafkaConsumer(
            **self._options, **options, enable_auto_commit=False, isolation_level="read_committed"
        )

    async def committed_topics(self, group: str) -> set[str]:
        await self.start()
        try:
            committed = await self._admin.list_consumer_group_offsets(group)
        except GroupCoordinatorNotAvailableError:
            return set()
        return {place.topic for place in committed}


def _assigned(assignment: bytes) -> list[int]:
    """The partitions of a member, of whatever topic; none while they are being shared out."""
    if not assignment:
        return []
    decoded = ConsumerProtocolMemberAssignment.decode(assignment)
    return sorted(place.partition for place in decoded.partitions())


def _places(topic: Topic) -> list[TopicPartition]:
    return [TopicPartition(topic.name, partition) for partition in range(topic.partitions)]


def _in_order(offsets: Mapping[TopicPartition, int]) -> list[int]:
    return [offsets[place] for place in sorted(offsets)]
