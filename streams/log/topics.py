"""The topics of the product, with the settings they need."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from aiokafka.errors import InvalidReplicationFactorError, KafkaError
from aiokafka.partitioner import murmur2
from msgspec import Struct

from sinks.polling import POLL_S
from streams.log.cluster import Cluster, Topic

LOG_SETTINGS = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
"""What keeps the log whole: nothing is compacted, nothing expires."""

_IN_SYNC = "min.insync.replicas"
_HOUR_MS = 3_600_000

_FENCED_S = 10.0
"""How long Kafka may call its brokers too few: one that stood still counts again with its next
heartbeat, also the only one."""

_CLEANED_SOON = {"max.compaction.lag.ms": "1000"}
"""What is removed is gone from the broker's files soon after the next record; else perhaps never.

By default a segment is closed after a week, and cleaned once half of it is old.
"""


def partition_of(mentor: str, partitions: int) -> int:
    """The partition to which Kafka's own partitioner gives a mentor's records."""
    return int((murmur2(mentor.encode()) & 0x7FFFFFFF) % partitions)


class WantedTopic(Struct, frozen=True):
    """A topic as it has to be: `settings` are Kafka's own names and texts."""

    name: str
    partitions: int
    settings: Mapping[str, str]


def mentor_log(name: str, partitions: int, replicas: int) -> WantedTopic:
    """The log itself. It is kept for ever, and with replicas no acknowledged record is lost.

    `replicas` are those it has, or gets.
    """
    safety = {
        _IN_SYNC: str(max(1, replicas - 1)),
        "unclean.leader.election.enable": "false",
        "message.timestamp.type": "CreateTime",
    }
    return WantedTopic(name, partitions, {**LOG_SETTINGS, **safety})


def heartbeats(name: str) -> WantedTopic:
    """Where a connector's heartbeats go; what is older than an hour nobody asks for."""
    short = {"cleanup.policy": "delete", "retention.ms": str(_HOUR_MS), "segment.ms": str(_HOUR_MS)}
    return WantedTopic(name, 1, short)


def dead_letters(prefix: str) -> WantedTopic:
    """Input that could not be used, one dead letter a position; a tombstone removes one."""
    settings = {"cleanup.policy": "compact", **_CLEANED_SOON}
    return WantedTopic(f"{prefix}.dead-letters", 1, settings)


async def ensure(cluster: Cluster, wanted: WantedTopic, replication_factor: int) -> Topic:
    found = await cluster.topic(wanted.name)
    if found is None:
        await _create(cluster, wanted, replication_factor)
        found = await cluster.wait_for(wanted.name, wanted.partitions)
    return found


async def _create(cluster: Cluster, wanted: WantedTopic, replication_factor: int) -> None:
    clock = asyncio.get_running_loop().time
    deadline = clock() + _FENCED_S
    while True:
        try:
            return await cluster.create(
                wanted.name, wanted.partitions, replication_factor, wanted.settings
            )
        except InvalidReplicationFactorError:
            if clock() > deadline:
                raise
        await asyncio.sleep(POLL_S)


async def ensure_dead_letters(cluster: Cluster, prefix: str, replication_factor: int) -> None:
    """Make the topic if it is missing; one that an older version made is cleaned as soon as ours.

    Where nobody lets us change that, `differences` tells.
    """
    wanted = dead_letters(prefix)
    await ensure(cluster, wanted, replication_factor)
    if wrong_settings(await cluster.settings(wanted.name), _CLEANED_SOON):
        with suppress(KafkaError):
            await cluster.change(wanted.name, _CLEANED_SOON)


async def differences(cluster: Cluster, wanted: WantedTopic) -> list[str]:
    """What about an existing topic is not as it has to be, one line a setting."""
    found = await cluster.topic(wanted.name)
    if found is None:
        return [f"topic {wanted.name} is missing"]
    settings = await cluster.settings(wanted.name)
    wrong = [f"topic {wanted.name}: {each}" for each in wrong_settings(settings, wanted.settings)]
    if found.partitions != wanted.partitions:
        wrong.append(
            f"topic {wanted.name} has {found.partitions} partitions, {wanted.partitions} are asked "
            "for; their number is never changed, because mentors would change partition"
        )
    return wrong


def repairs(settings: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """What is to be set where a topic has other settings than these.

    More replicas that have to be in sync than we ask for are left alone: fewer are less safe.
    """
    return {
        name: must
        for name, must in wanted.items()
        if settings.get(name) != must
        and not (name == _IN_SYNC and int(settings.get(name, must)) > int(must))
    }


def wrong_settings(settings: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Which of a topic's settings are not as they must be: 'name is x, must be y'."""
    return [
        f"{name} is {settings.get(name)}, must be {must}"
        for name, must in wanted.items()
        if settings.get(name) != must
    ]
