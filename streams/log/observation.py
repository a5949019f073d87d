"""What is read at one look at a generation: from the database first, then from Kafka and Connect.

In that order nothing can look too old beside another: a slot is never confirmed past what Connect
has stored, and a position never lies past the end of the log.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
from aiokafka.errors import KafkaError
from msgspec import Struct
from msgspec.structs import replace

from sinks.failures import UNREACHED
from sinks.pool import Executor
from streams.errors import CannotTell, ConnectAway, ConnectRefused
from streams.log import fingerprint, generations
from streams.log.cluster import Cluster, Topic
from streams.log.connect import Connect
from streams.log.debezium import sequence_of
from streams.log.fingerprint import Fingerprint
from streams.log.generations import Decided, Generation
from streams.log.topics import LOG_SETTINGS
from streams.log.wal import Slot, insert_lsn, read_slot

_TIMEOUT_S = 5.0
_REREAD_TIMEOUT_S = 15.0
CONNECT_TIMEOUT_S = 3.0
"""Shorter: while Connect recovers it answers slowly, and writing need not wait for that."""

_AWAY = (*UNREACHED, KafkaError, asyncpg.PostgresError)


class Observation(Struct, frozen=True):
    """What was read at one look, the database before the rest. `offsets` None: Connect is away.

    `filled_from` and `source` are fingerprints of one moment; the first is None for a generation
    from before they were taken. `reread` has the source.sequence that the last decided record of a
    partition has now, where that was read again.
    """

    state: str
    reason: str | None
    identity: tuple[str, int]
    filled_from: Fingerprint | None
    source: Fingerprint
    slot: Slot | None
    decided: Mapping[int, Decided]
    topic: Topic | None
    settings: Mapping[str, str]
    starts: Sequence[int]
    ends: Sequence[int]
    offsets: Sequence[Mapping[str, Any]] | None
    wal_end: int
    reread: Mapping[int, str | None] = {}


async def observe(
    generation: Generation,
    connection: Executor,
    cluster: Cluster,
    connect: Connect,
    *,
    reread: bool,
) -> Observation:
    """Read everything; `reread` what was decided last too, of each partition.

    Raises CannotTell when Postgres or Kafka do not answer within some seconds.
    """
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            database = await _ask_database(generation, connection)
            kafka, offsets = await asyncio.gather(
                _ask_kafka(generation, cluster), _ask_connect(generation, connect)
            )
            # After Connect: what it has sent lies before this, unless the database was put back.
            wal_end = await insert_lsn(connection)
        observation = Observation(**database, **kafka, offsets=offsets, wal_end=wal_end)
        if reread:
            async with asyncio.timeout(_REREAD_TIMEOUT_S):
                observation = replace(observation, reread=await _reread(observation, cluster))
    except _AWAY as error:
        raise CannotTell(f"{type(error).__name__}: {error}") from error
    return observation


async def _ask_database(generation: Generation, connection: Executor) -> dict[str, Any]:
    row = await generations.find(connection, generation.log_id)
    filled_from, source = await fingerprint.compare(
        connection, generation.log_id, generation.publication
    )
    return {
        "state": row.state if row else "missing",
        "reason": row.reason if row else None,
        "identity": await generations.identity(connection),
        "filled_from": filled_from,
        "source": source,
        "slot": await read_slot(connection, generation.slot),
        "decided": await generations.decided(connection, generation.log_id),
    }


async def _ask_kafka(generation: Generation, cluster: Cluster) -> dict[str, Any]:
    topic = await cluster.topic(generation.topic)
    if topic is None:
        return {"topic": None, "settings": LOG_SETTINGS, "starts": (), "ends": ()}
    settings, starts, ends = (
        await cluster.settings(topic.name),
        await cluster.starts(topic),
        await cluster.ends(topic),
    )
    return {"topic": topic, "settings": settings, "starts": starts, "ends": ends}


async def _ask_connect(
    generation: Generation, connect: Connect
) -> Sequence[Mapping[str, Any]] | None:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await connect.offsets(generation.connector)
    except (ConnectAway, ConnectRefused, TimeoutError):
        return None


async def _reread(observation: Observation, cluster: Cluster) -> dict[int, str | None]:
    """The places of the last decided records, of partitions that are long enough to have them."""
    offsets = {
        partition: decided.last.offset
        for partition, decided in observation.decided.items()
        if decided.last and partition < len(observation.ends)
        if observation.starts[partition] <= decided.last.offset < observation.ends[partition]
    }
    if observation.topic is None or not offsets:
        return {}
    values = await cluster.values_at(observation.topic, offsets)
    return {partition: sequence_of(value) for partition, value in values.items()}
