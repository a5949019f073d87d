"""Whether a record is whole: it has every published column, every value, and its mentor.

A column that a record lacks is not a null, and what Debezium puts in the place of a long text that
it was not sent is no text. Neither ever becomes data: the log does not tell the row, and is broken.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec
from msgspec import UNSET

from streams.errors import LogBroken
from streams.log.debezium import UNREADABLE
from streams.log_tables import NAMED, TABLES
from streams.records import AwardRecord, Record, mentor_of
from tables.ledger import Ledger

Columns: TypeAlias = Mapping[str, Sequence[str]]
"""The columns that a generation of the log publishes of each table."""

# The columns without which no row can be understood, whatever a generation publishes.
_REQUIRED = {
    table.name: [column for column, required in table.columns.items() if required]
    for table in TABLES.values()
}

# What every record from Debezium has; others are somebody's own, and not the log's fault.
_DEBEZIUM = ("__op", "__source_lsn", "__source_sequence")

_ADDED = TABLES[AwardRecord].added


def check_columns(value: bytes | None, columns: Columns, partition: int, offset: int) -> None:
    """Raise LogBroken if what cannot be decoded is a row that lacks a column or its mentor."""
    try:
        row = msgspec.json.decode(value or b"")
    except UNREADABLE:
        return
    table = row.get("__table") if isinstance(row, dict) else None
    if (
        not isinstance(table, str)
        or table not in NAMED
        or not all(name in row for name in _DEBEZIUM)
    ):
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
        raise _mentor_missing(TABLES[type(record)].name, partition, offset)


def check_added(record: AwardRecord, columns: Columns, partition: int, offset: int) -> None:
    for column in _ADDED:
        if getattr(record, column) is UNSET and column in columns.get("badge_awards", ()):
            raise _column_missing("badge_awards", column, partition, offset)


def fill_in(
    record: Record, column: str, ledger: Ledger | None, partition: int, offset: int
) -> None:
    """Fill in a text that an update left alone, as the ledger knows it. Raises LogBroken."""
    table = TABLES[type(record)]
    found = table.texts[column](ledger, record) if ledger else None
    if found is None:
        raise LogBroken(
            "value_missing",
            f"offset {offset} of partition {partition}: {column} of {table.name} {record.id} is "
            "too long to be sent with an update that leaves it alone, and was never sent before",
        )
    setattr(record, column, found)


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
