"""Writes turns to Postgres: position, awards with their events and stats, in one transaction."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias
from uuid import UUID, uuid4

import asyncpg
import msgspec
from msgspec import Struct, field

from sinks.attempt import Attempt, move, remembered
from sinks.backoff import delays
from sinks.base import Found, Outcome, Place, Position, Turn, Waiting
from sinks.careful import CAREFULLY, CarefulAttempt, Judge
from sinks.errors import Fenced, NotYetVisible, Refused, StoreError, Unavailable
from sinks.failures import Refusal, refusal_of, translated
from sinks.pool import Pool
from sinks.queries import QUERIES
from sinks.waiting import CHUNK, Queue
from sinks.written import Written
from tables.types import AppliedVersion, Award

_REFUSAL_PATIENCE = 1.5
"""Seconds for which a turn is tried whole, however often it is refused, before something waits."""

_IDLE_TRIES = 64
"""So much of what waits may be refused again in one retry without a turn."""

PartitionKey: TypeAlias = tuple[str, int]
"""A log's id and a partition."""


class _Known(Struct):
    """What is known of a partition.

    That is whether anything waits there (None: it has to be read), and for which reasons; and of
    the `turn` that may or may not be written when it was refused first (the loop's time).
    """

    waits: bool | None = None
    reasons: set[tuple[str, str | None]] = field(default_factory=set)
    turn: Turn | None = None
    turn_id: UUID = field(default_factory=uuid4)
    refused_at: float | None = None


