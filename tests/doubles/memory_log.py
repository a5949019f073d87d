"""A generation of the log in lists; `streams.log.reader.Log`."""

from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence

from msgspec import Struct

from sinks.base import Message, Place
from sinks.errors import Unavailable
from streams.log.last_record import following
from streams.log.reader import CHUNK_RECORDS


class Record(Struct, frozen=True):
    """A record that MemoryLog holds."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class MemoryLog:
    """Its partitions are there to be read."""

    def __init__(self, partitions: int = 1) -> None:
        self.records: list[list[Record]] = [[] for _ in range(partitions)]
        self._marks: list[list[int]] = [[-1] for _ in range(partitions)]
        """The offsets that hold no record, such as those of marks that end transactions."""

    def append(
        self, partition: int, key: bytes | None, value: bytes | None, timestamp: int = 0
    ) -> Record:
        """Add a record at the partition's end."""
        records = self.records[partition]
        records.append(Record(self.end(partition), timestamp, key, value))
        return records[-1]

    def mark(self, partition: int) -> None:
        """Add an offset without a record at the partition's end."""
        self._marks[partition].append(self.end(partition))

    def end(self, partition: int) -> int:
        """The offset of what is added next."""
        last = max((record.offset for record in self.records[partition][-1:]), default=-1)
        return max(last, self._marks[partition][-1]) + 1

    def between(self, partition: int, start: int, end: int | None = None) -> list[Record]:
        """The records from one offset on, up to another or to the end."""
        records = self.records[partition]
        first = bisect_left(records, start, key=_offset)
        return records[first : None if end is None else bisect_left(records, end, key=_offset)]

    async def read(
        self, partition: int, start: int, end: int, after: Place | None = None
    ) -> AsyncIterator[Sequence[Message]]:
        """See `Log.read`."""
        if max(end, after.offset + 1 if after else 0) > self.end(partition):
            raise Unavailable(f"partition {partition} ends at offset {self.end(partition)}")
        if after is not None:
            following(partition, after, self.between(partition, after.offset, after.offset + 1))
        records = self.between(partition, start, end)
        for first in range(0, len(records), CHUNK_RECORDS):
            yield records[first : first + CHUNK_RECORDS]


def _offset(record: Record) -> int:
    return record.offset
