"""What the open turn of a partition has come to so far."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec.structs

from sinks.base import DeadLetter, MentorDeleted, Message
from streams.log.debezium import committed_at
from streams.unusable import Outline
from tables.decisions import Cause, Decision
from tables.ledger import Ledger
from tables.types import AppliedVersion


class Draft:
    """What is to be written at the end of the turn, in the order in which it came about."""

    def __init__(self, dead_letters: Sequence[DeadLetter] = ()) -> None:
        self.applied: list[AppliedVersion] = []
        self.mentors_deleted: list[MentorDeleted] = []
        self.decisions: list[Decision] = []
        self.touched: dict[str, Ledger] = {}
        self.dead_letters = list(dead_letters)
        self.xids: set[int | None] = set()

    def caused_by(self, message: Message, decisions: Iterable[Decision]) -> None:
        """Note what a record caused, with the time of its commit: few records cause anything."""
        at = committed_at(message.value)
        self.decisions += [msgspec.structs.replace(d, caused_at=at) for d in decisions]

    def delete_mentors(self, mentor: str, cause: Cause) -> None:
        """Note a mentor's delete: nothing decided before it for that id is worth writing."""
        self.mentors_deleted.append(MentorDeleted(mentor, cause))
        self.decisions = [d for d in self.decisions if d.after.peer_mentor_id != mentor]
        self.touched.pop(mentor, None)


def dead_letter(
    log_id: str, partition: int, message: Message, unusable: Outline, error: Exception
) -> DeadLetter:
    """A record that cannot be used, as it is kept."""
    return DeadLetter(
        log_id=log_id,
        partition=partition,
        offset=message.offset,
        reason=str(error) or type(error).__name__,
        at=_moment(message.timestamp),
        key=message.key,
        value=message.value,
        table=unusable.table,
        row_id=unusable.id,
    )


def _moment(milliseconds: int) -> datetime:
    """When a record was written, or the epoch's beginning where its timestamp is no date."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
