"""The mentor log read plainly: every partition, from its first record on.

The worker reads the same topic in another way (badges.streams). What the two share here is how one
record's JSON is decoded, and nothing that decides which records count. Beside the log, the proof
shares with it the statement that reads versions of rules (rule_versions.read), the key they are
sorted by (rule_key), and how an award's id follows from its cause (Cause.award_id).
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from badges.streams.kafka import KafkaAccess
from badges.streams.records import UNREADABLE, AwardRecord, Record, decode


@dataclass(frozen=True)
class Raw:
    """A record as it lies in the topic."""

    offset: int
    value: bytes


async def end_offsets(access: KafkaAccess, topic: str, partitions: int) -> dict[int, int]:
    """The offset that the next record of each partition will get."""
    async with _consumer(access) as consumer:
        ends = await consumer.end_offsets(_places(topic, partitions))
    return {place.partition: end for place, end in ends.items()}


async def read(access: KafkaAccess, topic: str, ends: Mapping[int, int]) -> dict[int, list[Raw]]:
    """All records below the given ends, by partition, in the order of their offsets."""
    found: dict[int, list[Raw]] = {partition: [] for partition in ends}
    async with _consumer(access) as consumer:
        places = _places(topic, len(ends))
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        missing = set(places)
        while missing:
            for place, records in (await consumer.getmany(timeout_ms=200)).items():
                found[place.partition] += [
                    Raw(record.offset, record.value or b"")
                    for record in records
                    if record.offset < ends[place.partition]
                ]
            missing = {p for p in missing if await consumer.position(p) < ends[p.partition]}
    return found


@asynccontextmanager
async def _consumer(access: KafkaAccess) -> "AsyncIterator[AIOKafkaConsumer[Any, Any]]":
    """A consumer without a group, closed whatever happens."""
    consumer: AIOKafkaConsumer[Any, Any] = AIOKafkaConsumer(
        **access.client_options(), enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


def _places(topic: str, partitions: int) -> list[TopicPartition]:
    return [TopicPartition(topic, partition) for partition in range(partitions)]


def events(records: Sequence[Raw], start: int) -> Iterator[tuple[int, Record]]:
    """The records that count, with their offsets: no unreadable ones, none that is sent again.

    From the start on, a row is one that was sent before when its commit, or its place within the
    commit, lies below that of a row before it.
    """
    last = (0, 0)
    for raw in records:
        try:
            record = decode(raw.value)
            place = place_of(record.sequence)
        except UNREADABLE:
            continue
        if place is not None:
            if place < last and raw.offset >= start:
                continue
            last = max(last, place)
        yield raw.offset, record


def place_of(sequence: str | None) -> tuple[int, int] | None:
    """Debezium's source.sequence: commit and row, or None in a snapshot and right after it."""
    if sequence is None:
        return None
    commit, row = json.loads(sequence)
    return None if commit is None else (int(commit), int(row))


def is_output(record: Record) -> bool:
    """Whether the worker wrote the row itself, after the start: an outcome, not a cause."""
    return isinstance(record, AwardRecord) and record.op != "d" and record.changed_by == "rule"
