"""What waits in a memory sink: badge_refused_writes in a list."""

from collections.abc import Iterator, Set
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

from sinks.base import MentorDeleted, Waiting
from sinks.failures import Refusal
from sinks.waiting import Item, about
from tables.types import Stats

PartitionKey: TypeAlias = tuple[str, int]
"""A log's id and a partition."""


class Row(Struct, eq=False):
    """A row of badge_refused_writes; without a refusal it waits for what is before it."""

    place: PartitionKey
    item: Item
    refusal: Refusal | None
    since: datetime


class MemoryQueue:
    """All that waits, in its order; `rows` is there to be read."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def at(self, place: PartitionKey) -> list[Row]:
        """What waits in one partition."""
        return [row for row in self.rows if row.place == place]

    def forget_mentors(self, mentors: Set[str], place: PartitionKey | None = None) -> None:
        """Drop what is about these mentors, in one partition or in all."""
        self.rows = [
            row
            for row in self.rows
            if about(row.item)[0] not in mentors or place not in (None, row.place)
        ]

    def forget_definition(self, definition: str) -> None:
        """Drop what is about a definition."""
        self.rows = [row for row in self.rows if about(row.item)[1] != definition]

    def replace_stats(self, place: PartitionKey, mentors: Set[str]) -> dict[str, datetime]:
        """Drop rows of statistics to which newer ones come, and say since when they waited."""
        replaced = [
            row
            for row in self.at(place)
            if isinstance(row.item, Stats) and row.item.peer_mentor_id in mentors
        ]
        self.rows = [row for row in self.rows if row not in replaced]
        return {about(row.item)[0]: row.since for row in replaced}

    def is_behind(self, item: Item, place: PartitionKey, itself: Row | None = None) -> bool:
        """Whether something has to be written before the item."""
        mentor, definition = about(item)
        for row in self.at(place):
            if row is itself:
                return False
            if about(row.item)[0] != mentor:
                continue
            if isinstance(row.item, MentorDeleted) or definition == about(row.item)[1] is not None:
                return True
        return False

    def reasons(self) -> Iterator[Waiting]:
        """Why anything waits, by the subject of the alert."""
        subjects: dict[str, list[Row]] = {}
        for row in self.rows:
            if row.refusal:
                table = "peer_mentor_stats" if isinstance(row.item, Stats) else "badge_awards"
                subject = row.refusal.by or f"{table} {row.refusal.sqlstate}"
                subjects.setdefault(subject, []).append(row)
        for subject, rows in sorted(subjects.items()):
            refusal, definitions = rows[0].refusal, {about(row.item)[1] for row in rows}
            assert refusal is not None
            yield Waiting(
                subject,
                refusal.sqlstate,
                refusal.message,
                refusal.by,
                definitions.pop() if len(definitions) == 1 else None,
                len(rows),
                min(row.since for row in rows),
            )
