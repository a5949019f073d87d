"""The rows of a log that is being filled: of one snapshot, and where it may start."""

import re
from collections.abc import Sequence

from streams.errors import LogBroken, SnapshotFailed
from streams.log.debezium import sequence_of, stream_order
from streams.log.reader import Log

_SNAPSHOT_ROW = re.compile(rb'"__op":"r".*?"__source_lsn":(\d+)')


class FilledRows:
    """What was read of a new log so far, each row of it once."""

    def __init__(self, source: Log, began: int | None, partitions: int) -> None:
        """`began` is the WAL position at which the slot began: the snapshot's, if it is one."""
        self._source = source
        self._began = began
        self._read_to = [0] * partitions
        # The place in the WAL of the furthest streamed row of each partition, and of its last one.
        self._furthest = [(0, 0)] * partitions
        self._last = [(0, 0)] * partitions

    async def read(self, until: Sequence[int]) -> None:
        """Read on to these offsets. Raises SnapshotFailed where rows are of another snapshot."""
        for partition, end in enumerate(until):
            try:
                async for records in self._source.read(partition, self._read_to[partition], end):
                    for record in records:
                        self._take(partition, record.value)
            except LogBroken as broken:
                raise SnapshotFailed(broken.message) from broken
            self._read_to[partition] = end

    @property
    def is_sent_again(self) -> bool:
        """Whether a connector that began again is in the middle of rows that it had sent before.

        A start must not lie there: rows below it are folded whatever they say, above it what is
        sent again is passed over, and so what such a row undid would never be done again.
        """
        return self._last != self._furthest

    def _take(self, partition: int, value: bytes | None) -> None:
        lsn = snapshot_lsn(value)
        if lsn is not None and lsn != self._began:
            raise SnapshotFailed(
                f"a row of a snapshot at WAL position {lsn} is in partition {partition}, but the "
                f"slot began at {self._began}: the snapshot was interrupted and begun again"
            )
        place = None if lsn is not None else _place(value)
        if place is not None:
            self._last[partition] = place
            self._furthest[partition] = max(self._furthest[partition], place)


def snapshot_lsn(value: bytes | None) -> int | None:
    """The WAL position in a snapshot's row as it is in the log, or None for any other record."""
    found = _SNAPSHOT_ROW.search(value) if value else None
    return int(found[1]) if found else None


def _place(value: bytes | None) -> tuple[int, int] | None:
    try:
        return stream_order(sequence_of(value))
    except ValueError:
        return None
