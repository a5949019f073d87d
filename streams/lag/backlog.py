"""How much of the log waits to be decided, and whether anybody gets on with it."""

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from aiokafka.errors import KafkaConnectionError
from msgspec import Struct
from msgspec.structs import replace

from sinks.alerts import BREAKS, AlertKind
from sinks.pool import Executor
from streams.lag.pulse import IT_IS_FROZEN
from streams.log import generations
from streams.log.cluster import Cluster, Topic
from streams.log.generations import Generation

_MARKS_S = 30.0
"""A topic that is removed meanwhile never says what the next record is."""

_MOVES_S = 10.0
"""How long a command waits to see each position move where something waits."""

WORKER = "badges worker"
"""What a worker's sessions call themselves; the server ends them with their process."""

_STOPS_ALL: tuple[AlertKind, ...] = (*BREAKS, "log_unreachable")
"""Alerts that say why no position moves."""


class Backlog(Struct, frozen=True):
    """What waits. `positions` and `behind` have the next offset and the records by partition.

    `sessions` says how many workers have with the database: a frozen one keeps its own.
    """

    positions: Mapping[int, int]
    behind: Mapping[int, int]
    sessions: int

    @property
    def waits(self) -> set[int]:
        """The partitions in which something waits."""
        return {partition for partition, behind in self.behind.items() if behind}

    @property
    def deserted(self) -> bool:
        """Whether something waits and nobody works."""
        return self.sessions == 0 and bool(self.waits)

    @property
    def sentence(self) -> str:
        """What waits, and for whom."""
        waits = self._records(self.behind)
        return f"{waits} and no worker is connected: start one with `badges worker`"

    def still(self, partitions: Collection[int], seconds: float, *, explained: bool = False) -> str:
        """What waits though a worker is connected, where these have not moved for so long.

        With `explained` an open alert says why.
        """
        if len(partitions) == len(self.waits):
            moved = "no position has moved"
        else:
            moved = f"nothing has moved in partition {', '.join(map(str, sorted(partitions)))}"
        why = (
            "see the alerts that are open"
            if explained
            else "it is frozen, or still reads its state. See its log, and start it again"
        )
        return (
            f"{self._records(partitions)} and {moved} for {seconds:.0f} s, though a worker is "
            f"connected: {why}"
        )

    def frozen(self, partitions: Collection[int], seconds: float) -> str:
        """What waits for a worker that is connected and has said nothing for so long."""
        return (
            f"{self._records(partitions)} for a worker that is connected and has said nothing for "
            f"{seconds:.0f} s: {IT_IS_FROZEN}"
        )

    def _records(self, partitions: Collection[int]) -> str:
        number = sum(self.behind[partition] for partition in partitions)
        return f"{number:,} record{'s' if number != 1 else ''} of the log wait"


async def backlog(generation: Generation, connection: Executor, cluster: Cluster) -> Backlog:
    """What waits of a live generation. Raises KafkaError, or errors of Postgres."""
    positions = await generations.next_offsets(connection, generation.log_id)
    with _told_as_kafkas():
        found = await cluster.topic(generation.topic)
        ends = dict(enumerate(await cluster.ends(found))) if found else {}
    sessions = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = $1",
        WORKER,
    )
    behind = {
        partition: max(ends.get(partition, 0) - position, 0)
        for partition, position in sorted(positions.items())
    }
    return Backlog(positions, behind, sessions)


async def without_marks(
    found: Backlog, topic: Topic, cluster: Cluster
) -> tuple[Backlog, dict[int, bytes | None]]:
    """The backlog without what no record waits in, and the value of the next one of the others.

    The end of a transaction takes an offset, and so do the rows of one that was aborted: a worker
    passes them over, and where none is there nothing waits for it. Raises KafkaError or OSError.
    """
    if not found.waits:
        return found, {}
    ranges = {n: (found.positions[n], found.positions[n] + found.behind[n]) for n in found.waits}
    values = await cluster.first_values(topic, ranges)
    behind = {n: records if n in values else 0 for n, records in found.behind.items()}
    return replace(found, behind=behind), values


async def records_only(found: Backlog, generation: Generation, cluster: Cluster) -> Backlog:
    """`without_marks` of a generation's topic, within a limit. Raises KafkaError."""
    with _told_as_kafkas():
        async with asyncio.timeout(_MARKS_S):
            topic = await cluster.topic(generation.topic)
            return (await without_marks(found, topic, cluster))[0] if topic else found


@contextmanager
def _told_as_kafkas() -> Iterator[None]:
    """Make errors of the network Kafka's own: whoever asks Postgres too takes them for its."""
    try:
        yield
    except OSError as error:
        raise KafkaConnectionError(str(error) or type(error).__name__) from error


async def unworked(generation: Generation, connection: Executor, cluster: Cluster) -> str | None:
    """What waits of a live generation while nobody gets on with it, in a sentence, or None.

    Takes some ten seconds where something waits in a partition that does not move. Raises as
    `backlog` does.
    """
    found = first = await backlog(generation, connection, cluster)
    deadline = time.monotonic() + _MOVES_S
    while standing := [
        partition
        for partition, behind in found.behind.items()
        if behind and found.positions[partition] == first.positions.get(partition)
    ]:
        if found.deserted or time.monotonic() > deadline:
            found = await records_only(found, generation, cluster)
            standing = [each for each in standing if found.behind[each]]
            if not standing:
                return None
        if found.deserted:
            return found.sentence
        if time.monotonic() > deadline:
            explained = not await unexplained(connection, standing)
            return found.still(standing, _MOVES_S, explained=explained)
        await asyncio.sleep(_MOVES_S / 50)
        found = await backlog(generation, connection, cluster)
    return None


async def unexplained(connection: Executor, standing: Collection[int]) -> list[int]:
    """Those of these partitions of which no open alert says why they stand still."""
    rows = await connection.fetch(
        """
        SELECT number FROM unnest($1::int[]) AS number
        WHERE NOT (badges_private.is_told($2, '%')
            OR badges_private.is_told('{turn_stalled}', 'rules')
            OR badges_private.is_told('{turn_stalled}', 'start')
            OR badges_private.is_told('{turn_stalled,partition_failed}', number::text)
            OR badges_private.is_told('{dead_letters}', 'partition ' || number))
        """,
        standing,
        _STOPS_ALL,
    )
    return [row["number"] for row in rows]
