"""What Debezium puts into a record besides the row's own columns."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)
"""What reading a record raises that is not one."""

UNAVAILABLE = "__debezium_unavailable_value"
"""What stands for a long text that an update left alone: pgoutput does not send it again.

It is Debezium's own word for that, which anybody may write into a row, so it is that of older
generations alone: one that is filled today has a word that nobody can know beforehand.
"""


_LAST_MS = 253_402_300_799_999
"""The last instant that Python has, of the year 9999."""


class _Committed(Struct):
    ms: Annotated[int, Meta(ge=0, le=_LAST_MS)] | None = field(name="__source_ts_ms", default=None)


_decode_commit = msgspec.json.Decoder(_Committed).decode


def committed_at(value: bytes | None) -> datetime | None:
    """When the transaction of a record was committed, by Postgres' clock; None where it is unknown.

    Of a row of the snapshot it is when that was taken.
    """
    try:
        ms = _decode_commit(value or b"").ms
    except UNREADABLE:
        return None
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


class _Placed(Struct):
    sequence: str | None = field(name="__source_sequence", default=None)


_decode_place = msgspec.json.Decoder(_Placed).decode


def sequence_of(value: bytes | None) -> str | None:
    """The `source.sequence` of a record, usable or not; None where it has none."""
    try:
        return _decode_place(value or b"").sequence
    except UNREADABLE:
        return None


def stream_order(sequence: str | None) -> tuple[int, int] | None:
    """Debezium's place of a streamed row, (last commit's lsn, own lsn), or None without a commit.

    `source.sequence` is a JSON list of two numbers as text; its first is null until the first
    transaction after a snapshot has ended. `source.lsn` alone is not in order between transactions.
    Raises ValueError when it is something else.
    """
    if sequence is None:
        return None
    numbers = sequence.split('"')[1::2]
    return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else None
