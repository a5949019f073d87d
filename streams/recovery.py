"""A partition's state, read from the log: from its beginning to the position of the awards.

Where there is a checkpoint, from that on: it holds what reading up to it gives. Everything is
evaluated as it was live, with versions where they are recorded to have taken effect, and nothing is
written. So state needs no changelog, and cannot disagree with the awards.
"""

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Container, Sequence
from functools import partial
from itertools import groupby
from typing import Literal, TypeAlias

from sinks.base import Message, Position, Sink
from sinks.errors import Unavailable
from streams import metrics
from streams.checkpoints import Checkpoints
from streams.errors import LogBroken
from streams.lag.pulse import Progress
from streams.log.generations import Generation
from streams.log.last_record import check_last
from streams.log.reader import Log
from streams.log_tables import NAMED
from streams.pacing import in_spells
from streams.partition import Partition
from streams.records import Record
from streams.rule_versions import Versions
from streams.unusable import Outline
from tables.decisions import Decision
from tables.types import AppliedVersion

Rules: TypeAlias = Literal["live", "today"]
"""Those that were in effect, each where it took effect; or the newest, from the beginning."""

_AppliedAt: TypeAlias = tuple[tuple[int, int], list[AppliedVersion]]
"""Turn and offset of what took effect there."""


class BegunUnusable(Exception):
    """Among the rows from before the log's start are too many in a row that cannot be used.

    `unusable` is the first of them that is one too many, at `offset`; the partition of that log is
    at `position`, before its first turn.
    """

    def __init__(self, unusable: Outline, offset: int, log_id: str, position: Position) -> None:
        super().__init__(f"too many records of {unusable.table} before the start cannot be used")
        self.unusable = unusable
        self.offset = offset
        self.log_id = log_id
        self.position = position


def _told_nobody(_: Sequence[Decision]) -> None:
    pass


