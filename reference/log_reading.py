"""The mentor log read plainly: every partition, from its first record on.

The worker reads the same topic in another way (streams). What the two share here is how one
record's JSON is decoded, and nothing that decides which records count. Beside the log, it shares
with the worker the statement that reads versions of rules (rule_versions.read), the key they are
sorted by (rule_key), and how an award's id follows from its cause (Cause.award_id).
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.log.debezium import UNREADABLE
from streams.log.kafka import KafkaAccess
from streams.records import AwardRecord, MentorRecord, Record, decode, is_uuid
from tables.types import Activity, Award, Mentor, Pause, TrainingCompletion

KINDS: Mapping[str, type] = {
    "peer_mentors": Mentor,
    "activities": Activity,
    "training_completions": TrainingCompletion,
    "mentor_pauses": Pause,
    "badge_awards": Award,
}


@dataclass(frozen=True)
class Lost:
    """A row that is there no more, for all that is known: deleted, or changed to what says nothing.

    `mentor` is the id of the mentor whose row it is, `text` the type or course of what may come
    back without it.
    """

    kind: type
    id: str
    mentor: str
    text: str | None = None
    deleted: bool = False


@dataclass(frozen=True)
class RawRecord:
    """A record as it lies in the topic."""

    offset: int
    value: bytes


async def end_offsets(access: KafkaAccess, topic: str, partitions: int) -> dict[int, int]:
    """The offset that the next record of each partition will get."""
    async with _consumer(access) as consumer:
        ends = await consumer.end_offsets(_places(topic, partitions))
    return {place.partition: end for place, end in ends.items()}


async def read(
    access: KafkaAccess, topic: str, ends: Mapping[int, int]
) -> dict[int, list[RawRecord]]:
    """All records below the given ends, by partition, in the order of their offsets."""
    found: dict[int, list[RawRecord]] = {partition: [] for partition in ends}
    async with _consumer(access) as consumer:
        places = _places(topic, len(ends))
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        missing = set(places)
        while missing:
            for place, records in (await consumer.getmany(timeout_ms=200)).items():
                found[place.partition] += [
                    RawRecord(record.offset, record.value or b"")
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


def events(records: Sequence[RawRecord], start: int) -> Iterator[tuple[int, Record | Lost]]:
    """What the records say, with their offsets: nothing of what is sent again, or says nothing.

    From the start on, a row is one that was sent before when its commit, or its place within the
    commit, lies below that of a row before it.
    """
    last = (0, 0)
    for raw in records:
        told, place = _read(raw.value)
        if place is not None:
            if place < last and raw.offset >= start:
                continue
            last = max(last, place)
        if told is not None:
            yield raw.offset, told


def _read(value: bytes) -> tuple[Record | Lost | None, tuple[int, int] | None]:
    """What a record says, if anything, and its place in the stream, if it has one."""
    try:
        record = decode(value)
        place = _place_of(record.sequence)
    except UNREADABLE:
        return _read_unusable(value)
    mentor = record.id if isinstance(record, MentorRecord) else record.peer_mentor_id
    if record.op != "d":
        return (record if is_uuid(mentor) else None), place
    return Lost(KINDS[str(record.__struct_config__.tag)], record.id, mentor, deleted=True), place


def _read_unusable(value: bytes) -> tuple[Lost | None, tuple[int, int] | None]:
    """What is left of a record that cannot be used: its row is known no more."""
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(fields, dict):
        return None, None
    try:
        place = _place_of(fields.get("__source_sequence"))
    except (ValueError, TypeError):
        place = None
    return _lost(fields), place


def _lost(fields: Mapping[str, Any]) -> Lost | None:
    """The row that a record without a meaning is of: it is known no more, or deleted."""
    table, row, op = fields.get("__table"), fields.get("id"), fields.get("__op")
    mentor = row if table == "peer_mentors" else fields.get("peer_mentor_id")
    kind = KINDS.get(table) if isinstance(table, str) else None
    if kind is None or not (isinstance(row, str) and isinstance(mentor, str) and is_uuid(mentor)):
        return None
    if op != "d" and kind in (Mentor, Award):
        return None
    text = fields.get("activity_type" if kind is Activity else "course_code")
    return Lost(kind, row, mentor, text if isinstance(text, str) else None, deleted=op == "d")


def _place_of(sequence: str | None) -> tuple[int, int] | None:
    """Debezium's source.sequence: commit and row, or None in a snapshot and right after it."""
    if sequence is None:
        return None
    commit, row = json.loads(sequence)
    return None if commit is None else (int(commit), int(row))


def is_output(record: Record | Lost) -> bool:
    """Whether the worker wrote the row itself, after the start: an outcome, not a cause."""
    return isinstance(record, AwardRecord) and record.changed_by == "rule"
