"""Measuring how far behind the awards are, again and again, and whether the workers get on."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace as with_fields
from datetime import datetime, timedelta

from msgspec.structs import replace

from streams.lag.answers import (
    Clients,
    DatabaseAnswer,
    KafkaAnswer,
    ask_connect,
    ask_database,
    ask_kafka,
    unreachable,
)
from streams.lag.pulse import IT_IS_FROZEN, Pulses
from streams.lag.rate import Rate
from streams.lag.stages import CatchUp, Lag, assemble

_LIMIT_S = 4.5
"""How long a measurement takes at most, whatever does not answer."""
_LEAST_S = 1.5
"""What is left of that for Kafka and Connect, however long Postgres took."""

_UNNOTED_S = 2.5
"""So far behind the newest heartbeat is what workers have noted when they are thought to be still:
they note one each second."""
_STILL_S = 2.0
"""And no position, nor what they have noted, has changed for so long."""
_DUE_S = 1.2
"""And so long ago there was a heartbeat that they have not noted: several come at once when the
connector was held up."""

_AGAIN_S = 0.3
_PACE_S = 30.0
"""Over how long it is seen how fast what waits becomes less."""
_PACE_AT_LEAST_S = 2.0


class Liveness:
    """Whether the workers get on, by one look after another.

    A worker that is frozen keeps its sessions, and where no row waits nothing else tells: but each
    second one of them notes up to when everything is decided.
    """

    def __init__(self) -> None:
        self._seen: tuple[datetime | None, Mapping[int, int]] = (None, {})
        self._moved_at = 0.0
        self._due_at: float | None = None
        self._still = self._due = 0.0
        self._unnoted = timedelta()

    def look(
        self,
        now: float,
        noted: datetime | None,
        positions: Mapping[int, int],
        heartbeat: datetime | None,
    ) -> None:
        """Look at what was noted last, and at the newest heartbeat that could have been.

        `now` is a monotonic clock's seconds.
        """
        seen = (noted, positions)
        if seen != self._seen:
            self._seen, self._moved_at, self._due_at = seen, now, None
        is_due = noted is not None and heartbeat is not None and heartbeat > noted
        self._unnoted = heartbeat - noted if noted and heartbeat and is_due else timedelta()
        if not is_due:
            self._due_at = None
        elif self._due_at is None:
            self._due_at = now
        self._still = now - self._moved_at
        self._due = now - self._due_at if self._due_at is not None else 0.0

    @property
    def suspicious(self) -> bool:
        """Whether more is not noted yet than usual."""
        return self._unnoted.total_seconds() >= _UNNOTED_S

    @property
    def is_in_doubt(self) -> bool:
        """Whether it takes another look, some seconds later, to tell."""
        return self.suspicious and self.silence is None

    @property
    def silence(self) -> float | None:
        """For how many seconds nothing was noted, if that is too long."""
        is_silent = self.suspicious and self._still >= _STILL_S and self._due >= _DUE_S
        return self._unnoted.total_seconds() if is_silent else None


class Meter:
    """Measures with clients that are kept, and remembers what one measurement alone cannot tell.

    `pulses` are those that this process hears of workers, `unwritten` says which alerts it could
    not write yet.
    """

    def __init__(
        self,
        clients: Clients,
        on_time_s: float,
        pulses: Pulses | None = None,
        unwritten: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._clients = clients
        self._on_time_s = on_time_s
        self._pulses = pulses or Pulses()
        self._unwritten = unwritten
        self._last: tuple[float, DatabaseAnswer] | None = None
        """What Postgres said when it last answered, and when that was."""
        self._liveness = Liveness()
        self._waited = Rate(_PACE_S, _PACE_AT_LEAST_S)
        self._given_up: asyncio.Task[KafkaAnswer] | None = None

    async def measure(self, limit: float = _LIMIT_S) -> Lag:
        """Measure once, within `limit` seconds. What does not answer is told as such."""
        clock = asyncio.get_running_loop().time
        until = clock() + limit
        database = self._remembered(clock(), await ask_database(self._clients, limit))
        left = max(until - clock(), _LEAST_S)
        kafka, out = await asyncio.gather(
            self._ask_kafka(database, left), ask_connect(self._clients, database.generation, left)
        )
        silent = self._look(clock(), database, kafka)
        found = assemble(
            database,
            kafka,
            out,
            self._on_time_s,
            silent=silent,
            restoring=self._pulses.restoring if database.answers else (),
            unwritten=self._unwritten(),
        )
        return self._with_pace(clock(), found)

    async def measure_alone(self) -> Lag:
        """Measure so that it need not be done again: where the workers are quiet, look on."""
        clock = asyncio.get_running_loop().time
        until = clock() + _LIMIT_S
        found = await self.measure()
        while self._liveness.is_in_doubt and clock() < until - _LEAST_S:
            await asyncio.sleep(_AGAIN_S)
            found = await self.measure(until - clock())
        return found

    def _remembered(self, now: float, database: DatabaseAnswer) -> DatabaseAnswer:
        """What Postgres says; where it says nothing, of which log it last did, and how long ago.

        Kafka and Connect can be asked about that all the same.
        """
        if self._last is None:
            self._last = (now, database) if database.answers else None
            return database
        at, last = self._last
        if not database.answers:
            later = last.now + timedelta(seconds=now - at) if last.now else None
            return replace(
                database,
                now=later,
                generation=last.generation,
                live_at=last.live_at,
                decided_until=last.decided_until,
                alerts=last.alerts,
            )
        if _log_id(last) != _log_id(database):
            self._liveness = Liveness()
            self._waited.forget()
        self._last = now, database
        return database

    async def _ask_kafka(self, database: DatabaseAnswer, limit: float) -> KafkaAnswer:
        """Give Kafka so much time; who is given up may take longer to notice it."""
        clock = asyncio.get_running_loop().time
        until = clock() + limit
        if self._given_up is not None:
            await asyncio.wait([self._given_up], timeout=limit)
            if not self._given_up.done():
                return self._unanswered()
            self._given_up = None
        asking = asyncio.create_task(ask_kafka(self._clients, database, until - clock()))
        try:
            await asyncio.wait([asking], timeout=until - clock())
        finally:
            if not asking.done():
                asking.cancel()
                self._given_up = asking
        return self._unanswered() if self._given_up else asking.result()

    def _unanswered(self) -> KafkaAnswer:
        return unreachable(self._clients, "it does not answer in time")

    def _look(self, now: float, database: DatabaseAnswer, kafka: KafkaAnswer) -> str:
        """Look at the workers that there are; what is wrong with them, in a sentence."""
        waiting = kafka.waiting
        if waiting is None or waiting.sessions == 0:
            return ""
        # A worker may freeze before it has noted anything of a log.
        noted = database.decided_until or database.live_at
        self._liveness.look(now, noted, waiting.positions, kafka.heartbeat)
        quiet = [each for each in self._pulses.silent(_UNNOTED_S) if each.partitions]
        if self._liveness.suspicious and quiet:
            return (
                f"nothing was heard of a worker for {self._pulses.seconds_since(quiet):.0f} s, "
                f"though it is connected: {IT_IS_FROZEN}"
            )
        silence = self._liveness.silence
        # One that stands still, and says why, lets nothing be noted; and one that is heard lives.
        lives = self._pulses.hears(_UNNOTED_S)
        if silence is None or lives or waiting.waits & kafka.explained:
            return ""
        return (
            f"the workers have noted nothing for {silence:.0f} s, though one is connected: "
            f"{IT_IS_FROZEN}"
        )

    def _with_pace(self, now: float, found: Lag) -> Lag:
        """The same, with how fast what waits becomes less where it is late."""
        records = found.behind_records
        if not records:
            self._waited.forget()
            return found
        self._waited.see(now, records)
        late = any(s.name == "worker" and s.state != "ok" for s in found.stages)
        if not late:
            return found
        growth = self._waited.per_second
        catch_up = CatchUp(records, None, None)
        if growth is not None and growth < 0:
            catch_up = CatchUp(records, round(-growth, 1), round(records / -growth, 1))
        return with_fields(found, catch_up=catch_up)


def _log_id(database: DatabaseAnswer) -> str | None:
    return database.generation.log_id if database.generation else None
