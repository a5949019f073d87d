"""Whether the workers have decided everything that is committed by now."""

import asyncio
from collections.abc import Collection
from contextlib import suppress

from sinks.polling import poll
from sinks.pool import Connection
from streams.errors import Problem
from streams.log import generations
from streams.log.cluster import Cluster
from streams.log.generations import Generation
from streams.log.wal import confirmed, insert_lsn


async def behind(
    connection: Connection,
    cluster: Cluster,
    log: Generation,
    partitions: Collection[int],
    limit: float,
) -> dict[int, str]:
    """Wait until these partitions have decided all that is committed now, `limit` seconds at most.

    Returns those that have not, each with the reason. Raises Problem when the topic is missing.
    """
    if not partitions:
        return {}
    written = await insert_lsn(connection)
    waited_for = dict.fromkeys(
        partitions, "the connector has not sent it: see that Kafka Connect runs"
    )

    async def is_sent() -> bool:
        return await confirmed(connection, log.slot) >= written

    async def is_decided() -> bool:
        nonlocal waited_for
        stands = await generations.next_offsets(connection, log.log_id)
        waited_for = {
            partition: f"partition {partition} is decided up to {stands.get(partition)} of "
            f"{ends[partition]}: see that a worker runs, and badge_alerts"
            for partition in waited_for
            if stands.get(partition, -1) < ends[partition]
        }
        return not waited_for

    with suppress(TimeoutError):
        async with asyncio.timeout(limit):
            await poll(is_sent)
            found = (await cluster.topics([log.topic])).get(log.topic)
            if found is None:
                raise Problem(f"the topic {log.topic} is missing")
            ends = await cluster.ends(found)
            await poll(is_decided)
    return waited_for
