"""What is written at a partition's position: awards and statistics, with what waits to be written.

On one connection, so that a transaction's snapshot shows the rows and the position they belong to.
"""

from collections.abc import Sequence

import msgspec

from sinks import turns
from sinks.base import MentorDeleted, Position
from sinks.failures import translated
from sinks.pool import Executor
from sinks.queries import QUERIES
from sinks.rows import award_of
from sinks.waiting import item_of
from tables.decisions import Decision
from tables.types import Award, Stats


class Written:
    """One partition's results. Everything raises Unavailable or Refused."""

    def __init__(self, executor: Executor, log_id: str, partition: int) -> None:
        self._executor = executor
        self._place = log_id, partition

    async def position(self) -> Position | None:
        """The partition's position, None when the generation is not live."""
        return await self._position("position")

    async def keep_position(self) -> Position | None:
        """The same, and nobody moves it before the end of the transaction."""
        return await self._position("keep_position")

    async def awards(self, mentors: Sequence[str]) -> list[Award]:
        """The awards of these mentors, with what waits as if it were written."""
        with translated():
            # In this order: what is written in between is seen twice, which makes no difference.
            rows = await self._executor.fetch(QUERIES["waiting_decisions"], *self._place, mentors)
            awards = await self._executor.fetch(QUERIES["awards"], mentors)
        waits = [item_of(row["kind"], row["decision"]) for row in rows]
        held = turns.once_written(
            map(award_of, awards), (x for x in waits if isinstance(x, Decision | MentorDeleted))
        )
        return [award for _, award in sorted(held.items())]

    async def stats(self, mentors: Sequence[str]) -> dict[str, Stats]:
        """The statistics of those of these mentors who have any, with what waits as if written."""
        with translated():
            waits = await self._executor.fetch(QUERIES["waiting_stats"], *self._place, mentors)
            rows = await self._executor.fetch(QUERIES["stats"], mentors)
        found = {row["peer_mentor_id"]: msgspec.convert(dict(row), Stats) for row in rows}
        for row in waits:
            item = item_of(row["kind"], row["decision"])
            if isinstance(item, Stats):
                found[item.peer_mentor_id] = item
            elif isinstance(item, MentorDeleted):
                found.pop(item.peer_mentor_id, None)
        return found

    async def _position(self, query: str) -> Position | None:
        with translated():
            row = await self._executor.fetchrow(QUERIES[query], *self._place)
        return Position(row["next_offset"], row["turn"]) if row else None
