"""Records as Kafka Connect writes them to the mentor log, for tests."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec.structs

from tables.types import Activity, Award, Mentor, Pause, TrainingCompletion
from tests.doubles.memory_log import MemoryLog, Record

TABLE_OF: dict[type, str] = {
    Mentor: "peer_mentors",
    Activity: "activities",
    TrainingCompletion: "training_completions",
    Pause: "mentor_pauses",
    Award: "badge_awards",
}
COMMITTED = datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)
"""When every transaction was committed."""
NOTHING: Mapping[str, Any] = MappingProxyType({})
FILLERS = {
    "organization_id": "",
    "active": True,
    "activity_type": "",
    "activity_date": 0,
    "course_code": "",
    "completed_on": 0,
    "starts_on": 0,
    "badge_definition_id": "",
    "earned_at": "1970-01-01T00:00:00Z",
    "definition_version": 0,
    "awarded_by": "rule",
    "changed_by": "rule",
}
"""What a delete has in columns that are not part of the replica identity and not nullable."""


_ADDED = ("earned_on", "tier_earned_on", "tier_version")


def value(row: Any, op: str, *, lsn: int = 0, commit: int | None = None, xid: int = 700) -> bytes:
    """The value of a record; `commit` None is a row of the snapshot, or right after it."""
    columns = {name: getattr(row, name) for name in row.__struct_fields__}
    for name in ("changed_in", "derived_on"):
        columns.pop(name, None)
    # A row without them is of a log that is older than these columns.
    columns = {n: v for n, v in columns.items() if v is not None or n not in _ADDED}
    for name in ("earned_at", "tier_earned_at"):
        if columns.get(name) is not None:
            columns[name] = columns[name].isoformat()
    if op == "d":
        keys = ("id", "peer_mentor_id")
        columns = {n: v if n in keys else FILLERS.get(n) for n, v in columns.items()}
    sequence = [None if commit is None else str(commit), str(lsn)]
    meta = {
        "__deleted": "true" if op == "d" else "false",
        "__op": op,
        "__table": TABLE_OF[type(row)],
        "__source_ts_ms": round(COMMITTED.timestamp() * 1000),
        "__source_txId": xid,
        "__source_lsn": lsn,
        "__source_sequence": json.dumps(sequence),
    }
    return json.dumps(columns | meta).encode()


AFTER_ALL_DAYS = 2_146_033_979
"""What Debezium sends for the date infinity."""

UNUSABLE: dict[type, list[dict[str, Any]]] = {
    Mentor: [{"active": "yes"}],
    Activity: [
        {"activity_date": AFTER_ALL_DAYS},
        {"activity_date": "2026-01-01"},
        {"duration_minutes": -1},
        {"duration_minutes": "30"},
        {"activity_type": 7},
    ],
    TrainingCompletion: [{"completed_on": AFTER_ALL_DAYS}, {"course_code": ["basic"]}],
    Pause: [{"starts_on": "2026-01-01"}, {"ends_on": 1.5}],
    Award: [{"earned_at": "infinity"}, {"definition_version": "1"}],
}
"""Columns of each table as nobody can use them."""


def unusable(text: bytes, columns: Mapping[str, Any]) -> bytes:
    """The same record with other columns; of a delete those are fillers."""
    return json.dumps(json.loads(text) | columns).encode()


class Writer:
    """Appends rows to a partition of a memory log, each as a transaction of its own."""

    def __init__(self, log: MemoryLog, partition: int = 0) -> None:
        self.log = log
        self.partition = partition
        self._lsn = 1000

    @property
    def next_xid(self) -> int:
        """The transaction of the next row that is streamed."""
        return self._lsn + 10

    def snapshot(self, row: Any, lsn: int = 1000) -> Record:
        """A row of the first snapshot."""
        return self._append(row, value(row, "r", lsn=lsn))

    def put(self, row: Any, op: str = "c") -> Record:
        """A row that was inserted or updated."""
        return self._streamed(row, op)

    def delete(self, row: Any) -> Record:
        """A row that was deleted."""
        return self._streamed(row, "d")

    def unusable(self, row: Any, columns: Mapping[str, Any], op: str = "u") -> Record:
        """A row that was inserted, changed or deleted, with columns that nobody can use."""
        return self._streamed(row, op, columns)

    def again(self, record: Record) -> Record:
        """The same record once more, as a connector sends it that begins again."""
        return self.log.append(self.partition, record.key, record.value)

    def raw(self, text: bytes) -> Record:
        """Anything at all."""
        return self.log.append(self.partition, b"m", text)

    def _streamed(self, row: Any, op: str, columns: Mapping[str, Any] = NOTHING) -> Record:
        self._lsn += 10
        text = value(row, op, lsn=self._lsn, commit=self._lsn, xid=self._lsn)
        return self._append(row, unusable(text, columns) if columns else text)

    def _append(self, row: Any, text: bytes) -> Record:
        mentor = row.id if isinstance(row, Mentor) else row.peer_mentor_id
        return self.log.append(self.partition, mentor.encode(), text)


def moved(row: Any, mentor: str) -> Any:
    """The same row as another mentor's."""
    return msgspec.structs.replace(row, peer_mentor_id=mentor)
