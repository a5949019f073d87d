"""A record of the mentor log, decoded: one Struct a table.

A value is Debezium's change, flattened by ExtractNewRecordState in Kafka Connect: the row's columns
beside the fields that `add.fields` names, prefixed with two underscores. Of a delete only the ids
are real, the other columns are fillers.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from tables.types import Activity, Award, Day, Mentor, Pause, TrainingCompletion

_Op: TypeAlias = Literal["r", "c", "u", "d"]
FIRST_DAY, LAST_DAY = -2440588, 2145042905
"""Postgres' dates, 4713 BC to 5874897. Debezium sends the infinities as days before and after."""

_BoundedDay: TypeAlias = Annotated[Day, Meta(ge=FIRST_DAY, le=LAST_DAY)]
_BoundedMinutes: TypeAlias = Annotated[int, Meta(ge=0, lt=2**31)]


class MentorRecord(Mentor, tag_field="__table", tag="peer_mentors", kw_only=True):
    """A change of peer_mentors. A mentor of whom nobody says whether they are active is active."""

    active: bool | None  # type: ignore[assignment]  # settled in __post_init__
    op: _Op = field(name="__op")
    xid: int | None = field(name="__source_txId", default=None)
    lsn: int | None = field(name="__source_lsn", default=None)
    sequence: str | None = field(name="__source_sequence", default=None)

    def __post_init__(self) -> None:
        """An application's own column may be null."""
        if self.active is None:
            self.active = True


class ActivityRecord(Activity, tag_field="__table", tag="activities", kw_only=True, gc=False):
    activity_date: _BoundedDay
    duration_minutes: _BoundedMinutes | None
    op: _Op = field(name="__op")
    xid: int | None = field(name="__source_txId", default=None)
    lsn: int | None = field(name="__source_lsn", default=None)
    sequence: str | None = field(name="__source_sequence", default=None)


class TrainingRecord(
    TrainingCompletion, tag_field="__table", tag="training_completions", kw_only=True, gc=False
):
    completed_on: _BoundedDay
    op: _Op = field(name="__op")
    xid: int | None = field(name="__source_txId", default=None)
    lsn: int | None = field(name="__source_lsn", default=None)
    sequence: str | None = field(name="__source_sequence", default=None)


class PauseRecord(Pause, tag_field="__table", tag="mentor_pauses", kw_only=True, gc=False):
    ends_on: Day | None
    op: _Op = field(name="__op")
    xid: int | None = field(name="__source_txId", default=None)
    lsn: int | None = field(name="__source_lsn", default=None)
    sequence: str | None = field(name="__source_sequence", default=None)

    def __post_init__(self) -> None:
        """A pause may begin and end in either infinity; one that never ends has no end."""
        if self.op == "d":
            return
        self.starts_on = min(max(self.starts_on, FIRST_DAY), LAST_DAY)
        if self.ends_on is not None:
            self.ends_on = max(self.ends_on, FIRST_DAY) if self.ends_on <= LAST_DAY else None


is_uuid = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
"""Whether a text is an id as the log carries it."""


def check_id(text: str) -> None:
    """Raise ValueError for an id that Postgres cannot have sent, so that no row can be about it."""
    if not is_uuid(text):
        raise ValueError("an id is no UUID")


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return instant


def _date(day: Day | UnsetType | None) -> Day | None:
    """A date that is said, either infinity being the nearest date there is."""
    return min(max(day, FIRST_DAY), LAST_DAY) if isinstance(day, int) else None


class AwardRecord(Struct, tag_field="__table", tag="badge_awards", kw_only=True):
    """A change of badge_awards. Instants stay text until they are needed: a delete fills them.

    The dates and the tier's version are absent from records that are older than their columns.
    """

    id: str
    peer_mentor_id: str
    badge_definition_id: str
    earned_at: str
    earned_on: Day | UnsetType | None = UNSET
    definition_version: int | None
    tier: str | None
    tier_earned_at: str | None
    tier_earned_on: Day | UnsetType | None = UNSET
    tier_version: int | UnsetType | None = UNSET
    awarded_by: str
    revoked_by: str | None
    changed_by: str
    op: _Op = field(name="__op")
    xid: int | None = field(name="__source_txId", default=None)
    lsn: int | None = field(name="__source_lsn", default=None)
    sequence: str | None = field(name="__source_sequence", default=None)

    def __post_init__(self) -> None:
        """Find a wrong id or instant while decoding, where it becomes a dead letter."""
        if self.op != "d":
            check_id(self.id)
            self.award()

    def award(self) -> Award:
        """The row. Raises ValueError when an instant is not ISO 8601."""
        return Award(
            id=self.id,
            peer_mentor_id=self.peer_mentor_id,
            badge_definition_id=self.badge_definition_id,
            earned_at=_instant(self.earned_at),
            definition_version=self.definition_version,
            tier=self.tier,
            tier_earned_at=_instant(self.tier_earned_at) if self.tier_earned_at else None,
            awarded_by=self.awarded_by,
            revoked_by=self.revoked_by,
            changed_by=self.changed_by,
            changed_in=None if self.op == "r" or self.changed_by == "rule" else self.xid,
            earned_on=_date(self.earned_on),
            tier_earned_on=_date(self.tier_earned_on),
            tier_version=None if self.tier_version is UNSET else self.tier_version,
        )


Record: TypeAlias = MentorRecord | ActivityRecord | TrainingRecord | PauseRecord | AwardRecord


_decode: Callable[[bytes], Record] = msgspec.json.Decoder(Record).decode

# An escape in JSON; the first kind is the half of a surrogate pair that a text ends with.
_HALF_PAIR = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\"|.)", re.DOTALL)


def decode(value: bytes) -> Record:
    """Decode one value. Raises one of UNREADABLE; the text says which field is wrong.

    The connector cuts long texts between two UTF-16 units, which may be the halves of a pair: the
    half that is left is dropped.
    """
    try:
        return _decode(value)
    except msgspec.DecodeError:
        whole = _HALF_PAIR.sub(_without_half, value)
        if whole == value:
            raise
    return _decode(whole)


def _without_half(escape: re.Match[bytes]) -> bytes:
    return b'"' if len(escape[0]) > 2 else escape[0]


def mentor_of(record: Record) -> str:
    return record.id if type(record) is MentorRecord else record.peer_mentor_id  # type: ignore[union-attr]
