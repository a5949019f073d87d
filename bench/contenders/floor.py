"""The floor: what a program written by hand for this one topic costs that keeps next to nothing.

It keeps each mentor's count, minutes, types and current run of weeks; it knows no late row, no
change, no deletion and no badge.
"""

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.contenders.race import Lap, Watch, contend
from bench.topic import Filled
from streams.log.kafka import KafkaAccess


class Row(msgspec.Struct):
    """What the floor reads of a record."""

    peer_mentor_id: str = ""
    activity_type: str = ""
    activity_date: int = 0
    duration_minutes: int | None = None


class Tally:
    """What the floor keeps of a mentor."""

    __slots__ = ("count", "last_week", "minutes", "types", "weeks")

    def __init__(self) -> None:
        self.count = 0
        self.minutes = 0
        self.types: set[str] = set()
        self.last_week = 0
        self.weeks = 0


async def race(filled: Filled) -> Lap:
    """Read the whole topic and count."""
    consumer = AIOKafkaConsumer(
        **KafkaAccess(filled.bootstrap).client_options(),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(filled.topic, n) for n in range(len(filled.ends))])
        return await _count(consumer, filled.records)
    finally:
        await consumer.stop()


async def _count(consumer: "AIOKafkaConsumer[bytes, bytes]", records: int) -> Lap:
    decode = msgspec.json.Decoder(Row).decode
    tallies: dict[str, Tally] = {}
    read = 0
    watch = Watch()
    while read < records:
        fetched = await consumer.getmany(timeout_ms=1000, max_records=20_000)
        for messages in fetched.values():
            read += len(messages)
            for message in messages:
                row = decode(message.value)
                tally = tallies.get(row.peer_mentor_id)
                if tally is None:
                    tally = tallies[row.peer_mentor_id] = Tally()
                tally.count += 1
                tally.minutes += row.duration_minutes or 0
                tally.types.add(row.activity_type)
                week = (row.activity_date + 3) // 7
                if week == tally.last_week + 1:
                    tally.weeks += 1
                elif week != tally.last_week:
                    tally.weeks = 1
                tally.last_week = week
    return watch.lap(read)


if __name__ == "__main__":
    contend(race)
