"""A partition by the reference: its records and the versions of rules, in their order."""

from collections import deque
from collections.abc import Iterable
from itertools import chain, groupby
from typing import Final, TypeAlias

from msgspec.structs import replace

from reference.log_reading import Lost, events, is_output
from reference.reference import Reference
from reference.results import Results
from sinks.base import Found, Message
from streams.records import (
    ActivityRecord,
    AwardRecord,
    MentorRecord,
    PauseRecord,
    Record,
    TrainingRecord,
    mentor_of,
)
from tables.decisions import Cause
from tables.types import AppliedVersion, Award, RuleKey, Version, rule_key

_Row: TypeAlias = MentorRecord | ActivityRecord | TrainingRecord | PauseRecord

_TEXTS: Final[dict[type, str]] = {ActivityRecord: "activity_type", TrainingRecord: "course_code"}
"""The column of each that Postgres does not send again while it is long and unchanged."""
_END: Final = 1 << 63
"""After every offset."""


def mentors_in(
    results: Results, partition: int, records: Iterable[Message]
) -> dict[str, Reference]:
    """What the reference makes of one partition's records: by mentor, as after the last decided."""
    state = _Partition(results, partition)
    decided = (each for each in records if each.offset < results.next_offsets[partition])
    applied = (each for each in results.applied if each.partition == partition)
    together = deque(
        (turn, offset, list(group))
        for (turn, offset), group in groupby(applied, lambda each: (each.turn, each.offset))
    )
    waiting = results.found
    for offset, record in chain(events(decided, state.start), [(_END, None)]):
        if offset >= state.start:
            state.find(waiting)
            waiting = ()
        while together and together[0][1] <= offset:
            state.apply(*together.popleft())
        if record is not None:
            state.fold(offset, record)
    return state.mentors


class _Partition:
    """The mentors of one partition, as far as its records are read."""

    def __init__(self, results: Results, partition: int) -> None:
        self.mentors: dict[str, Reference] = {}
        self.start = results.log.starts[partition]
        self._log = results.log
        self._partition = partition
        self._saved = results.versions
        self._versions: list[Version] = []
        """Those that took effect so far, in their order."""
        self._applied: dict[RuleKey, int] = {}
        """The newest of each id."""
        self._texts: dict[str, str] = {}
        """The type or course of every row, as it was sent last."""

    def find(self, waiting: Iterable[Found]) -> None:
        """Awards that waited to be written when the log began, instead of what the snapshot has."""
        for each in waiting:
            reference = self.mentors.get(each.award.peer_mentor_id)
            if reference is not None:
                reference.lost(Award, each.award.id)
                if not each.gone:
                    reference.found(each.award)

    def apply(self, turn: int, offset: int, positions: Iterable[AppliedVersion]) -> None:
        """Versions take effect together, for every mentor there is, and for those to come.

        Of each id they are those above what was in effect before.
        """
        new = [
            version
            for last in positions
            for version in self._saved[last.key]
            if self._applied.get(last.key, 0) < version.version <= last.version
        ]
        self._versions += new
        self._applied |= {rule_key(version): version.version for version in new}
        for reference in self.mentors.values():
            before = len(reference.events)
            reference.apply(new)
            self._name_awards(reference, before, offset, turn)

    def fold(self, offset: int, record: Record | Lost) -> None:
        """One record; before the start it is only taken note of."""
        if offset >= self.start and is_output(record):
            return
        if isinstance(record, Lost):
            self._note(record)
        mentor = record.mentor if isinstance(record, Lost) else mentor_of(record)
        reference = self.mentors.get(mentor)
        if reference is None:
            if isinstance(record, Lost):
                return
            reference = self.mentors[mentor] = Reference(mentor)
            reference.apply(self._versions)
        before = len(reference.events)
        if isinstance(record, Lost):
            (reference.lost if offset < self.start else reference.delete)(record.kind, record.id)
        else:
            row = record.award() if isinstance(record, AwardRecord) else self._whole(record)
            (reference.found if offset < self.start else reference.put)(row)
        self._name_awards(reference, before, offset)

    def _whole(self, record: _Row) -> _Row:
        """The record with its type or course, where Postgres did not send that again."""
        column = _TEXTS.get(type(record))
        if column is None:
            return record
        text = getattr(record, column)
        if text == self._log.stand_in:
            return replace(record, **{column: self._texts[record.id]})
        self._texts[record.id] = text
        return record

    def _note(self, lost: Lost) -> None:
        if lost.deleted:
            self._texts.pop(lost.id, None)
        elif lost.text not in (None, self._log.stand_in):
            self._texts[lost.id] = str(lost.text)

    def _name_awards(
        self, reference: Reference, before: int, offset: int, turn: int | None = None
    ) -> None:
        """Give what was granted just now the id that its row has, by which a delete names it."""
        cause = Cause(self._log.log_id, self._partition, offset, turn)
        for event in reference.events[before:]:
            if event.kind == "granted":
                definition = event.badge_definition_id
                award = reference.awards[definition]
                named = cause.award_id(reference.mentor_id, definition)
                reference.awards[definition] = replace(award, id=named)
