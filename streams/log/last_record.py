"""The end of the log as it was decided: whether Kafka has lost it and written other rows there.

A broker that loses its disk's last second comes back with a log that is shorter, and grows past
what was decided soon after; then only a record tells that it is another one.
"""

from collections.abc import Sequence

from sinks.base import Message, Place
from streams.errors import LogBroken
from streams.log.debezium import sequence_of


def another_record(partition: int, decided: Place, sequence: str | None) -> str:
    """What is wrong where a decided record's offset has another place in the WAL, or is empty.

    Empty when nothing is: also where the record's place was not known.
    """
    if decided.sequence is None or decided.sequence == sequence:
        return ""
    return (
        f"offset {decided.offset} of partition {partition} holds another record than the one that "
        f"was decided there: its place in the WAL is {sequence or 'none'}, it was "
        f"{decided.sequence}. Kafka has lost records, and others came after them"
    )


def following(partition: int, last: Place, records: Sequence[Message]) -> Sequence[Message]:
    """Of records read from that of `last` on, those after it.

    Raises LogBroken where another one is in its place.
    """
    again = records[0] if records and records[0].offset == last.offset else None
    wrong = another_record(partition, last, sequence_of(again.value) if again else None)
    if wrong:
        raise LogBroken("log_rewritten", wrong)
    return records[1:] if again else records


def check_last(partition: int, end: int, decided: Place | None, last: Place | None) -> None:
    """Raise LogBroken unless the last record below `end` is the one that was decided.

    `decided` was read after the position at `end`, so it may be ahead of that: then another
    worker is as well.
    """
    if decided is None or decided.offset >= end:
        return
    if last is not None and last.offset > decided.offset:
        # A worker of a version that remembers none went on from there; a look reads that one again.
        return
    found = last.sequence if last and last.offset == decided.offset else None
    wrong = another_record(partition, decided, found)
    if wrong:
        raise LogBroken("log_rewritten", wrong)
