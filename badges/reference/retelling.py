"""A partition's story told again: records and versions in order, through the reference."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TypeAlias

from msgspec.structs import replace

from badges.reference.log_reading import Lost, Raw, events, is_output
from badges.reference.recorded import TakenUp
from badges.reference.reference import Reference
from badges.reference.waiting import Held
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
from tables.types import Award, RuleKey, Taken, Version, rule_key

Row: TypeAlias = MentorRecord | ActivityRecord | TrainingRecord | PauseRecord

_TEXTS: dict[type, str] = {ActivityRecord: "activity_type", TrainingRecord: "course_code"}
"""The column of each that Postgres does not send again while it is long and unchanged."""


def retell(
    log_id: str,
    partition: int,
    start: int,
    records: Sequence[Raw],
    taken_up: Iterable[TakenUp],
    versions: Mapping[RuleKey, Sequence[Version]],
    held: Sequence[Held] = (),
    stand_in: str = UNAVAILABLE,
) -> dict[str, Reference]:
    """What the reference makes of one partition: by mentor, as after its last record.

    `held` are the awards that waited to be written when the log began: found like all that were.
    `stand_in` is what the log has in the place of a text that was not sent.
    """
    story = _Story(log_id, partition, start, stand_in)
    turns = iter(
        [
            (turn, offset, list(taken))
            for (turn, offset), taken in groupby(taken_up, lambda taken: (taken.turn, taken.offset))
        ]
    )
    coming = next(turns, None)
    for offset, record in events(records, start):
        if offset >= start:
            story.hold(held)
            held = ()
        while coming and coming[1] <= offset:
            story.take_up(coming[0], coming[1], _new(coming[2], story.taken, versions))
            coming = next(turns, None)
        story.tell(offset, record)
    story.hold(held)
    while coming:
        story.take_up(coming[0], coming[1], _new(coming[2], story.taken, versions))
        coming = next(turns, None)
    return story.mentors


def _new(
    taken_up: Sequence[TakenUp],
    before: Mapping[RuleKey, int],
    versions: Mapping[RuleKey, Sequence[Version]],
) -> Iterator[Version]:
    """The versions that take effect here: of each id those above what was in effect before."""
    for taken in taken_up:
        key = (taken.kind, taken.id)
        for version in versions[key]:
            if before.get(key, 0) < version.version <= taken.version:
                yield version


class _Story:
    """The mentors of one partition, as far as it is told."""

    def __init__(self, log_id: str, partition: int, start: int, stand_in: str) -> None:
        self.mentors: dict[str, Reference] = {}
        self.taken: Taken = {}
        self._versions: list[Version] = []
        self._texts: dict[str, str] = {}
        """The type or course of every row, as it was sent last."""
        self._log_id = log_id
        self._partition = partition
        self._start = start
        self._stand_in = stand_in

    def hold(self, held: Iterable[Held]) -> None:
        """Awards as they will be, instead of what the snapshot has of them."""
        for each in held:
            reference = self.mentors.get(each.award.peer_mentor_id)
            if reference is not None:
                reference.lost(Award, each.award.id)
                if not each.gone:
                    reference.found(each.award)

    def take_up(self, turn: int, offset: int, versions: Iterable[Version]) -> None:
        """Versions take effect together, for every mentor there is, and for those to come."""
        new = list(versions)
        self._versions += new
        for version in new:
            self.taken[rule_key(version)] = version.version
        for reference in self.mentors.values():
            told = len(reference.events)
            reference.take_up(new)
            self._name_awards(reference, told, Cause(self._log_id, self._partition, offset, turn))

    def tell(self, offset: int, record: Record | Lost) -> None:
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
            reference.take_up(self._versions)
        told = len(reference.events)
        if isinstance(record, Lost):
            (reference.lost if offset < self._start else reference.delete)(record.kind, record.id)
        else:
            row = record.award() if isinstance(record, AwardRecord) else self._whole(record)
            (reference.found if offset < self._start else reference.put)(row)
        self._name_awards(reference, told, Cause(self._log_id, self._partition, offset))

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
    def _name_awards(reference: Reference, told: int, cause: Cause) -> None:
        """Give what was granted just now the id that its row has, by which a delete names it."""
        for happened in reference.events[told:]:
            if happened.kind == "granted":
                definition = happened.badge_definition_id
                award = reference.awards[definition]
                named = cause.award_id(reference.mentor_id, definition)
                reference.awards[definition] = replace(award, id=named)


def _mentor(record: Record | Lost) -> str:
    if isinstance(record, Lost):
        return record.mentor
    return record.id if isinstance(record, MentorRecord) else record.peer_mentor_id