class Recovery:
    def __init__(
        self,
        generation: Generation,
        sink: Sink,
        versions: Versions,
        log: Log,
        checkpoints: Checkpoints | None = None,
        *,
        rules: Rules = "live",
        decided: Callable[[Sequence[Decision]], None] = _told_nobody,
    ) -> None:
        """Without `checkpoints` everything is read from the log.

        `decided` hears of what is decided on the way, chunk by chunk.
        """
        self._checkpoints = checkpoints
        self._generation = generation
        self._sink = sink
        self._versions = versions
        self._log = log
        self._rules = rules
        self._decided = decided
        self.progress: dict[int, Progress] = {}
        """How far it is with each partition whose state is being read."""

    async def restore(self, partition: int, excused: Container[str] = ()) -> Partition:
        """The state at the partition's position. Raises LogBroken.

        Raises Unavailable where something does not answer, or the log is not live. Before the first
        turn of all, when nobody was decided yet, too many records in a row that cannot be used
        raise BegunUnusable, unless their table is excused.
        """
        try:
            return await self._restored(partition, excused)
        finally:
            self.progress.pop(partition, None)

    async def _restored(self, partition: int, excused: Container[str]) -> Partition:
        began = time.monotonic()
        position = await self._sink.position(self._generation.log_id, partition)
        if position is None:
            raise Unavailable("the log is not live")
        state, source = await self._from_checkpoint(partition, position), "checkpoint"
        if state is None:
            state, source = self._nothing_yet(partition), "log"
            # What was decided once, was looked into then.
            state.excused = excused if position.turn == 0 else NAMED
            await self.go_on(state, position)
        metrics.RESTORE_SECONDS.labels(source).observe(time.monotonic() - began)
        return state

    def _nothing_yet(self, number: int) -> Partition:
        of = self._generation
        return Partition(of.log_id, number, of.starts[number], of.columns, of.stand_in)

    async def _from_checkpoint(self, number: int, position: Position) -> Partition | None:
        """The state at the position, if there is a checkpoint of what led there."""
        if self._checkpoints is None:
            return None
        state = self._nothing_yet(number)
        # Every version that a recorded position names was committed before it.
        await self._versions.refresh()
        recorded = await self._sink.applied(state.log_id, number, position.turn)
        up_to = partial(self._versions.up_to, applied={})
        if not await self._checkpoints.restore(state, position, recorded, up_to):
            return None
        state.excused = NAMED
        try:
            # The log may be another one by now: the last record of before has to be in it.
            if state.next_offset == position.next_offset and state.last is not None:
                at = state.next_offset
                async for _ in self._log.read(number, at, at, state.last):
                    pass
            await self.go_on(state, position)
        except LogBroken as broken:
            if broken.kind != "log_rewritten":
                raise
            # Or the checkpoint is of a log that was put back since: only the log itself can tell.
            self._checkpoints.pass_over(number, broken.message)
            return None
        return state

    async def go_on(self, state: Partition, position: Position) -> None:
        """Bring a state to a position that its partition has reached since. Raises LogBroken.

        Raises Unavailable and BegunUnusable as `restore` does.
        """
        number = state.number
        # After the position: it may be ahead of that by a turn, never behind.
        decided = await self._sink.last_decided(state.log_id, number)
        # Every version that a recorded position names was committed before it.
        await self._versions.refresh()
        turns: deque[_AppliedAt] = deque(
            (where, list(group))
            for where, group in groupby(await self._recorded(state, position), key=_where)
        )
        found = await self._sink.found(state.log_id) if state.turn == 0 else ()
        if found:
            # Awards that waited as the log began are not in its snapshot: they come right after it.
            await self._read(state, turns, state.start)
            state.hold(found)
        await self._read(state, turns, position.next_offset)
        # What took effect at the position itself comes before a record that is not read here.
        for turn in turns:
            await self._apply(state, *turn)
        check_last(number, position.next_offset, decided, state.last)
        state.resume(position.next_offset, position.turn)

    async def _recorded(self, state: Partition, position: Position) -> list[AppliedVersion]:
        """What takes effect between a state and a position."""
        number, start = state.number, state.start
        if self._rules == "live":
            recorded = await self._sink.applied(state.log_id, number, position.turn)
            return [each for each in recorded if each.turn >= state.turn]
        if state.turn > 0:
            return []
        newest = {kind: self._versions.newest(kind) for kind in ("definition", "organization")}
        return [
            AppliedVersion(number, 0, start, kind, rule_id, version)
            for kind, versions in newest.items()
            for rule_id, version in versions.items()
        ]

    async def _read(self, state: Partition, turns: deque[_AppliedAt], end: int) -> None:
        first = state.next_offset
        if first >= end:
            return
        self.progress[state.number] = Progress(0, end - first)
        async for chunk in self._log.read(state.number, state.next_offset, end, state.last):
            # Versions take effect before the record at their offset, maybe within the chunk.
            folded = 0
            while turns and turns[0][0][1] <= chunk[-1].offset:
                until = bisect_left(chunk, turns[0][0][1], key=_offset)
                await self._fold(state, chunk[folded:until])
                await self._apply(state, *turns.popleft())
                folded = until
            await self._fold(state, chunk[folded:])
            self.progress[state.number] = Progress(state.next_offset - first, end - first)

    async def _fold(self, state: Partition, messages: Sequence[Message]) -> None:
        stopped_at: Record | Outline | None = await in_spells(
            partial(state.fold, waiting=False), messages
        )
        if isinstance(stopped_at, Outline):
            position = Position(state.start, 0)
            raise BegunUnusable(stopped_at, state.next_offset, state.log_id, position)
        self._decided(state.hand_over())

    async def _apply(
        self, state: Partition, where: tuple[int, int], recorded: Sequence[AppliedVersion]
    ) -> None:
        turn, offset = where
        # Awards are named after the turn and offset that gave them: both have to be those of then.
        state.resume(offset, turn)
        state.apply(self._versions.up_to(recorded, state.applied))
        await in_spells(state.decide, list(state.mentors))
        self._decided(state.hand_over())


def _offset(message: Message) -> int:
    return message.offset


def _where(recorded: AppliedVersion) -> tuple[int, int]:
    return recorded.turn, recorded.offset
