"""Waiting until the worker has decided everything that was committed so far."""

import asyncio
from collections.abc import Mapping

from reference import results
from reference.results import Results
from sinks.pool import Connection
from streams.errors import FOUND_A_PROBLEM, Problem
from streams.log.cluster import Cluster, Topic
from streams.log.generations import Generation
from streams.log.kafka import KafkaAccess
from streams.log.wal import confirmed, insert_lsn

PAUSE_S = 0.05


async def caught_up(connection: Connection, kafka: KafkaAccess, limit: float) -> Results:
    """What is recorded once the worker stands at the log's end.

    Everything that is committed now is in the log once the replication slot is confirmed past the
    WAL's end of now; the worker has decided it once its positions are at the log's ends of then.
    New versions of rules must be applied in every partition. Raises Problem after `limit` seconds.
    """
    now = await insert_lsn(connection)
    ends: Mapping[int, int] = {}
    try:
        async with asyncio.timeout(limit):
            log = (await results.read(connection)).log
            while await confirmed(connection, log.slot) < now:  # noqa: ASYNC110
                await asyncio.sleep(PAUSE_S)
            ends = await ends_of(kafka, log)
            while True:
                found = await results.read(connection)
                if not found.unread_partitions(ends):
                    return found
                await asyncio.sleep(PAUSE_S)
    except TimeoutError:
        raise Problem(await _reason(connection, ends, limit), code=FOUND_A_PROBLEM) from None


async def ends_of(kafka: KafkaAccess, log: Generation) -> dict[int, int]:
    """The offset that the next record of each partition will get."""
    async with Cluster(kafka) as cluster:
        topic = Topic(log.topic, log.log_id, log.partitions)
        return dict(enumerate(await cluster.ends(topic)))


async def _reason(connection: Connection, ends: Mapping[int, int], limit: float) -> str:
    if not ends:
        return (
            f"the connector has not sent what was committed {limit:g} s ago: see that Kafka "
            "Connect runs, and its log"
        )
    found = await results.read(connection)
    behind = found.unread_partitions(ends)
    places = ", ".join(f"{p} ({found.next_offsets.get(p)} of {ends[p]})" for p in behind[:5])
    return (
        f"the worker has not caught up within {limit:g} s, partitions {places}: see that "
        "`badges worker` runs, and its log"
    )
