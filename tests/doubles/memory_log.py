"""A generation of the log in lists; `streams.log.reader.Log`."""

from collections.abc import AsyncIterator, Sequence

from msgspec import Struct

from sinks.base import Message, Place
from sinks.errors import Unavailable
from streams.log.reader import CHUNK_RECORDS
from streams.log.tails import following


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

    def append(
        self, partition: int, key: bytes | None, value: bytes | None, timestamp: int = 0
    ) -> Record:
        """Add a record at the partition's end."""
        records = self.records[partition]
        records.append(Record(len(records), timestamp, key, value))
        return records[-1]

    async def read(
        self, partition: int, start: int, end: int, after: Place | None = None
    ) -> AsyncIterator[Sequence[Message]]:
        """See `Log.read`."""
        records = self.records[partition]
        if max(end, after.offset + 1 if after else 0) > len(records):
            raise Unavailable(f"partition {partition} ends at offset {len(records)}")
        if after is not None:
            following(partition, after, records[after.offset : after.offset + 1])
        for first in range(start, end, CHUNK_RECORDS):
            yield records[first : min(end, first + CHUNK_RECORDS)]
