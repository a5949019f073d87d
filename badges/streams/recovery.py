"""A partition's state, read from the log: from its beginning to the position in Postgres.

Everything is evaluated as it was live, with versions where badge_rule_positions says that they took
effect, and nothing is written. So state needs no changelog, and cannot disagree with the awards.
"""

import asyncio
from itertools import groupby
from operator import itemgetter
from typing import Any

import structlog

from badges.sinks.base import Position, RulePosition, Sink, Unavailable
from badges.sinks.failures import translated
from badges.sinks.pool import Pool
from badges.streams.backoff import delays
from badges.streams.errors import LogBroken
from badges.streams.generations import Generation
from badges.streams.log import LogReader
from badges.streams.partition import Partition
from badges.streams.rule_versions import RuleVersions

log = structlog.get_logger(__name__)

_RECORDED = """
select turn, "offset", kind, id::text, version from badge_rule_positions
where log_id = $1 and partition = $2 and turn < $3
order by turn, kind, id
"""


class Recovery:
    """Restores partitions of one generation of the log."""

    def __init__(
        self,
        generation: Generation,
        *,
        pool: Pool,
        sink: Sink,
        versions: RuleVersions,
        reader: LogReader,
    ) -> None:
        self._generation = generation
        self._pool = pool
        self._sink = sink
        self._versions = versions
        self._reader = reader

    async def restore(self, partition: int) -> Partition:
        """The state at the partition's position, waiting for what is away. Raises LogBroken."""
        for delay in delays():
            try:
                position = await self._sink.position(self._generation.log_id, partition)
                if position is not None:
                    return await self._replay(partition, position)
                log.warning("the log is not live, waiting", partition=partition)
            except Unavailable as error:
                log.warning("state cannot be read yet", partition=partition, error=str(error))
            await asyncio.sleep(delay)
        raise AssertionError("delays never end")

    async def _replay(self, number: int, position: Position) -> Partition:
        state = Partition(self._generation.log_id, number, self._generation.starts[number])
        await self._versions.refresh()
        for (turn, offset), rows in groupby(
            await self._recorded(number, position), key=itemgetter("turn", "offset")
        ):
            await self._fold(state, offset)
            state.resume(offset, turn)
            positions = [RulePosition(row["kind"], row["id"], row["version"]) for row in rows]
            state.take_up(self._versions.up_to(positions, state.taken))
        await self._fold(state, position.next_offset)
        state.resume(position.next_offset, position.turn)
        return state

    async def _recorded(self, number: int, position: Position) -> list[Any]:
        log_id = self._generation.log_id
        with translated():
            return await self._pool.fetch(_RECORDED, log_id, number, position.turn)

    async def _fold(self, state: Partition, end: int) -> None:
        async for chunk in self._reader.read(state.number, state.next_offset, end):
            stopped_at = state.fold(chunk)
            if stopped_at is not None:
                raise LogBroken(
                    "rule_positions_missing",
                    f"partition {state.number} was decided past offset {state.next_offset}, which "
                    f"names a rule of which no version is recorded as taken up: {stopped_at.id}",
                )
            await asyncio.sleep(0)
