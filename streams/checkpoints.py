"""Checkpoints: what a partition held at a position, in a file, so that less of the log is read.

A file is a convenience and never trusted: what is missing, torn, another's or ahead of the position
is passed over, and the log is read from its beginning. So to lose the directory costs time only.
Files are written whole under another name first, and those that nobody uses any more are removed.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
import structlog
from msgspec import Struct

from sinks.base import Position
from streams import metrics
from streams.checkpoint_files import Damaged, read, remove_unused, touch, write
from streams.evaluator import FINGERPRINT
from streams.pacing import in_spells
from streams.partition import Bookmark, Partition
from tables.dumps import Dump, Load
from tables.ledger import Ledger
from tables.types import AppliedVersion, Version

_TIDY_SECONDS: Final = 600.0
"""How often files are marked as in use, and others removed."""

_NOT_READABLE = (msgspec.MsgspecError, LookupError, TypeError, ValueError, OverflowError)
"""What reading a file raises that was not written by this version, whatever its checksum says."""

_VersionsUpTo: TypeAlias = Callable[[Sequence[AppliedVersion]], Sequence[Version]]

log = structlog.get_logger(__name__)


class _Header(Struct, array_like=True):
    """What a file is of."""

    log_id: str
    partition: int
    evaluator: str
    bookmark: Bookmark


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Header).decode


class Checkpoints:
    """The checkpoints of one log that a worker keeps in a directory; without one it keeps none.

    What cannot be read or written is a line of the worker's log; nothing is raised.
    """

    def __init__(self, directory: Path | None, log_id: str) -> None:
        self._directory = directory
        self._log_id = log_id
        # One at a time, read or written: each needs as much memory as the file has bytes.
        self._one_at_a_time = asyncio.Lock()
        self._writing: asyncio.Task[bool] | None = None
        self._failed = False
        self.kept: dict[int, Position | None] = {}
        """Where each partition that this worker has stood when its file was written, if it was."""

    @property
    def are_kept(self) -> bool:
        return self._directory is not None

    @property
    def is_busy(self) -> bool:
        """Whether one is being read or written now."""
        return self._one_at_a_time.locked()

    async def restore(
        self,
        state: Partition,
        position: Position,
        recorded: Sequence[AppliedVersion],
        versions_up_to: _VersionsUpTo,
    ) -> bool:
        """Fill a new partition from its file; False if there is none that can be used.

        The partition may not be used then. What it is filled with lies at `position` or before;
        `recorded` are the versions that were taken up before that.
        """
        partition = state.number
        if self._directory is None:
            return False
        self.kept[partition] = None
        async with self._one_at_a_time:
            try:
                parts = await asyncio.to_thread(read, self._directory, self._name(partition))
                if parts is None:
                    log.info("no checkpoint, the log is read", partition=partition)
                    return False
                header = _decode(parts[0])
                bookmark = header.bookmark
                self._check(header, partition, position, recorded)
                taken_up = [each for each in recorded if each.turn < bookmark.position.turn]
                state.go_on_from(bookmark, versions_up_to(taken_up))
                await _load(state, parts[1:])
            except (OSError, Damaged, *_NOT_READABLE) as error:
                self.pass_over(partition, str(error))
                return False
        self.kept[partition] = bookmark.position
        log.info("checkpoint loaded", partition=partition, offset=bookmark.position.next_offset)
        return True

    def pass_over(self, partition: int, reason: str) -> None:
        """Do without the file of a partition, which is to be replaced soon."""
        self.kept[partition] = None
        log.warning("checkpoint passed over", partition=partition, reason=reason)

    def _check(
        self,
        header: _Header,
        partition: int,
        position: Position,
        recorded: Sequence[AppliedVersion],
    ) -> None:
        """Raise Damaged unless a file is of this partition, and of what led to its position."""
        found, at = header.bookmark, header.bookmark.position
        if (header.log_id, header.partition) != (self._log_id, partition):
            raise Damaged("it is of another log or partition")
        if header.evaluator != FINGERPRINT:
            raise Damaged("another evaluator has written it")
        same_turn = at.turn == position.turn
        if at.turn > position.turn or at.next_offset > position.next_offset:
            raise Damaged(f"it is ahead of the position: {at}, not {position}")
        if at.turn < 1 or (same_turn and at.next_offset != position.next_offset):
            raise Damaged(f"it is of another history: {at}, not {position}")
        taken_up = {each for each in recorded if each.turn < at.turn}
        # A database that was put back goes on in other turns.
        too_late = any(e.turn >= at.turn and e.offset < at.next_offset for e in recorded)
        if set(found.taken_up) != taken_up or too_late:
            raise Damaged("other versions of definitions or time zones had taken effect")

    async def keep(self, state: Partition) -> "asyncio.Task[bool]":
        """Take a checkpoint of a partition of which nothing is left to be written to the sink.

        It must not change until this returns. Then the file is still being written: the task says
        whether it was.
        """
        await self._one_at_a_time.acquire()
        try:
            began = time.monotonic()
            header = _Header(self._log_id, state.number, FINGERPRINT, state.bookmark())
            parts = [_encode(header), *await _dump(state)]
            # Kept here as well: nobody else may hold it for so long.
            self._writing = asyncio.create_task(self._write(header, parts, began))
        except BaseException:
            self._one_at_a_time.release()
            raise
        self._writing.add_done_callback(lambda _: self._one_at_a_time.release())
        return self._writing

    async def _write(self, header: _Header, parts: Sequence[bytes], began: float) -> bool:
        partition = header.partition
        assert self._directory is not None
        if not await self._tried(write, self._directory, self._name(partition), parts):
            return False
        # Meanwhile somebody else may have got it.
        if partition not in self.kept:
            return True
        self.kept[partition] = header.bookmark.position
        metrics.CHECKPOINT_SECONDS.observe(time.monotonic() - began)
        metrics.CHECKPOINT_BYTES.labels(partition).set(sum(map(len, parts)))
        return True

    def give_back(self, partition: int) -> None:
        """Somebody else has the partition: a file that nobody uses goes after a while."""
        self.kept.pop(partition, None)
        with suppress(KeyError):
            metrics.CHECKPOINT_BYTES.remove(partition)

    async def tidy(self) -> None:
        """Mark files as in use, and remove those that are not; never returns."""
        while True:
            await asyncio.sleep(_TIDY_SECONDS)
            if self._directory is not None:
                names = [self._name(partition) for partition in self.kept]
                await self._tried(touch, self._directory, names)
                await self._tried(remove_unused, self._directory)

    async def _tried(self, work: Callable[..., None], *given: object) -> bool:
        """Whether some work with files succeeded; the first time in a row that not, it is told."""
        try:
            await asyncio.to_thread(work, *given)
        except OSError as error:
            if not self._failed:
                log.warning(
                    "checkpoints cannot be kept, and what a worker holds is read from the log",
                    error=str(error),
                    directory=str(self._directory),
                )
            self._failed = True
            return False
        self._failed = False
        return True

    def _name(self, partition: int) -> str:
        return f"{self._log_id}-{partition}"


async def _dump(state: Partition) -> list[bytes]:
    dump, parts = Dump(), list[bytes]()

    def add(ledgers: Iterator[Ledger]) -> None:
        parts.append(dump.part(ledgers))

    await in_spells(add, (watchlist.ledger for watchlist in state.mentors.values()))
    return parts


async def _load(state: Partition, parts: Sequence[memoryview]) -> None:
    load = Load()

    def hold(some: Iterator[memoryview]) -> None:
        for part in some:
            state.hold_ledgers(load.part(part))

    await in_spells(hold, parts)
