"""When a partition's checkpoint is written: often enough to restart fast, seldom enough to be free.

What it costs grows with what the partition holds, so it is written anew after a share of that has
come since. A file that still tells of somebody who was deleted is replaced within a minute.
"""

import asyncio
from math import inf
from typing import Final

import structlog

from sinks.base import Position
from streams.checkpoints import Checkpoints
from streams.partition import Partition

_LEAST_RECORDS: Final = 20_000
_SHARE: Final = 5
"""One row of so many that are held has to be new."""
_SOON_SECONDS: Final = 60.0
_AGAIN_SECONDS: Final = 60.0
"""How long after it failed it is tried again."""
_LAST_SECONDS: Final = 2.0
"""How long a worker that ends, or gives the partition back, may take for it."""

_NEVER: Final = inf

log = structlog.get_logger(__name__)


class Checkpointing:
    """Follows one partition: `look` after a turn and while it is idle, `end` when it is given up.

    Both may only be called while nothing of the partition is left to be written to the sink.
    """

    def __init__(self, checkpoints: Checkpoints, state: Partition) -> None:
        self._checkpoints = checkpoints
        self._state = state
        self._now = asyncio.get_running_loop().time
        kept = checkpoints.kept.get(state.number)
        self._taken = kept or Position(0, 0)
        """Where the partition stood when the last one was taken."""
        self._writing: asyncio.Task[bool] | None = None
        self._enough = self._enough_records()
        # Where a file could not be used, all of the log was read: not once more.
        self._due_at = _NEVER if kept else self._now() + _SOON_SECONDS
        self._departures = 0
        self._not_before = 0.0

    async def look(self) -> None:
        """Take a checkpoint if it is time for that, and none is being written."""
        if self._checkpoints.are_kept and not self._checkpoints.is_busy and self._is_due():
            await self._take()

    async def end(self) -> None:
        """Take a last one, if anything has come since the one before and there is time."""
        try:
            if self._checkpoints.are_kept and self._state.position != self._taken:
                async with asyncio.timeout(_LAST_SECONDS):
                    await self._take()
                    assert self._writing is not None
                    await self._writing
        except TimeoutError:
            log.info("no time for a last checkpoint", partition=self._state.number)

    def _is_due(self) -> bool:
        now = self._now()
        if self._writing is not None and self._writing.done():
            if not self._writing.result():
                self._due_at, self._not_before = now, now + _AGAIN_SECONDS
            self._writing = None
        if self._state.departures > self._departures:
            self._departures = self._state.departures
            self._due_at = min(self._due_at, now + _SOON_SECONDS)
        since = self._state.next_offset - self._taken.next_offset
        return (since >= self._enough or now >= self._due_at) and now >= self._not_before

    async def _take(self) -> None:
        self._taken, self._due_at = self._state.position, _NEVER
        self._departures = self._state.departures
        self._enough = self._enough_records()
        self._writing = await self._checkpoints.keep(self._state)

    def _enough_records(self) -> int:
        held = sum(len(watchlist.ledger.rows) for watchlist in self._state.mentors.values())
        return max(_LEAST_RECORDS, held // _SHARE)
