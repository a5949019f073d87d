"""A partition's state, read from the log: from its beginning to the position of the awards.

Everything is evaluated as it was live, with versions where they are recorded to have taken effect,
and nothing is written. So state needs no changelog, and cannot disagree with the awards.
"""

import asyncio
from bisect import bisect_left
from collections import deque
from collections.abc import AsyncIterator, Sequence
from itertools import groupby

import structlog

from badges.sinks.base import Position, RecordedPosition, Sink, Unavailable
from badges.streams.backoff import delays
from badges.streams.generations import Generation
from badges.streams.log import Log, Message
from badges.streams.partition import Partition, decide_all
from badges.streams.rule_versions import Versions
from badges.streams.tails import check_last

FOLD_SLICE = 100
"""Records folded between two turns of the event loop."""

log = structlog.get_logger(__name__)


class Recovery:
    """Restores partitions of one generation of the log."""

    def __init__(self, generation: Generation, sink: Sink, versions: Versions, log: Log) -> None:
        self._generation = generation
        self._sink = sink
        self._versions = versions
        self._log = log

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
        of = self._generation
        state = Partition(of.log_id, number, of.starts[number], of.columns)
        decided = await self._sink.last_decided(of.log_id, number)
        await self._versions.refresh()
        recorded = await self._sink.rule_positions(state.log_id, number, position.turn)
        turns = deque((where, list(group)) for where, group in groupby(recorded, key=_where))
        async for chunk in self._read(number, position.next_offset):
            while turns and turns[0][0][1] <= chunk[-1].offset:
                before = chunk[: bisect_left(chunk, turns[0][0][1], key=_offset)]
                state.fold(before, waiting=False)
                await self._take_up(state, *turns.popleft())
            state.fold(chunk, waiting=False)
            await asyncio.sleep(0)
        for turn in turns:
            await self._take_up(state, *turn)
        check_last(number, position.next_offset, decided, state.last)
        state.resume(position.next_offset, position.turn)
        return state

    async def _read(self, partition: int, end: int) -> AsyncIterator[Sequence[Message]]:
        """The log up to an offset, in slices so small that the group hears from us in between."""
        async for chunk in self._log.read(partition, 0, end):
            for first in range(0, len(chunk), FOLD_SLICE):
                yield chunk[first : first + FOLD_SLICE]

    async def _take_up(
        self, state: Partition, where: tuple[int, int], recorded: Sequence[RecordedPosition]
    ) -> None:
        turn, offset = where
        state.resume(offset, turn)
        taken_up = [position.taken_up for position in recorded]
        state.put_into_effect(self._versions.up_to(taken_up, state.taken))
        await decide_all(state)


def _offset(message: Message) -> int:
    return message.offset


def _where(recorded: RecordedPosition) -> tuple[int, int]:
    return recorded.turn, recorded.offset
