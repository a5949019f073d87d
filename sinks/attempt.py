"""One transaction that writes one turn, from the fence to the last row of stats."""

from collections.abc import Sequence
from uuid import UUID

from msgspec.structs import replace

from sinks import turns, waiting
from sinks.base import Change, Outcome, Turn
from sinks.errors import Fenced, NotYetVisible
from sinks.pool import Connection
from sinks.queries import QUERIES
from sinks.snapshots import unfinished
from sinks.waiting import Locked
from tables.decisions import Decision
from tables.types import Stats


def move(turn: Turn, turn_id: UUID) -> tuple[str, int, int, int, int, UUID]:
    return turn.log_id, turn.partition, turn.start, turn.end, turn.number, turn_id


def remembered(turn: Turn) -> tuple[int | None, str | None, str | None]:
    offset, sequence = (turn.last.offset, turn.last.sequence) if turn.last else (None, None)
    return offset, sequence, turn.evaluator


class Attempt:
    """A turn in an open transaction: `open`, then `write`, then the caller commits.

    All or nothing: what Postgres refuses is raised as it comes.
    """

    opening = "open_turn"

    def __init__(self, connection: Connection, turn: Turn) -> None:
        self._connection = connection
        self._turn = turn
        self._locked = Locked((), {}, ())
        self._snapshot = ""
        self._xid = 0

    async def open(self, turn_id: UUID) -> bool:
        """Move the position, and lock the mentors and definitions that the turn is about.

        False if this very turn was written before. Raises Fenced if another one was.
        """
        turn = self._turn
        mentors = {d.after.peer_mentor_id for d in turn.decisions}
        mentors.update(stats.peer_mentor_id for stats in turn.stats)
        definitions = {d.after.badge_definition_id for d in turn.decisions}
        row = await self._connection.fetchrow(
            QUERIES[self.opening],
            turn.applied,
            *move(turn, turn_id),
            list(mentors),
            list(definitions),
            *remembered(turn),
        )
        if row is None or not row["moved"]:
            return await self._was_written(turn_id)
        names = (str(id_) for id_ in row["definitions"])
        self._locked = Locked(
            mentors={str(id_) for id_ in row["mentors"]},
            deletions=dict(zip(names, row["deletions"], strict=True)),
            busy={str(id_) for id_ in row["busy"]},
        )
        self._snapshot, self._xid = row["snapshot"], int(row["xid"])
        return True

    async def write(self, *, settled: bool) -> Outcome:
        """Write what the opened turn holds.

        Raises NotYetVisible, unless `settled`, when something is missing and a transaction of the
        turn was in progress as it began.
        """
        turn = self._turn
        decisions = self._decisions_in_force()
        stats = [item for item in turn.stats if item.peer_mentor_id in self._locked.mentors]
        outcome = await self._write(decisions, stats)
        outcome = replace(outcome, gone=len(turn.decisions) - len(decisions))
        missing = outcome.gone or outcome.overtaken or len(stats) < len(turn.stats)
        if missing and not settled:
            self._look_for_unfinished()
        return outcome

    async def _write(self, decisions: Sequence[Decision], stats: Sequence[Stats]) -> Outcome:
        """Write the deletes of mentors, and the decisions and stats of those that are there."""
        left = [item.peer_mentor_id for item in self._turn.mentors_deleted]
        await waiting.delete_mentors(self._connection, left)
        written: list[Change] = []
        for wave in turns.waves(decisions):
            written += await waiting.write_decisions(self._connection, wave)
        await waiting.write_stats(self._connection, stats)
        return Outcome(written=written, overtaken=len(decisions) - len(written))

    async def _was_written(self, turn_id: UUID) -> bool:
        turn = self._turn
        found = await self._connection.fetchval(QUERIES["turn_id"], turn.log_id, turn.partition)
        if found == turn_id:
            return False
        raise Fenced(
            f"partition {turn.partition} of log {turn.log_id} is not at offset {turn.start}, "
            f"turn {turn.number}: another worker moved it, or the log was closed"
        )

    def _look_for_unfinished(self) -> None:
        xids = unfinished(turns.transactions(self._turn), self._snapshot, self._xid)
        if xids:
            raise NotYetVisible(xids)

    def _decisions_in_force(self) -> list[Decision]:
        before_a_delete = {id(decision) for decision in turns.outdated(self._turn)}
        return [
            decision
            for decision in self._turn.decisions
            if id(decision) not in before_a_delete and self._locked.has(decision)
        ]
