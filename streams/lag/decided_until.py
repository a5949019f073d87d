"""Up to which commit time everything is decided: what readers of awards are told as `as_of`.

At each look the newest heartbeat before which nothing is missing in Kafka is noted, with the ends
that the log had right after that. Once every position has passed those ends, all that was committed
before the heartbeat is decided. So nothing of it costs the partitions' own work, and an idle log is
as up to date as a busy one.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NoReturn

import structlog

from sinks.cancellation import uncancelled
from sinks.failures import translated
from sinks.pool import Executor
from streams.log.cluster import Cluster
from streams.log.generations import Generation
from streams.log.heartbeats import Heartbeats
from streams.log.wal import confirmed

_LOOK_EVERY_S = 1.0

_MOST_MARKS = 600
"""As many are kept while the positions are behind; then every second one is let go."""

log = structlog.get_logger(__name__)


class Marks:
    """Heartbeats that positions have not passed yet, with the ends that the log had at each."""

    def __init__(self) -> None:
        self._marks: deque[tuple[datetime, Sequence[int]]] = deque()

    def add(self, heartbeat: datetime, ends: Sequence[int]) -> None:
        """Note a heartbeat; the ends must have been read after it."""
        if self._marks and self._marks[-1][0] >= heartbeat:
            return
        if len(self._marks) >= _MOST_MARKS:
            self._marks = deque([*self._marks][1::2])
        self._marks.append((heartbeat, ends))

    def passed(self, positions: Mapping[int, int]) -> datetime | None:
        """The newest heartbeat that all positions have passed since the last call, or None."""
        found = None
        while self._marks and _all_passed(self._marks[0][1], positions):
            found, _ = self._marks.popleft()
        return found


def _all_passed(ends: Sequence[int], positions: Mapping[int, int]) -> bool:
    return all(positions.get(number, 0) >= end for number, end in enumerate(ends))


async def note_decided(
    generation: Generation, connection: Executor, cluster: Cluster, heartbeats: Heartbeats
) -> NoReturn:
    """Look each second, for good, and note of the generation up to when it is decided."""
    marks = Marks()
    while True:
        try:
            await uncancelled(_look(generation, connection, cluster, heartbeats, marks))
        except Exception as error:
            log.info("up to when the log is decided cannot be told", error=repr(error))
        await asyncio.sleep(_LOOK_EVERY_S)


async def _look(
    generation: Generation,
    connection: Executor,
    cluster: Cluster,
    heartbeats: Heartbeats,
    marks: Marks,
) -> None:
    names = [generation.topic, generation.heartbeat_topic]
    topics = await cluster.topics(names)
    if topics.keys() != set(names) or topics[generation.topic].id != generation.log_id:
        return
    with translated():
        sent = await confirmed(connection, generation.slot)
    heartbeat = await heartbeats.newest(generation.heartbeat_topic, sent)
    if heartbeat is None:
        return
    marks.add(heartbeat, await cluster.ends(topics[generation.topic]))
    with translated():
        passed = marks.passed(await _begun(connection, generation.log_id))
        if passed is not None:
            await connection.execute(
                "UPDATE badge_logs SET decided_until = $2 "
                "WHERE log_id = $1 AND state = 'live' "
                "AND coalesce(decided_until, '-infinity') < $2",
                generation.log_id,
                passed,
            )


async def _begun(connection: Executor, log_id: str) -> dict[int, int]:
    """The next offset of each partition whose start is decided: its first turn."""
    rows = await connection.fetch(
        "SELECT partition, next_offset FROM badge_log_positions WHERE log_id = $1 AND turn > 0",
        log_id,
    )
    return {row["partition"]: row["next_offset"] for row in rows}
