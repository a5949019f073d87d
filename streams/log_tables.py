"""The tables of the log: what is done with a row of each, declared once.

Names and columns stand in the records (records.py); whatever else asks which tables there are, or
which columns, derives it from here.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET

from streams.records import (
    ActivityRecord,
    AwardRecord,
    MentorRecord,
    PauseRecord,
    Record,
    TrainingRecord,
)
from tables.ledger import Ledger

_Known: TypeAlias = Callable[[Ledger, Any], str | None]
"""A text of a row, as the ledger has it by the row's id."""


class Table(NamedTuple):
    """How the rows of a table are folded.

    `texts` are the columns that may be so long that Postgres leaves them out of an update which
    does not change them. `rule` is the column that names an organization or a definition.
    """

    record: type[Record]
    put: Callable[[Ledger, Any], bool]
    drop: Callable[[Ledger, str], bool]
    texts: Mapping[str, _Known] = {}
    rule: str | None = None

    @property
    def name(self) -> str:
        return str(self.record.__struct_config__.tag)

    @property
    def columns(self) -> Mapping[str, bool]:
        """The columns that the log publishes: whether a row cannot be understood without it."""
        return {
            column.name: column.required
            for column in msgspec.structs.fields(self.record)
            if not column.encode_name.startswith("__")
        }

    @property
    def added(self) -> list[str]:
        """The columns that generations from before them do not have."""
        columns = msgspec.structs.fields(self.record)
        return [column.name for column in columns if column.default is UNSET]

    @property
    def of_mentor(self) -> bool:
        """Whether a row is one of many of a mentor that no badge hangs on alone.

        One that cannot be used counts as gone. A mentor who is gone would take all awards along.
        """
        return self.rule is None

    def deletion(self, row_id: str, mentor_id: str, **meta: Any) -> Record:
        """A delete as Debezium sends it: only the ids are real."""
        columns: dict[str, Any] = dict.fromkeys(self.columns)
        columns |= {name: mentor_id for name in columns if name == "peer_mentor_id"}
        return self.record(**{**columns, "id": row_id, "op": "d", **meta})


def _organization(ledger: Ledger, _: MentorRecord) -> str | None:
    return ledger.mentor.organization_id if ledger.mentor else None


def _of_award(column: str) -> _Known:
    def known(ledger: Ledger, record: AwardRecord) -> str | None:
        held = (award for award in ledger.held.values() if award.id == record.id)
        found = next((getattr(award, column) for award in held), None)
        # 'rule' is so short that it is never left out of an update.
        return None if found == "rule" else found

    return known


def _put_award(ledger: Ledger, record: AwardRecord) -> bool:
    return ledger.put_award(record.award())


_AWARD_TEXTS = ("badge_definition_id", "tier", "awarded_by", "revoked_by", "changed_by")

TABLES: Mapping[type[Record], Table] = {
    table.record: table
    for table in (
        Table(
            MentorRecord,
            Ledger.put_mentor,
            lambda ledger, _: ledger.drop_mentor(),
            {"organization_id": _organization},
            "organization_id",
        ),
        Table(
            ActivityRecord,
            Ledger.put_activity,
            Ledger.drop_activity,
            {"activity_type": lambda ledger, row: ledger.activity_type(row.id)},
        ),
        Table(
            TrainingRecord,
            Ledger.put_training,
            Ledger.drop_training,
            {"course_code": lambda ledger, row: ledger.course(row.id)},
        ),
        Table(PauseRecord, Ledger.put_pause, Ledger.drop_pause),
        Table(
            AwardRecord,
            _put_award,
            Ledger.drop_award,
            {column: _of_award(column) for column in _AWARD_TEXTS},
            "badge_definition_id",
        ),
    )
}
"""By the kind of their records."""

NAMED: Mapping[str, Table] = {table.name: table for table in TABLES.values()}
"""By name."""
