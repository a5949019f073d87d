"""The alert that something waits and nobody gets on with it, and that Postgres stays away."""

import asyncio
import time
from collections.abc import Callable
from typing import Literal, TypeAlias

import structlog

from sinks.alerts import Alerts
from sinks.cancellation import uncancelled
from sinks.errors import StoreError
from sinks.failures import translated
from sinks.looks import Looks, OneAlert
from sinks.pool import Executor
from streams.lag.backlog import Backlog, backlog, records_only, unexplained
from streams.lag.pulse import Pulses
from streams.log import generations
from streams.log.cluster import Cluster
from streams.log.generations import Generation

LOOK_EVERY_S = 2.0
CONFIRMATIONS = 4
"""So many looks in a row: a worker that is started again is back sooner."""

STILL_S = 54.0
"""Where something waits, a worker decides some of it sooner; with the confirmations it is 60 s."""

FROZEN_S = 6.0
"""A worker tells each second that it is there, however busy it is or whatever it waits for."""

_Unworked: TypeAlias = Literal["deserted", "frozen", "still", "abandoned"]
"""Why nothing is decided: no worker is there, one is frozen, none gets on, or no log is live."""

log = structlog.get_logger(__name__)


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
            return await records_only(found, live, self._cluster)
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
