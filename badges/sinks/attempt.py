"""One transaction that writes one turn, from the fence to the last row of stats."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar
from uuid import UUID

import asyncpg
import structlog

from badges.sinks import turns
from badges.sinks.base import Fenced, Outcome, Rejected, Turn
from badges.sinks.failures import is_refusal, reason_of
from badges.sinks.pool import Connection
from badges.sinks.queries import QUERIES
from badges.sinks.rows import decision_rows
from badges.sinks.snapshots import unfinished
from badges.tables.decisions import Decision
from badges.tables.types import Stats

log = structlog.get_logger(__name__)

CHUNK = 2_000
"""Rows of one statement at most: a backfill's turn may hold a hundred times as many."""

Item = TypeVar("Item", Decision, Stats)
Apply = Callable[[Sequence[Item]], Awaitable[int]]


class NotYetVisible(Exception):
    """Something is missing that a transaction still in progress may bring."""

    def __init__(self, xids: Sequence[int]) -> None:
        self.xids = xids
        super().__init__(f"transactions {list(xids)} are in the log and not yet visible")


def move(turn: Turn, turn_id: UUID) -> tuple[str, int, int, int, int, UUID]:
    """Return the first parameters of `move_position`, in its order."""
    return turn.log_id, turn.partition, turn.start, turn.end, turn.number, turn_id


def last(turn: Turn) -> tuple[int | None, str | None]:
    """Return the last parameters of `move_position`."""
    return (turn.last.offset, turn.last.sequence) if turn.last else (None, None)


class Attempt:
    """A turn in an open transaction: `open`, then `write`, then the caller commits.

    `isolating` puts savepoints around what Postgres may refuse, to find the decisions at fault.
    """

    def __init__(self, connection: Connection, turn: Turn, *, isolating: bool) -> None:
        self._connection = connection
        self._turn = turn
        self._isolating = isolating
        self._mentors: set[str] = set()
        self._deletions: dict[str, int | None] = {}
        self._snapshot = ""
        self._xid = 0

    async def open(self, turn_id: UUID) -> bool:
        """Move the position, and lock the mentors and definitions that the turn is about.

        False if this very turn was written before. Raises Fenced if another one was.
        """
        turn = self._turn
        if self._isolating:
            await self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        mentors = {d.after.peer_mentor_id for d in turn.decisions}
        mentors.update(stats.peer_mentor_id for stats in turn.stats)
        definitions = {d.after.badge_definition_id for d in turn.decisions}
        row = await self._connection.fetchrow(
            QUERIES["open_turn"],
            turn.rule_positions,
            *move(turn, turn_id),
            list(mentors),
            list(definitions),
            *last(turn),
        )
        if row is None or not row["moved"]:
            return await self._was_written(turn_id)
        self._mentors = {str(id_) for id_ in row["mentors"]}
        names = (str(id_) for id_ in row["definitions"])
        self._deletions = dict(zip(names, row["deletions"], strict=True))
        self._snapshot, self._xid = row["snapshot"], int(row["xid"])
        return True

    async def write(self, *, settled: bool) -> Outcome:
        """Write what the opened turn holds.

        Raises NotYetVisible, unless `settled`, when something is missing and a transaction of the
        turn was in progress as it began.
        """
        turn = self._turn
        if turn.departures:
            await self._connection.execute(
                QUERIES["depart"], [item.peer_mentor_id for item in turn.departures]
            )
        rejected: list[Rejected] = []
        decisions = self._decisions_in_force()
        written = await self._apply(
            decisions, self._decide, lambda item, reason: rejected.append(Rejected(item, reason))
        )
        stats = [item for item in turn.stats if item.peer_mentor_id in self._mentors]
        await self._apply(stats, self._write_stats, self._stats_refused)
        outcome = Outcome(
            written=written,
            overtaken=len(decisions) - written - len(rejected),
            gone=len(turn.decisions) - len(decisions),
            rejected=rejected,
        )
        missing = outcome.gone or outcome.overtaken or len(stats) < len(turn.stats)
        if missing and not settled:
            self._look_for_unfinished()
        return outcome

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
        """Leave out decisions about a mentor or definition that is gone."""
        before_a_delete = {id(decision) for decision in turns.outdated(self._turn)}
        return [
            decision
            for decision in self._turn.decisions
            if id(decision) not in before_a_delete
            and decision.after.peer_mentor_id in self._mentors
            and self._is_definition_there(decision)
        ]

    def _is_definition_there(self, decision: Decision) -> bool:
        definition = decision.after.badge_definition_id
        if definition not in self._deletions:
            return False
        deleted = self._deletions[definition]
        return deleted is None or deleted <= decision.definition_version

    async def _decide(self, decisions: Sequence[Decision]) -> int:
        changed = 0
        for wave in turns.waves(decisions):
            for part in _chunks(wave):
                rows = await self._connection.fetch(QUERIES["decide"], decision_rows(part))
                changed += len(rows)
        return changed

    async def _write_stats(self, stats: Sequence[Stats]) -> int:
        for part in _chunks(stats):
            mentors = [item.peer_mentor_id for item in part]
            await self._connection.execute(QUERIES["write_stats"], part, mentors)
        return len(stats)

    def _stats_refused(self, stats: Stats, reason: str) -> None:
        log.error("stats refused", peer_mentor_id=stats.peer_mentor_id, reason=reason)

    async def _apply(
        self, items: Sequence[Item], apply: Apply[Item], refused: Callable[[Item, str], None]
    ) -> int:
        """Apply all items (isolating: all but the refused ones), and sum what `apply` returns."""
        if not items:
            return 0
        if not self._isolating:
            return await apply(items)
        try:
            async with self._connection.transaction():
                return await apply(items)
        except asyncpg.PostgresError as error:
            if not is_refusal(error):
                raise
            if len(items) == 1:
                refused(items[0], reason_of(error))
                return 0
        middle = len(items) // 2
        first = await self._apply(items[:middle], apply, refused)
        return first + await self._apply(items[middle:], apply, refused)


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
