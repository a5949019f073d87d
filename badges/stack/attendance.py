"""Whether anybody works on what waits, once the stack is up."""

import asyncio
import time
from collections.abc import Mapping

import asyncpg
from aiokafka.errors import KafkaError

from badges import event_loop
from badges.stack import addresses
from badges.stack.layout import Layout
from schema.database import connect, first_line
from streams.errors import Problem
from streams.log import generations
from streams.log.backlog import backlog
from streams.log.cluster import Cluster
from streams.log.kafka import KafkaAccess

PATIENCE_S = 15.0
"""A worker that has just been started connects sooner."""
PAUSE_S = 0.5


def what_waits(layout: Layout, passwords: Mapping[str, str]) -> str | None:
    """What of the log waits while no worker is connected, in a sentence, or None.

    A stack that is up is up, also when this cannot be told.
    """
    return event_loop.run(lambda: _what_waits(layout, passwords))


async def _what_waits(layout: Layout, passwords: Mapping[str, str]) -> str | None:
    deadline = time.monotonic() + PATIENCE_S
    try:
        async with (
            connect(addresses.owner_url(layout, passwords)) as connection,
            Cluster(KafkaAccess(layout.kafka_bootstrap)) as cluster,
        ):
            while True:
                live = await generations.live(connection)
                found = await backlog(live, connection, cluster) if live else None
                if found is None or not found.deserted:
                    return None
                if time.monotonic() > deadline:
                    return found.sentence
                await asyncio.sleep(PAUSE_S)
    except (Problem, OSError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return f"what waits cannot be told: {first_line(error)}"
