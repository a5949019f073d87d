"""What can be read of a record that cannot be used: which row it is of, and what becomes of that.

Nobody knows what such a row says now, so its last usable version must not go on counting: a row of
a mentor is gone until a usable version of it comes. Of a delete only the ids are needed, so one
whose fillers cannot be read (a column has another type) is a delete like any other.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct, field

from streams.log.debezium import UNAVAILABLE, UNREADABLE, stream_order
from streams.log_tables import NAMED
from streams.records import Record, is_uuid
from tables.ledger import Ledger

MOST_IN_A_ROW: Final = 20
"""Records of a table that cannot be used, without a usable one between, before that is looked into.

The count is a function of the log alone, so a worker that begins again does not let more through.
"""


class Outline(Struct, frozen=True):
    """What is readable of a record; None where nothing is.

    `table` is one of the log's. `mentor_id` is the mentor's own id in their own row. `text` is
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
        table = NAMED[self.table]
        if self.op != "d" and not table.of_mentor:
            return None
        return table.deletion(
            self.id, self.mentor_id, xid=self.xid, lsn=self.lsn, sequence=self.sequence
        )

    def known_text(self, ledger: Ledger | None) -> str | None:
        column = _text_column(self.table)
        if self.text is not None or ledger is None or self.id is None or column is None:
            return self.text
        return NAMED[self.table or ""].texts[column](ledger, self)


def outline(value: bytes, stand_in: str = UNAVAILABLE) -> Outline:
    """Read what is readable: nothing where it is not a JSON object. Never raises.

    `stand_in` is what the log has in the place of a text that was not sent.
    """
    try:
        found = _decode(value)
    except UNREADABLE:
        return Outline()
    table = _text(found.table)
    if table not in NAMED:
        table = None
    row_id = _text(found.id)
    mentor_id = row_id if table == "peer_mentors" else _text(found.peer_mentor_id)
    column = _text_column(table)
    text = getattr(found, column) if column else None
    return Outline(
        table=table,
        id=row_id,
        mentor_id=mentor_id if mentor_id and is_uuid(mentor_id) else None,
        op=_text(found.op),
        xid=found.xid if type(found.xid) is int else None,
        lsn=found.lsn if type(found.lsn) is int else None,
        sequence=_place(found.sequence),
        text=None if text == stand_in else _text(text),
    )


class _Anything(Struct):
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
    """The place in the stream as the record has it, or None where that cannot be read."""
    text = _text(sequence)
    try:
        stream_order(text)
    except ValueError:
        return None
    return text


def _text_column(table: str | None) -> str | None:
    """The type or the course: what a row may come back without."""
    if table is None or not NAMED[table].of_mentor:
        return None
    return next(iter(NAMED[table].texts), None)
