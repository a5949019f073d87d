"""Writes turns to Postgres: position, awards with their events and stats, in one transaction."""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import msgspec

from badges.sinks import turns
from badges.sinks.attempt import CHUNK, Attempt, NotYetVisible, last, move
from badges.sinks.base import (
    DeadLetters,
    Fenced,
    Outcome,
    Place,
    Position,
    RecordedPosition,
    RulePosition,
    Turn,
    Unavailable,
)
from badges.sinks.failures import Refused, translated
from badges.sinks.pool import Pool
from badges.sinks.queries import QUERIES
from badges.sinks.rows import award_of
from badges.tables.types import Award


class PostgresSink:
    """The sink that counts: `badges.sinks.base.Sink` over a pool from `badges.sinks.pool`.

    `patience` is how long, in seconds, a turn waits for a transaction that it saw in the log and
    that is not visible yet, before it is Unavailable.
    """

    def __init__(self, pool: Pool, dead_letters: DeadLetters, *, patience: float = 10.0) -> None:
        self._pool = pool
        self._dead_letters = dead_letters
        self._patience = patience
        self._undecided: dict[tuple[str, int], tuple[Turn, UUID]] = {}

    async def position(self, log_id: str, partition: int) -> Position | None:
        """Read the partition's position; None when the generation is not live."""
        with translated():
            row = await self._pool.fetchrow(QUERIES["position"], log_id, partition)
        return Position(row["next_offset"], row["turn"]) if row else None

    async def last_decided(self, log_id: str, partition: int) -> Place | None:
        """Read the last record below the position; None where it was not remembered."""
        with translated():
            row = await self._pool.fetchrow(QUERIES["last_decided"], log_id, partition)
        return Place(row["last_offset"], row["last_sequence"]) if row else None

    async def rule_positions(
        self, log_id: str, partition: int, before_turn: int
    ) -> list[RecordedPosition]:
        """Read what turns below `before_turn` took up, in their order."""
        with translated():
            rows = await self._pool.fetch(QUERIES["rule_positions"], log_id, partition, before_turn)
        return [
            RecordedPosition(
                row["turn"], row["offset"], RulePosition(row["kind"], row["id"], row["version"])
            )
            for row in rows
        ]

    async def awards(self, log_id: str, partition: int, mentors: Sequence[str]) -> list[Award]:  # noqa: ARG002
        """Read the awards of these mentors, by mentor and definition."""
        with translated():
            rows = await self._pool.fetch(QUERIES["awards"], list(filter(turns.is_uuid, mentors)))
        return [award_of(row) for row in rows]

    async def write(self, turn: Turn) -> Outcome:
        """Write the turn; when it proves to be written already, the Outcome's counts are lost.

        A connection lost during COMMIT leaves open what became of the turn. The caller tries the
        same turn again, and we know it by its id in the position's row. (A transaction id would not
        do: after a crash the server may hand out a lost one again.)
        """
        malformed = turns.malformed(turn)
        if malformed:
            await self._dead_letters.send(turns.letters(malformed))
        outcome = await self._write_once(turns.well_formed(turn, malformed))
        if not malformed:
            return outcome
        return msgspec.structs.replace(outcome, rejected=[*malformed, *outcome.rejected])

    async def _write_once(self, turn: Turn) -> Outcome:
        place = (turn.log_id, turn.partition)
        before = self._undecided.get(place)
        turn_id = before[1] if before and before[0] == turn else uuid4()
        self._undecided[place] = turn, turn_id
        try:
            outcome = await self._write(turn, turn_id)
        except Fenced:
            del self._undecided[place]
            raise
        del self._undecided[place]
        return outcome

    async def _write(self, turn: Turn, turn_id: UUID) -> Outcome:
        if await self._write_stats_turn(turn, turn_id):
            return Outcome()
        isolating = settled = False
        while True:
            try:
                return await self._attempt(turn, turn_id, isolating=isolating, settled=settled)
            except NotYetVisible as missing:
                await self._until_finished(missing)
                settled = True
            except Refused as refusal:
                if isolating:
                    raise Unavailable(f"Postgres refuses the turn as a whole: {refusal}") from None
                isolating = True

    async def _write_stats_turn(self, turn: Turn, turn_id: UUID) -> bool:
        """Write the common turn in one round trip; False if it is none, or needs a closer look."""
        if turn.decisions or turn.departures or turn.rule_positions or len(turn.stats) > CHUNK:
            return False
        mentors = [stats.peer_mentor_id for stats in turn.stats]
        try:
            with translated():
                written = await self._pool.fetchval(
                    QUERIES["write_stats_turn"],
                    turn.stats,
                    *move(turn, turn_id),
                    mentors,
                    [],
                    *last(turn),
                )
        except Refused:
            return False
        return bool(written)

    async def _attempt(
        self, turn: Turn, turn_id: UUID, *, isolating: bool, settled: bool
    ) -> Outcome:
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                attempt = Attempt(connection, turn, isolating=isolating)
                if not await attempt.open(turn_id):
                    return Outcome()
                outcome = await attempt.write(settled=settled)
                if outcome.rejected:
                    await self._dead_letters.send(turns.letters(outcome.rejected))
                return outcome

    async def _until_finished(self, missing: NotYetVisible) -> None:
        """Wait until transactions that the log has shown already are over."""
        xids = [str(xid) for xid in missing.xids]
        waited, delay = 0.0, 0.005
        while True:
            with translated():
                if not await self._pool.fetchval(QUERIES["unfinished"], xids):
                    return
            if waited > self._patience:
                raise Unavailable(str(missing))
            await asyncio.sleep(delay)
            waited += delay
            delay = min(2 * delay, 0.25)
