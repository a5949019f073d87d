"""A partition replayed: its records and the versions of rules, in order, through the reference."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import Final, TypeAlias

from msgspec.structs import replace

from reference.log_reading import Lost, events, is_output
from reference.reference import Reference
from reference.refused_writes import Found
from sinks.base import Message
from streams.log.debezium import UNAVAILABLE
from streams.records import (
    ActivityRecord,
    AwardRecord,
    MentorRecord,
    PauseRecord,
    Record,
    TrainingRecord,
)
from tables.decisions import Cause
from tables.types import AppliedVersion, Award, RuleKey, Version, rule_key

Row: TypeAlias = MentorRecord | ActivityRecord | TrainingRecord | PauseRecord

_TEXTS: Final[dict[type, str]] = {ActivityRecord: "activity_type", TrainingRecord: "course_code"}
"""The column of each that Postgres does not send again while it is long and unchanged."""
_END: Final = 1 << 63
"""After every offset."""


def replay(
    log_id: str,
    partition: int,
    start: int,
    records: Sequence[Message],
    applied: Iterable[AppliedVersion],
    versions: Mapping[RuleKey, Sequence[Version]],
    found: Sequence[Found] = (),
    stand_in: str = UNAVAILABLE,
) -> dict[str, Reference]:
    """What the reference makes of one partition: by mentor, as after its last record.

    `found` are the awards that waited to be written when the log began: as if the snapshot had
    them. `stand_in` is what the log has in the place of a text that was not sent.
    """
    state = _Replay(log_id, partition, start, stand_in)
    together = deque(
        (turn, offset, list(group))
        for (turn, offset), group in groupby(applied, lambda each: (each.turn, each.offset))
    )
    for offset, record in chain(events(records, start), [(_END, None)]):
        if offset >= start:
            state.find(found)
            found = ()
        while together and together[0][1] <= offset:
            turn, before, positions = together.popleft()
            state.apply(turn, before, _new(positions, state.applied, versions))
        if record is not None:
            state.fold(offset, record)
    return state.mentors


def _new(
    positions: Sequence[AppliedVersion],
    before: Mapping[RuleKey, int],
    versions: Mapping[RuleKey, Sequence[Version]],
) -> Iterator[Version]:
    """The versions that take effect here: of each id those above what was in effect before."""
    for last in positions:
        for version in versions[last.key]:
            if before.get(last.key, 0) < version.version <= last.version:
                yield version


class _Replay:
    """The mentors of one partition, as far as it is replayed."""

    def __init__(self, log_id: str, partition: int, start: int, stand_in: str) -> None:
        self.mentors: dict[str, Reference] = {}
        self.applied: dict[RuleKey, int] = {}
        """The version in effect of each id."""
        self._versions: list[Version] = []
        self._texts: dict[str, str] = {}
        """The type or course of every row, as it was sent last."""
        self._log_id = log_id
        self._partition = partition
        self._start = start
        self._stand_in = stand_in

    def find(self, found: Iterable[Found]) -> None:
        """Awards as they will be, instead of what the snapshot has of them."""
        for each in found:
            reference = self.mentors.get(each.award.peer_mentor_id)
            if reference is not None:
                reference.lost(Award, each.award.id)
                if not each.gone:
                    reference.found(each.award)

    def apply(self, turn: int, offset: int, versions: Iterable[Version]) -> None:
        """Versions take effect together, for every mentor there is, and for those to come."""
        new = list(versions)
        self._versions += new
        for version in new:
            self.applied[rule_key(version)] = version.version
        for reference in self.mentors.values():
            before = len(reference.events)
            reference.apply(new)
            self._name_awards(reference, before, Cause(self._log_id, self._partition, offset, turn))

    def fold(self, offset: int, record: Record | Lost) -> None:
        """One record; before the start it is only taken note of."""
        if offset >= self._start and is_output(record):
            return
        if isinstance(record, Lost):
            self._note(record)
        mentor = _mentor(record)
        reference = self.mentors.get(mentor)
        if reference is None:
            if isinstance(record, Lost):
                return
            reference = self.mentors[mentor] = Reference(mentor)
            reference.apply(self._versions)
        before = len(reference.events)
        if isinstance(record, Lost):
            (reference.lost if offset < self._start else reference.delete)(record.kind, record.id)
        else:
            row = record.award() if isinstance(record, AwardRecord) else self._whole(record)
            (reference.found if offset < self._start else reference.put)(row)
        self._name_awards(reference, before, Cause(self._log_id, self._partition, offset))

    def _whole(self, record: Row) -> Row:
        """The record with its type or course, where Postgres did not send that again."""
        column = _TEXTS.get(type(record))
        if column is None:
            return record
        text = getattr(record, column)
        if text == self._stand_in:
            return replace(record, **{column: self._texts[record.id]})
        self._texts[record.id] = text
        return record

    def _note(self, lost: Lost) -> None:
        if lost.deleted:
            self._texts.pop(lost.id, None)
        elif lost.text not in (None, self._stand_in):
            self._texts[lost.id] = str(lost.text)

    @staticmethod
    def _name_awards(reference: Reference, before: int, cause: Cause) -> None:
        """Give what was granted just now the id that its row has, by which a delete names it."""
        for event in reference.events[before:]:
            if event.kind == "granted":
                definition = event.badge_definition_id
                award = reference.awards[definition]
                named = cause.award_id(reference.mentor_id, definition)
                reference.awards[definition] = replace(award, id=named)


def _mentor(record: Record | Lost) -> str:
    if isinstance(record, Lost):
        return record.mentor
    return record.id if isinstance(record, MentorRecord) else record.peer_mentor_id
