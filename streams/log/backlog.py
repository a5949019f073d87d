"""How much of the log waits to be decided, and whether anybody works on it."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, TypeAlias

import structlog
from aiokafka.errors import KafkaConnectionError
from msgspec import Struct
from msgspec.structs import replace

from sinks.alerts import BREAKS, AlertKind, Alerts
from sinks.cancellation import uncancelled
from sinks.errors import StoreError
from sinks.failures import translated
from sinks.looks import Looks, OneAlert
from sinks.pool import Executor
from streams.log import generations
from streams.log.cluster import Cluster, Topic
from streams.log.generations import Generation
from streams.log.pulse import IT_IS_FROZEN, Pulses

LOOK_EVERY_S = 2.0
CONFIRMATIONS = 4
"""So many looks in a row: a worker that is started again is back sooner."""

STILL_S = 54.0
"""Where something waits, a worker decides some of it sooner; with the confirmations it is 60 s."""

FROZEN_S = 6.0
"""A worker tells each second that it is there, however busy it is or whatever it waits for."""

_MARKS_S = 15.0
"""A topic that is removed meanwhile never says what the next record is."""

_MOVES_S = 10.0
"""How long a command waits to see each position move where something waits."""

WORKER = "badges worker"
"""What a worker's sessions call themselves; the server ends them with their process."""

_STOPS_ALL: tuple[AlertKind, ...] = (*BREAKS, "log_unreachable")
"""Alerts that say why no position moves."""

_Unworked: TypeAlias = Literal["deserted", "frozen", "still", "abandoned"]
"""Why nothing is decided: no worker is there, one is frozen, none gets on, or no log is live."""

log = structlog.get_logger(__name__)


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
        found = (await cluster.topics([generation.topic])).get(generation.topic)
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


async def _truly(found: Backlog, generation: Generation, cluster: Cluster) -> Backlog:
    """The backlog, where it is to be told that nobody works on it. Raises KafkaError."""
    with _told_as_kafkas():
        async with asyncio.timeout(_MARKS_S):
            topic = (await cluster.topics([generation.topic])).get(generation.topic)
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

    Takes MOVES_S where something waits in a partition that does not move. Raises as `backlog` does.
    """
    found = first = await backlog(generation, connection, cluster)
    deadline = time.monotonic() + _MOVES_S
    while standing := [
        partition
        for partition, behind in found.behind.items()
        if behind and found.positions[partition] == first.positions.get(partition)
    ]:
        if found.deserted or time.monotonic() > deadline:
            found = await _truly(found, generation, cluster)
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


async def watch_backlog(
    connection: Executor, cluster: Cluster, alerts: Alerts, pulses: Pulses
) -> None:
    """Look every few seconds, for good, and open an alert if nobody works."""
    watch = Watch(connection, cluster, alerts, pulses)
    while True:
        try:
            await uncancelled(watch.look())
        except Exception as error:
            log.warning("what waits cannot be told, looking again", error=repr(error))
            await watch.failed(error)
        await asyncio.sleep(LOOK_EVERY_S)


class Watch:
    """Keeps the alert that nobody works, by one look after another at what waits.

    A look that fails does not count, and those before it go on counting.
    """

    def __init__(
        self,
        connection: Executor,
        cluster: Cluster,
        alerts: Alerts,
        pulses: Pulses,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._cluster = cluster
        self._alert = OneAlert(alerts, "nobody_works")
        self._pulses = pulses
        self._clock = clock
        self._waiting: dict[int, tuple[int, float]] = {}
        """At which position each partition has rows that wait, and since when."""
        self._looks = Looks()
        self._away = OneAlert(alerts, "log_unreachable", subject="api")
        self._failures = Looks()
        self._told: _Unworked | None = None
        """Why the alert was opened here."""

    async def look(self) -> None:
        """Look once. Raises Unavailable, Refused or KafkaError."""
        with translated():
            live = await generations.live(self._connection)
            found = await self._backlog(live) if live else None
            why, sentence = await (self._judge(found) if found else self._without_a_log())
        self._failures.found(None)
        await self._away.close()
        seen = self._looks.found(why)
        if why is None:
            await self._alert.close()
            self._told = None
        elif seen % CONFIRMATIONS == 0 or (why == "frozen" != self._told):
            if self._told not in (None, why):
                await self._alert.close()
            await self._alert.open("nobody_works", {"message": sentence})
            self._told = why

    async def _backlog(self, live: Generation) -> Backlog:
        """What waits; where nothing has moved since the last look, a mark is told from a record."""
        found = await backlog(live, self._connection, self._cluster)
        still = [n for n in found.waits if self._waiting.get(n, (-1,))[0] == found.positions[n]]
        if found.deserted or still:
            return await _truly(found, live, self._cluster)
        return found

    async def failed(self, error: Exception) -> None:
        """Note a look that failed: that Postgres goes on being away is an alert.

        It cannot be written then, but is known to the process, and follows when Postgres answers.
        """
        away = isinstance(error, StoreError)
        if self._failures.found("away" if away else None) % CONFIRMATIONS == 0 and away:
            message = f"the API cannot ask Postgres, and nothing is written: {error}"
            await self._away.open("log_unreachable", {"message": message})

    async def _judge(self, found: Backlog) -> tuple[_Unworked | None, str]:
        now = self._clock()
        before, self._waiting = self._waiting, {}
        for partition, behind in found.behind.items():
            position = found.positions[partition]
            since = before.get(partition, (-1, now))
            if behind:
                self._waiting[partition] = since if since[0] == position else (position, now)
        if found.deserted:
            return "deserted", found.sentence
        if frozen := await self._frozen(found):
            return "frozen", frozen
        seconds = {each: now - since for each, (_, since) in self._waiting.items()}
        standing = [each for each, lasted in seconds.items() if lasted >= STILL_S]
        silent = await unexplained(self._connection, standing) if standing else []
        if silent:
            return "still", found.still(silent, max(seconds[each] for each in silent))
        return None, ""

    async def _frozen(self, found: Backlog) -> str | None:
        """What waits for workers that are silent, though they have not ended; None: nothing."""
        silent = self._pulses.silent(FROZEN_S)
        connected = await self._connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE pid = ANY ($1::int[])",
            [pulse.session for pulse in silent],
        )
        sessions = {row["pid"] for row in connected}
        frozen = [pulse for pulse in silent if pulse.session in sessions]
        waiting = {
            partition
            for pulse in frozen
            for partition in pulse.partitions
            if found.behind.get(partition)
        }
        if not waiting:
            return None
        return found.frozen(waiting, self._pulses.seconds_since(frozen))

    async def _without_a_log(self) -> tuple[_Unworked | None, str]:
        last = await generations.last_live(self._connection)
        if last is None or last.state != "closed":
            return None, ""
        return "abandoned", (
            f"generation {last.number} of the log is closed and none has taken its place, so "
            "nothing is decided: run `badges resnapshot` again, unless it still runs"
        )
