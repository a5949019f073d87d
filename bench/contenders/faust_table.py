"""What people would write first: a Faust agent that counts in a Table, one message at a time."""

import asyncio
import os
import tempfile
from contextlib import suppress
from typing import Any

import faust

from bench.contenders.race import Lap, Watch, contend
from bench.topic import Filled


class Activity(faust.Record, serializer="json", validation=False):
    """The columns that are counted."""

    peer_mentor_id: str = ""
    duration_minutes: int | None = None


async def race(filled: Filled) -> Lap:
    """Count the activities of every mentor until the whole topic is read."""
    with tempfile.TemporaryDirectory() as folder:
        return await _count(filled, folder)


async def _count(filled: Filled, folder: str) -> Lap:
    app = faust.App(
        f"faust-table-{filled.topic}-{os.getpid()}",
        broker=f"kafka://{filled.bootstrap}",
        store="memory://",
        datadir=folder,
        consumer_auto_offset_reset="earliest",
        topic_partitions=len(filled.ends),
        topic_disable_leader=True,
        web_enabled=False,
    )
    counts = app.Table("counts", default=int, partitions=len(filled.ends))
    finished: asyncio.Future[Lap] = asyncio.get_running_loop().create_future()
    topic = app.topic(filled.topic, value_type=Activity, key_type=str, key_serializer="raw")

    @app.agent(topic)
    async def count(stream: Any) -> None:
        read, watch = 0, None
        async for activity in stream:
            watch = watch or Watch()
            counts[activity.peer_mentor_id] += 1
            read += 1
            if read == filled.records:
                finished.set_result(watch.lap(read))

    await app.start()
    try:
        return await finished
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await app.stop()


if __name__ == "__main__":
    contend(race)
