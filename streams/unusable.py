"""What can be read of a record that cannot be used: which row it is of, and what becomes of that.

Nobody knows what such a row says now, so its last usable version must not go on counting: a row of
a mentor is gone until a usable version of it comes. Of a delete only the ids are needed, so one
whose fillers cannot be read (a column has another type) is a delete like any other.
"""

from collections.abc import Callable
from typing import Any, Final, get_args

import msgspec
from msgspec import Struct, field

from streams.log.debezium import UNAVAILABLE, UNREADABLE, stream_order
from streams.records import (
    ActivityRecord,
    AwardRecord,
    MentorRecord,
    PauseRecord,
    Record,
    TrainingRecord,
)
from tables.ledger import Ledger

MOST_IN_A_ROW: Final = 20
"""Records of a table that cannot be used, without a usable one between, before that is looked into.

The count is a function of the log alone, so a worker that begins again does not let more through.
"""

TABLE_NAMES: Final = tuple(str(kind.__struct_config__.tag) for kind in get_args(Record))
"""The tables whose rows are in the log."""

ROWS_OF_MENTORS: Final = ("activities", "training_completions", "mentor_pauses")
"""Tables of which a row that cannot be used counts as gone."""


class Outline(Struct, frozen=True):
    """What is readable of a record; None where nothing is.

    `table` is one of TABLE_NAMES. `mentor_id` is the mentor's own id in their own row. `text` is
    the type or the course that the row has now, if the record brings it.
    """

    table: str | None = None
    id: str | None = None
    mentor_id: str | None = None
    op: str | None = None
    xid: int | None = None
    lsn: int | None = None
    sequence: str | None = None
    text: str | None = None

    def deletion(self) -> Record | None:
        """The delete that stands for the record: of its row, if that is known and has to go."""
        if self.table is None or self.id is None or self.mentor_id is None:
            return None
        if self.op != "d" and self.table not in ROWS_OF_MENTORS:
            return None
        return _DELETIONS[self.table](
            self.id,
            self.mentor_id,
            {"op": "d", "xid": self.xid, "lsn": self.lsn, "sequence": self.sequence},
        )

    def known_text(self, ledger: Ledger | None) -> str | None:
        """The row's type or course, also where Postgres did not send it again."""
        if self.text is not None or ledger is None or self.id is None:
            return self.text
        if self.table == "activities":
            return ledger.activity_type(self.id)
        return ledger.course(self.id) if self.table == "training_completions" else None


def outline(value: bytes, stand_in: str = UNAVAILABLE) -> Outline:
    """Read what is readable; of what is no JSON object, nothing. Never raises.

    `stand_in` is what the log has in the place of a text that was not sent.
    """
    try:
        found = _decode(value)
    except UNREADABLE:
        return Outline()
    table = found.table if found.table in TABLE_NAMES else None
    row_id = _text(found.id)
    text = {"activities": found.activity_type, "training_completions": found.course_code}.get(
        table or ""
    )
    return Outline(
        table=table,
        id=row_id,
        mentor_id=row_id if table == "peer_mentors" else _text(found.peer_mentor_id),
        op=_text(found.op),
        xid=found.xid if type(found.xid) is int else None,
        lsn=found.lsn if type(found.lsn) is int else None,
        sequence=_place(found.sequence),
        text=None if text == stand_in else _text(text),
    )


class _Anything(Struct):
    """A record of which nothing is certain."""

    id: Any = None
    peer_mentor_id: Any = None
    activity_type: Any = None
    course_code: Any = None
    table: Any = field(name="__table", default=None)
    op: Any = field(name="__op", default=None)
    xid: Any = field(name="__source_txId", default=None)
    lsn: Any = field(name="__source_lsn", default=None)
    sequence: Any = field(name="__source_sequence", default=None)


_decode = msgspec.json.Decoder(_Anything).decode


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _place(sequence: object) -> str | None:
    """The record's place in the stream as it is written, or None where it is none."""
    text = _text(sequence)
    try:
        stream_order(text)
    except ValueError:
        return None
    return text


_DELETIONS: dict[str, Callable[[str, str, dict[str, Any]], Record]] = {
    "peer_mentors": lambda id_, _, meta: MentorRecord(
        id=id_, organization_id="", active=True, **meta
    ),
    "activities": lambda id_, mentor, meta: ActivityRecord(
        id=id_,
        peer_mentor_id=mentor,
        activity_type="",
        activity_date=0,
        duration_minutes=None,
        **meta,
    ),
    "training_completions": lambda id_, mentor, meta: TrainingRecord(
        id=id_, peer_mentor_id=mentor, course_code="", completed_on=0, **meta
    ),
    "mentor_pauses": lambda id_, mentor, meta: PauseRecord(
        id=id_, peer_mentor_id=mentor, starts_on=0, ends_on=None, **meta
    ),
    "badge_awards": lambda id_, mentor, meta: AwardRecord(
        id=id_,
        peer_mentor_id=mentor,
        badge_definition_id="",
        earned_at="",
        definition_version=None,
        tier=None,
        tier_earned_at=None,
        awarded_by="",
        revoked_by=None,
        changed_by="",
        **meta,
    ),
}
"""A delete of each table, by row, mentor and metadata; the rest is fillers, as in Debezium's."""
