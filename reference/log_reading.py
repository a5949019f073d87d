"""What the records of a partition say, read plainly from the first one on.

What this shares with the worker is how records are fetched (KafkaLog) and how one record's JSON is
decoded, and nothing that decides which records count. Beside the log, it shares the statement that
reads versions of rules (rule_versions.read), the key they are sorted by (rule_key), and how an
award's id follows from its cause (Cause.award_id).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sinks.base import Message
from streams.log.debezium import UNREADABLE
from streams.records import AwardRecord, Record, decode, is_uuid, mentor_of
from tables.types import Activity, Award, Mentor, Pause, TrainingCompletion

_KINDS: Mapping[str, type] = {
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


def events(records: Iterable[Message], start: int) -> Iterator[tuple[int, Record | Lost]]:
    """What the records say, with their offsets: nothing of what is sent again, or says nothing.

    From the start on, a row is one that was sent before when its commit, or its place within the
    commit, lies below that of a row before it; or when the same was done to the same award in the
    very same place.
    """
    last = (0, 0)
    awards: set[tuple[tuple[int, int], str, str]] = set()
    for raw in records:
        told, place = _read(raw.value or b"")
        if place is not None:
            if place < last and raw.offset >= start:
                continue
            last = max(last, place)
        if isinstance(told, AwardRecord) or (isinstance(told, Lost) and told.kind is Award):
            change = last, told.id, "d" if isinstance(told, Lost) else told.op
            if change in awards and raw.offset >= start:
                continue
            awards.add(change)
        if told is not None:
            yield raw.offset, told


def _read(value: bytes) -> tuple[Record | Lost | None, tuple[int, int] | None]:
    """What a record says, if anything, and its place in the stream, if it has one."""
    try:
        record = decode(value)
        place = _place_of(record.sequence)
    except UNREADABLE:
        return _read_unusable(value)
    mentor = mentor_of(record)
    if record.op != "d":
        return (record if is_uuid(mentor) else None), place
    return Lost(_KINDS[str(record.__struct_config__.tag)], record.id, mentor, deleted=True), place


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
    kind = _KINDS.get(table) if isinstance(table, str) else None
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