class PostgresSink:
    """The sink that counts: `sinks.base.Sink` over a pool from `sinks.pool`.

    `patience` is how long, in seconds, a turn waits for a transaction that it saw in the log and
    that is not visible yet, before it is Unavailable; `refusal_patience` how long a turn that is
    refused is Unavailable, before what is refused waits.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        patience: float = 10.0,
        refusal_patience: float = _REFUSAL_PATIENCE,
    ) -> None:
        self._pool = pool
        self._patience = patience
        self._refusal_patience = refusal_patience
        self._partitions: dict[PartitionKey, _Known] = {}

    async def position(self, log_id: str, partition: int) -> Position | None:
        self._partitions.pop((log_id, partition), None)
        return await Written(self._pool, log_id, partition).position()

    async def last_decided(self, log_id: str, partition: int) -> Place | None:
        with translated():
            row = await self._pool.fetchrow(QUERIES["last_decided"], log_id, partition)
        return Place(row["last_offset"], row["last_sequence"]) if row else None

    async def evaluator(self, log_id: str, partition: int) -> str | None:
        with translated():
            found: str | None = await self._pool.fetchval(QUERIES["evaluator"], log_id, partition)
        return found

    async def applied(self, log_id: str, partition: int, before_turn: int) -> list[AppliedVersion]:
        with translated():
            rows = await self._pool.fetch(QUERIES["rule_positions"], log_id, partition, before_turn)
        return [AppliedVersion(partition, **row) for row in rows]

    async def awards(self, log_id: str, partition: int, mentors: Sequence[str]) -> list[Award]:
        return await Written(self._pool, log_id, partition).awards(mentors)

    async def waiting(self) -> list[Waiting]:
        with translated():
            rows = await self._pool.fetch(QUERIES["refusals"])
        return [Waiting(**row) for row in rows]

    async def found(self, log_id: str) -> list[Found]:
        with translated():
            text = await self._pool.fetchval(QUERIES["found"], log_id)
        return msgspec.json.decode(text, type=list[Found]) if text else []

    async def write(self, turn: Turn) -> Outcome:
        """Write the turn; when it proves to be written already, the Outcome's counts are lost.

        A connection lost during COMMIT leaves open what became of the turn. The caller tries the
        same turn again, and we know it by its id in the position's row. (A transaction id would not
        do: after a crash the server may hand out a lost one again.)
        """
        place = (turn.log_id, turn.partition)
        async with self._known(place) as known:
            if known.turn != turn:
                known.turn, known.turn_id, known.refused_at = turn, uuid4(), None
            outcome = await self._write(turn, known.turn_id, known)
            known.turn = None
        return outcome

    async def write_as_of(
        self, log_id: str, partition: int, make: Callable[[Written], Awaitable[Turn | None]]
    ) -> Outcome | None:
        """Write a turn that is made while nobody else moves the position; None where none is made.

        `make` is given what is written, in the transaction that the turn will be written in; it has
        to keep the position, and may be asked twice. What is refused waits at once. Raises what
        `make` does, and Unavailable; nothing is written then.
        """
        place = log_id, partition
        async with self._known(place) as known:
            try:
                return await self._make_and_write(place, make, known, careful=bool(known.waits))
            except StoreError as error:
                if known.waits or not _refuses(error):
                    raise
                return await self._make_and_write(place, make, known, careful=True)

    async def _make_and_write(
        self,
        place: PartitionKey,
        make: Callable[[Written], Awaitable[Turn | None]],
        known: _Known,
        *,
        careful: bool,
    ) -> Outcome | None:
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                turn = await make(Written(connection, *place))
                if turn is None:
                    return None
                attempt = Attempt(connection, turn)
                if careful:
                    judge = Judge(connection)
                    attempt = CarefulAttempt(connection, turn, judge=judge, known=judge)
                await attempt.open(uuid4())
                outcome = await attempt.write(settled=True)
        known.waits = outcome.waits
        return outcome

    async def retry(self, log_id: str, partition: int, position: Position) -> Outcome:
        place = log_id, partition
        async with self._known(place) as known:
            if not known.waits:
                return Outcome()
            with translated():
                outcome = await self._retry(place, position)
            known.waits = outcome.waits
            return outcome

    @asynccontextmanager
    async def _known(self, place: PartitionKey) -> AsyncIterator[_Known]:
        """What is known of a partition; after any error what waits has to be read again."""
        known = self._partitions.setdefault(place, _Known())
        is_done = False
        try:
            if known.waits is None:
                with translated():
                    await self._read(place, known)
            yield known
            is_done = True
        except Refused as error:
            reason = f"Postgres refuses the turn: {error}"
            raise Unavailable(reason, sqlstate=error.sqlstate) from error
        except Fenced:
            self._partitions.pop(place, None)
            raise
        finally:
            if not is_done:
                known.waits = None

    async def _read(self, place: PartitionKey, known: _Known) -> None:
        waits = bool(await self._pool.fetchval(QUERIES["waits"], *place))
        reasons = await self._pool.fetch(QUERIES["reasons"], *place) if waits else []
        known.reasons = {(row["sqlstate"], row["refused_by"]) for row in reasons}
        known.waits = waits

    async def _write(self, turn: Turn, turn_id: UUID, known: _Known) -> Outcome:
        careful, settled = bool(known.waits), False
        simple = not careful and _is_simple(turn)
        while True:
            try:
                if simple:
                    simple = False
                    if await self._write_stats_turn(turn, turn_id):
                        return Outcome()
                with translated():
                    return await self._attempt(
                        turn, turn_id, known, careful=careful, settled=settled
                    )
            except NotYetVisible as missing:
                await self._until_finished(missing)
                settled = True
            except StoreError as error:
                if careful or not _refuses(error) or not self._tried_enough(known):
                    raise
                careful = True

    async def _write_stats_turn(self, turn: Turn, turn_id: UUID) -> bool:
        """Write the common turn in one round trip; False if it needs a closer look."""
        mentors = [stats.peer_mentor_id for stats in turn.stats]
        with translated():
            written = await self._pool.fetchval(
                QUERIES["write_stats_turn"],
                turn.stats,
                *move(turn, turn_id),
                mentors,
                [],
                *remembered(turn),
            )
        return bool(written)

    async def _attempt(
        self, turn: Turn, turn_id: UUID, known: _Known, *, careful: bool, settled: bool
    ) -> Outcome:
        def believes(refusal: Refusal) -> bool:
            reason = refusal.sqlstate, refusal.by
            if reason not in known.reasons and not self._tried_enough(known):
                return False
            known.reasons.add(reason)
            return True

        async with self._pool.acquire() as connection, connection.transaction():
            attempt = Attempt(connection, turn)
            if careful:
                judge = Judge(connection, believes)
                attempt = CarefulAttempt(connection, turn, judge=judge, known=Judge(connection))
            if await attempt.open(turn_id):
                outcome = await attempt.write(settled=settled)
            else:
                place = turn.log_id, turn.partition
                outcome = Outcome(waits=await connection.fetchval(QUERIES["waits"], *place))
        known.waits = outcome.waits
        if not known.waits:
            known.reasons.clear()
        return outcome

    async def _retry(self, place: PartitionKey, position: Position) -> Outcome:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(CAREFULLY)
            if not await connection.fetchval(
                QUERIES["hold_position"], *place, position.next_offset, position.turn
            ):
                raise Fenced(f"partition {place[1]} of log {place[0]} is not at {position}")
            queue = Queue(connection, *place, Judge(connection))
            accepted = await queue.retry(_IDLE_TRIES)
            return Outcome(accepted=accepted, waits=await queue.waits())

    def _tried_enough(self, known: _Known) -> bool:
        now = asyncio.get_running_loop().time()
        if known.refused_at is None:
            known.refused_at = now
        return now - known.refused_at >= self._refusal_patience

    async def _until_finished(self, missing: NotYetVisible) -> None:
        """Wait until transactions that the log has shown already are over."""
        xids = [str(xid) for xid in missing.xids]
        waited, pauses = 0.0, delays(0.005, 0.25)
        while True:
            with translated():
                if not await self._pool.fetchval(QUERIES["unfinished"], xids):
                    return
            if waited > self._patience:
                raise Unavailable(str(missing))
            waited += (pause := next(pauses))
            await asyncio.sleep(pause)


def _is_simple(turn: Turn) -> bool:
    """Whether one statement may write it all."""
    return not (turn.decisions or turn.mentors_deleted or turn.applied) and (
        len(turn.stats) <= CHUNK
    )


def _refuses(error: Exception) -> bool:
    """Whether it may be about some rows and not about others."""
    cause = error.__cause__
    return isinstance(cause, asyncpg.PostgresError) and refusal_of(cause) is not None
