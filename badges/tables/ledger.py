"""A ledger: the latest version of every row about one mentor, and what they amount to."""

from bisect import insort
from collections.abc import Iterator
from typing import Final

from badges.tables.measures import Choice, Measure
from badges.tables.periods import PeriodName
from badges.tables.rows import TYPE_MASK, Change, Row, Timeline, day_in, pack, type_name
from badges.tables.specs import MeasureSpec
from badges.tables.streaks import Pauses
from badges.tables.tally import Tally
from badges.tables.types import Activity, Award, Day, Mentor, Pause, Stats, TrainingCompletion

_JOURNAL: Final = 256
"""Changes that are kept for measures to catch up with, before all must."""


class Ledger:
    """One mentor: a pure function of the mentor's log.

    Every put and drop returns whether it changed anything. A ledger without its mentor's own row
    holds rows but decides nothing and has no stats worth writing.
    """

    __slots__ = (
        "_journal",
        "_measures",
        "_pauses",
        "_read",
        "_rows",
        "_tally",
        "_timeline",
        "completions",
        "held",
        "mentor",
        "mentor_id",
        "trainings",
    )

    def __init__(self, mentor_id: str) -> None:
        self.mentor_id = mentor_id
        self.mentor: Mentor | None = None
        self.held: dict[str, Award] = {}
        """What the fold believes is in badge_awards, by definition id."""
        self.completions: dict[str, list[Day]] = {}
        """The dates of the completions of each course, ascending."""
        self._rows: dict[str, Row] = {}
        self.trainings: dict[str, tuple[str, Day]] = {}
        """Course and date of each completion, by id."""
        self._pauses: dict[str, tuple[Day, Day | None]] = {}
        self._journal: list[Change] = []
        self._measures: dict[MeasureSpec, Measure] = {}
        self._read: dict[object, int] = {}
        self._timeline: Timeline | None = None
        self._tally: Tally | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is left, so that the ledger may be discarded."""
        return not (self.mentor or self._rows or self.trainings or self._pauses or self.held)

    def put_mentor(self, row: Mentor) -> bool:
        """The mentor's own row came or changed."""
        mentor = Mentor(row.id, row.organization_id, row.active)
        if mentor == self.mentor:
            return False
        self.mentor = mentor
        return True

    def drop_mentor(self) -> bool:
        """The mentor was deleted, and the awards with it; the deletes of other rows follow."""
        if self.mentor is None and not self.held:
            return False
        self.mentor = None
        self.held.clear()
        return True

    def put_activity(self, row: Activity) -> bool:
        """An activity came or changed."""
        packed = pack(row.activity_type, row.activity_date, row.duration_minutes)
        old = self._rows.get(row.id)
        if old == packed:
            return False
        if old is not None:
            self._journal.append(~old)
        self._journal.append(packed)
        self._rows[row.id] = packed
        return True

    def activity_type(self, activity_id: str) -> str | None:
        """The type of an activity that is there."""
        row = self._rows.get(activity_id)
        return None if row is None else type_name(row & TYPE_MASK)

    def course(self, training_id: str) -> str | None:
        """The course of a training completion that is there."""
        training = self.trainings.get(training_id)
        return None if training is None else training[0]

    def drop_activity(self, activity_id: str) -> bool:
        """An activity went, or moved to another mentor."""
        old = self._rows.pop(activity_id, None)
        if old is None:
            return False
        self._journal.append(~old)
        return True

    def put_training(self, row: TrainingCompletion) -> bool:
        """A training completion came or changed."""
        new = (row.course_code, row.completed_on)
        if self.trainings.get(row.id) == new:
            return False
        self.drop_training(row.id)
        self.trainings[row.id] = new
        insort(self.completions.setdefault(row.course_code, []), row.completed_on)
        return True

    def drop_training(self, training_id: str) -> bool:
        """A training completion went."""
        old = self.trainings.pop(training_id, None)
        if old is None:
            return False
        course, day = old
        days = self.completions[course]
        days.remove(day)
        if not days:
            del self.completions[course]
        return True

    def put_pause(self, row: Pause) -> bool:
        """A pause came or changed: runs are linked anew, which costs O(periods), not O(rows)."""
        new = (row.starts_on, row.ends_on)
        if self._pauses.get(row.id) == new:
            return False
        self._pauses[row.id] = new
        self._pause()
        return True

    def drop_pause(self, pause_id: str) -> bool:
        """A pause went."""
        if self._pauses.pop(pause_id, None) is None:
            return False
        self._pause()
        return True

    def _pause(self) -> None:
        for measure in self._measures.values():
            measure.pause()
        if self._tally is not None:
            self._tally.pause(self)

    def put_award(self, row: Award) -> bool:
        """An award as somebody wrote it, or as it was found: it replaces what was believed."""
        award = Award(*(getattr(row, name) for name in Award.__struct_fields__))
        if self.held.get(row.badge_definition_id) == award:
            return False
        self.held[row.badge_definition_id] = award
        return True

    def drop_award(self, award_id: str) -> bool:
        """An award row was deleted: the rule may give it again."""
        for definition_id, award in self.held.items():
            if award.id == award_id:
                del self.held[definition_id]
                return True
        return False

    def stats(self) -> Stats:
        """The mentor's row of peer_mentor_stats."""
        if self._tally is None:
            self._tally = Tally()
            self._tally.apply(self._rows.values())
            self._tally.pause(self)
        else:
            self._tally.apply(self._unread(self._tally))
        self._read[self._tally] = len(self._journal)
        return self._tally.stats(self.mentor_id, len(self.trainings))

    def timeline(self) -> Timeline:
        """All rows, up to date."""
        if self._timeline is None:
            self._timeline = Timeline(self._rows.values())
        else:
            self._timeline.apply(self._unread(self._timeline))
        self._read[self._timeline] = len(self._journal)
        return self._timeline

    def paused(self, period: PeriodName) -> Pauses | None:
        """The periods that have a paused day, None without any."""
        return Pauses(self._pauses.values(), period) if self._pauses else None

    def named(self, choice: Choice, low: Row, high: Row) -> Iterator[tuple[str, Day]]:
        """Ids and dates of the chosen rows in [low, high); O(rows), for the moment of a grant."""
        types = choice.types
        for activity_id, row in self._rows.items():
            if low <= row < high and (types is None or row & TYPE_MASK in types):
                yield activity_id, day_in(row)

    def measure(self, spec: MeasureSpec) -> Measure:
        """What the rows amount to in one respect, up to date."""
        measure = self._measures.get(spec)
        if measure is None:
            measure = self._measures[spec] = spec.build(self)
            measure.apply(self._rows.values())
        else:
            measure.apply(self._unread(measure))
        self._read[measure] = len(self._journal)
        return measure

    def _unread(self, reader: object) -> list[Change]:
        return self._journal[self._read[reader] :]
