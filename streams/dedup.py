"""The order of the stream: which rows were sent before, and which are of a second snapshot."""

from msgspec import Struct

from streams.errors import LogBroken
from streams.log.debezium import stream_order


class HighWaterMark(Struct, frozen=True):
    """How far the rows have come: their mark in the WAL, and the LSN of the log's snapshot.

    `awards` are the changes of awards at the mark, each the row's id and what was done to it.
    """

    mark: tuple[int, int]
    snapshot_lsn: int | None
    awards: frozenset[tuple[str, str]] = frozenset()


class Deduplicator:
    """How far one partition's rows have come in the WAL; every record must be shown to it once."""

    __slots__ = (
        "_awards",
        "_mark",
        "_partition",
        "_sent_before",
        "_sequence",
        "_snapshot_lsn",
        "_start",
    )

    def __init__(self, partition: int, start: int) -> None:
        self._partition = partition
        self._start = start
        self._mark = (0, 0)
        self._sequence: str | None = None
        self._sent_before = False
        self._snapshot_lsn: int | None = None
        self._awards = set[tuple[str, str]]()

    @property
    def high_water_mark(self) -> HighWaterMark:
        return HighWaterMark(self._mark, self._snapshot_lsn, frozenset(self._awards))

    def go_on_from(self, mark: HighWaterMark) -> None:
        """Go on, as a new one, from where another had come to."""
        self._mark, self._snapshot_lsn = mark.mark, mark.snapshot_lsn
        self._awards = set(mark.awards)

    def is_duplicate(self, sequence: str | None) -> bool:
        """Whether a connector that began again sends a row once more.

        Rows of one commit may share a place (COPY), so an equal one is folded again: what it says
        is there already, and a row that changes nothing is no event. Of awards, which the rules
        change too, `note_award` tells. Raises ValueError when it cannot be read.
        """
        # Rows of one commit come one after another with one place: it is read once for all of them.
        if sequence != self._sequence:
            place = stream_order(sequence) or self._mark
            self._sequence, self._sent_before = sequence, place < self._mark
            if place > self._mark:
                self._mark = place
                self._awards.clear()
        return self._sent_before

    def note_award(self, award_id: str, op: str) -> bool:
        """Note a change of an award at the mark; whether it was there before: it is sent once more.

        The rules may have changed the award since, and their row is not sent before this one is.
        """
        change = award_id, op
        if change in self._awards:
            return True
        self._awards.add(change)
        return False

    def check_snapshot(self, lsn: int | None, offset: int) -> None:
        """Raise LogBroken unless a snapshot's row is of the one that the log began with."""
        where = f"offset {offset} of partition {self._partition}"
        if offset >= self._start:
            raise LogBroken(
                "snapshot_row",
                f"{where} is a snapshot row after the log's start at {self._start}",
            )
        if self._snapshot_lsn is None:
            self._snapshot_lsn = lsn
        elif lsn != self._snapshot_lsn:
            raise LogBroken(
                "snapshot_row",
                f"{where} belongs to a second snapshot (lsn {lsn} after {self._snapshot_lsn})",
            )
