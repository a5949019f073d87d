"""Whether a record is whole: it has every published column, every value, and its mentor.

A column that a record lacks is not a null, and what Debezium puts in the place of a long text that
it was not sent is no text. Neither ever becomes data: the log does not tell the row, and is broken.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET

from streams.log.debezium import UNREADABLE
from streams.log.errors import LogBroken
from streams.records import (
    ActivityRecord,
    AwardRecord,
    MentorRecord,
    PauseRecord,
    Record,
    TrainingRecord,
    mentor_of,
)
from tables.ledger import Ledger

Columns: TypeAlias = Mapping[str, Sequence[str]]
"""The columns that a generation of the log publishes of each table."""

_TABLES: dict[str, type] = {
    "peer_mentors": MentorRecord,
    "activities": ActivityRecord,
    "training_completions": TrainingRecord,
    "mentor_pauses": PauseRecord,
    "badge_awards": AwardRecord,
}
_NAMES = {kind: name for name, kind in _TABLES.items()}

_REQUIRED = {
    name: [
        field.name
        for field in msgspec.structs.fields(kind)
        if field.required and not field.encode_name.startswith("__")
    ]
    for name, kind in _TABLES.items()
}
"""The columns without which no row can be understood, whatever a generation publishes."""

_DEBEZIUM = ("__op", "__source_lsn", "__source_sequence")
"""What every record from Debezium has; others are somebody's own, and not the log's fault."""

_ADDED = [f.name for f in msgspec.structs.fields(AwardRecord) if f.default is UNSET]
"""Columns of badge_awards that generations from before them do not have."""


def check_columns(value: bytes | None, columns: Columns, partition: int, offset: int) -> None:
    """Raise LogBroken if what cannot be decoded is a row that lacks a column or its mentor."""
    try:
        row = msgspec.json.decode(value or b"")
    except UNREADABLE:
        return
    table = row.get("__table") if isinstance(row, dict) else None
    if table not in _TABLES or not all(name in row for name in _DEBEZIUM):
        return
    if row["__op"] == "d" and not row.get("id" if table == "peer_mentors" else "peer_mentor_id"):
        raise _mentor_missing(table, partition, offset)
    for column in [*_REQUIRED[table], *columns.get(table, ())]:
        if column not in row:
            raise _column_missing(table, column, partition, offset)


def check_delete(record: Record, key: bytes | None, partition: int, offset: int) -> None:
    """Raise LogBroken unless a delete has its mentor's id, and lies under it.

    With another replica identity than the mentor's the deletes come with fillers.
    """
    mentor = mentor_of(record)
    if not mentor or mentor.encode() != key:
        raise _mentor_missing(_NAMES[type(record)], partition, offset)


def complete(
    record: MentorRecord | AwardRecord,
    ledger: Ledger | None,
    columns: Columns,
    stand_in: str,
    partition: int,
    offset: int,
) -> None:
    """Fill in what an update left alone, as the ledger knows it. Raises LogBroken.

    `stand_in` is what the record has in the place of such a text.

    It comes before anything is read from a row that names an organization or a definition; texts of
    other rows are filled in as they are put into the ledger.
    """
    table = _NAMES[type(record)]
    if type(record) is AwardRecord:
        for column in _ADDED:
            if getattr(record, column) is UNSET and column in columns.get(table, ()):
                raise _column_missing(table, column, partition, offset)
    for column, known in _TEXTS[type(record)].items():
        if getattr(record, column) == stand_in:
            found = known(ledger, record) if ledger else None
            # 'rule' is so short that it is never left out of an update.
            if found is None or found == "rule":
                raise value_missing(record, column, partition, offset)
            setattr(record, column, found)


def value_missing(record: Record, column: str, partition: int, offset: int) -> LogBroken:
    """The break by a text that stands in for one that nobody knows."""
    return LogBroken(
        "value_missing",
        f"offset {offset} of partition {partition}: {column} of {_NAMES[type(record)]} {record.id} "
        "is too long to be sent with an update that leaves it alone, and was never sent before",
    )


def _column_missing(table: str, column: str, partition: int, offset: int) -> LogBroken:
    return LogBroken(
        "column_missing",
        f"offset {offset} of partition {partition}: a row of {table} without its column {column}, "
        "which had another name when the row was written, or was not published",
    )


def _mentor_missing(table: str, partition: int, offset: int) -> LogBroken:
    return LogBroken(
        "mentor_missing",
        f"offset {offset} of partition {partition}: a row of {table} was deleted or moved, and "
        "whose it was is not said: the table's replica identity was another one",
    )


def _of_mentor(ledger: Ledger, _: Any) -> str | None:
    return ledger.mentor.organization_id if ledger.mentor else None


def _of_award(column: str) -> Callable[[Ledger, Any], str | None]:
    def known(ledger: Ledger, record: AwardRecord) -> str | None:
        held = (award for award in ledger.held.values() if award.id == record.id)
        return next((getattr(award, column) for award in held), None)

    return known


_TEXTS: dict[type, dict[str, Callable[[Ledger, Any], str | None]]] = {
    MentorRecord: {"organization_id": _of_mentor},
    AwardRecord: {
        column: _of_award(column)
        for column in ("badge_definition_id", "tier", "awarded_by", "revoked_by", "changed_by")
    },
}
