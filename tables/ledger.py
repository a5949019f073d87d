"""A ledger: the latest version of every row about one mentor, and what they amount to."""

from bisect import insort
from collections.abc import Container, Mapping
from datetime import tzinfo
from typing import Final

from tables.measures.choices import ByDate, Choice
from tables.measures.measure import Measure
from tables.measures.running_stats import RunningStats
from tables.measures.specs import MeasureSpec
from tables.periods import local_day
from tables.rows import (
    BIAS,
    DAY_AT,
    NUMBERS,
    TYPE_MASK,
    Change,
    Row,
    day_in,
    packed,
    type_name,
    type_number,
)
from tables.types import (
    Activity,
    Award,
    Day,
    Mentor,
    Pause,
    Stats,
    TrainingCompletion,
    counted,
)

FULL: Final = 256
"""Changes that are kept for measures to read; then all of them do."""


class Ledger:
    """One mentor: a pure function of the mentor's log.

    Every put and drop returns whether it changed anything. A ledger without its mentor's own row
    holds rows but decides nothing and has no stats worth writing.
    """

    __slots__ = (
        "_by_date",
        "_held",
        "_pauses",
        "_running_stats",
        "_stats_read",
        "changed",
        "changes",
        "completions",
        "gone",
        "late",
        "measures",
        "mentor",
        "mentor_id",
        "minutes",
        "newest_day",
        "revision",
        "rows",
        "texts",
        "trained",
        "trainings",
    )

    def __init__(self, mentor_id: str) -> None:
        self.mentor_id = mentor_id
        self.mentor: Mentor | None = None
        self.rows: dict[str, Row] = {}
        """The activities, by id."""
        self.trainings: dict[str, tuple[str, Day]] = {}
        """Course and date of each completion, by id."""
        self.completions: dict[str, list[Day]] = {}
        """The dates of the completions of each course, ascending."""
        self.texts: dict[str, str] | None = None
        """The type or course of rows that count as gone, because what they say is unusable."""
        self.changes: list[Change] = []
        """The activities that came and went, as far as not every measure has read them."""
        self.minutes = 0
        """The minutes of all activities that ever came."""
        self.newest_day: Day = -BIAS
        """The last date that any activity ever had."""
        self.changed = 0
        """How many activities ever came or went."""
        self.late = 0
        """Grows when an activity of an earlier date than the newest comes."""
        self.gone = 0
        """Grows when an activity goes."""
        self.trained = 0
        """Grows when a completion comes or goes."""
        self.revision = 0
        """Grows when the mentor, an award or a pause comes or goes."""
        self.measures: dict[MeasureSpec, Measure] = {}
        """What the activities amount to in each respect that somebody asked for."""
        self._held: dict[str, Award] = {}
        self._pauses: dict[str, tuple[Day, Day | None]] = {}
        self._running_stats: RunningStats | None = None
        self._stats_read = 0
        self._by_date: list[Row] | None = None

    @property
    def held(self) -> Mapping[str, Award]:
        """What the fold believes is in badge_awards, by definition id."""
        return self._held

    @property
    def pauses(self) -> Mapping[str, tuple[Day, Day | None]]:
        """First and last date of each pause, by id."""
        return self._pauses

    @property
    def empty(self) -> bool:
        """Whether nothing is left, so that the ledger may be discarded."""
        rows = self.rows or self.trainings or self._pauses or self.texts
        return not (self.mentor or rows or self.held)

    def put_mentor(self, row: Mentor) -> bool:
        """The mentor's own row came or changed."""
        mentor = Mentor(row.id, row.organization_id, row.active)
        if mentor == self.mentor:
            return False
        self.mentor = mentor
        self.revision += 1
        return True

    def drop_mentor(self) -> bool:
        """The mentor was deleted, and the awards with it; the deletes of other rows follow."""
        if self.mentor is None and not self.held:
            return False
        self.mentor = None
        self._held.clear()
        self.revision += 1
        return True

    def put_activity(self, row: Activity) -> bool:
        """An activity came or changed."""
        minutes = row.duration_minutes
        if not minutes or minutes < 0:
            minutes = 0
        number = NUMBERS.get(row.activity_type)
        if number is None:
            number = type_number(row.activity_type)
        day = row.activity_date
        new = packed(day, minutes, number)
        old = self.rows.get(row.id)
        if old is not None:
            if old == new:
                return False
            self._remove(old)
        self.rows[row.id] = new
        self.changes.append(new)
        self.minutes += minutes
        self._by_date = None
        if day > self.newest_day:
            self.newest_day = day
        elif day < self.newest_day:
            self.late += 1
        self.changed += 1
        if len(self.changes) >= FULL:
            self._begin_anew()
        return True

    def hold_rows(self, rows: dict[str, Row]) -> None:
        """Hold these activities, by id, on a ledger that has had none yet."""
        self.rows = rows
        if rows:
            self.newest_day = day_in(max(rows.values()))

    def drop_activity(self, activity_id: str) -> bool:
        """An activity went, or moved to another mentor."""
        self.forget(activity_id)
        old = self.rows.pop(activity_id, None)
        if old is None:
            return False
        self._remove(old)
        return True

    def _remove(self, row: Row) -> None:
        self.changes.append(~row)
        self.changed += 1
        self.gone += 1
        self._by_date = None

    def _begin_anew(self) -> None:
        """Let everything read the changes, and forget them."""
        if self._running_stats is not None:
            self.running_stats()
        for measure in self.measures.values():
            measure.read_on(self.changes)
            measure.read = 0
        self._stats_read = 0
        self.changes.clear()

    def activity_type(self, activity_id: str) -> str | None:
        """The type of an activity that is there, or is remembered."""
        row = self.rows.get(activity_id)
        return self.text(activity_id) if row is None else type_name(row & TYPE_MASK)

    def put_pause(self, row: Pause) -> bool:
        """A pause came or changed: runs are linked anew where it lies."""
        new = (row.starts_on, row.ends_on)
        old = self._pauses.get(row.id)
        if old == new:
            return False
        self._pauses[row.id] = new
        if old is not None:
            self._pause(*old)
        self._pause(*new)
        return True

    def drop_pause(self, pause_id: str) -> bool:
        """A pause went; as costly as one that comes."""
        old = self._pauses.pop(pause_id, None)
        if old is None:
            return False
        self._pause(*old)
        return True

    def _pause(self, first: Day, last: Day | None) -> None:
        self.revision += 1
        spans = self._pauses.values()
        if self._running_stats is not None:
            self._running_stats.pause(spans, first, last)
        for measure in self.measures.values():
            measure.pause(spans, first, last)

    def put_training(self, row: TrainingCompletion) -> bool:
        """A training completion came or changed."""
        new = (counted(row.course_code), row.completed_on)
        if self.trainings.get(row.id) == new:
            return False
        self.drop_training(row.id)
        self.trainings[row.id] = new
        insort(self.completions.setdefault(new[0], []), row.completed_on)
        self.trained += 1
        return True

    def drop_training(self, training_id: str) -> bool:
        """A training completion went."""
        self.forget(training_id)
        old = self.trainings.pop(training_id, None)
        if old is None:
            return False
        course, day = old
        days = self.completions[course]
        days.remove(day)
        if not days:
            del self.completions[course]
        self.trained += 1
        return True

    def course(self, training_id: str) -> str | None:
        """The course of a training completion that is there, or is remembered."""
        training = self.trainings.get(training_id)
        return self.text(training_id) if training is None else training[0]

    def put_award(self, row: Award) -> bool:
        """An award as somebody wrote it, or as it was found: it replaces what was believed."""
        award = Award(*(getattr(row, name) for name in Award.__struct_fields__))
        believed = self.held.get(row.badge_definition_id)
        if believed is not None:
            _keep_what_is_known(believed, award)
        if believed == award:
            return False
        self.drop_award(row.id)
        self._held[row.badge_definition_id] = award
        self.revision += 1
        return True

    def drop_award(self, award_id: str) -> bool:
        """An award row was deleted: the rule may give it again."""
        for definition_id, award in self.held.items():
            if award.id == award_id:
                del self._held[definition_id]
                self.revision += 1
                return True
        return False

    def believe(self, award: Award) -> None:
        """An award as a decision about this mentor leaves it: no event, the rules know of it."""
        self._held[award.badge_definition_id] = award

    def date_awards(self, zone: tzinfo) -> None:
        """Date the awards whose records are older than their dates: once, whatever follows."""
        for award in self._held.values():
            if award.earned_on is None and award.derived_on is None:
                award.derived_on = local_day(award.earned_at, zone)

    def remember(self, row_id: str, text: str) -> None:
        """Keep the type or course of a row that counts as gone: it need not be sent again."""
        self.texts = self.texts or {}
        self.texts[row_id] = text

    def text(self, row_id: str) -> str | None:
        """The type or course of a row that counts as gone, if it is remembered."""
        return self.texts.get(row_id) if self.texts else None

    def forget(self, row_id: str) -> None:
        """A row is gone for good, or there again."""
        if self.texts:
            self.texts.pop(row_id, None)

    @property
    def by_date(self) -> ByDate:
        """All activities, ascending; sorted when they are asked for, which grants alone do."""
        if self._by_date is None:
            self._by_date = sorted(self.rows.values())
        return self._by_date

    def newest(
        self, choice: Choice, first: Day | None, last: Day, most: int
    ) -> list[tuple[Day, str]]:
        """Dates and ids of the last of the chosen rows from one day (None: the first) to another.

        They come by date, and then by id. It looks at every row: for the moment of a grant.
        """
        latest = list(choice.within(self.by_date, first, last))[-most:]
        if not latest:
            return []
        low, high, types = latest[0] >> DAY_AT << DAY_AT, latest[-1], choice.types
        found = [
            (row >> DAY_AT, activity_id)
            for activity_id, row in self.rows.items()
            if low <= row <= high and (types is None or row & TYPE_MASK in types)
        ]
        found.sort()
        return [(day - BIAS, activity_id) for day, activity_id in found[-most:]]

    def running_stats(self) -> RunningStats:
        """What stats say of the activities, up to date."""
        if self._running_stats is None:
            self._running_stats = RunningStats(self._pauses.values())
            self._running_stats.apply(self.rows.values())
        elif self._stats_read < len(self.changes):
            self._running_stats.apply(self.changes[self._stats_read :])
        self._stats_read = len(self.changes)
        return self._running_stats

    def measure(self, spec: MeasureSpec) -> Measure:
        """What the activities amount to in one respect, up to date."""
        measure = self.measures.get(spec)
        if measure is None:
            measure = self.measures[spec] = spec.build(self.running_stats, self._pauses.values())
            measure.apply(self.rows.values())
            measure.read = len(self.changes)
        else:
            measure.read_on(self.changes)
        return measure

    def keep_measures(self, specs: Container[MeasureSpec]) -> None:
        """Let go of measures that nobody will ask for; whoever does all the same has them anew."""
        self._by_date = None
        for spec in [spec for spec in self.measures if spec not in specs]:
            del self.measures[spec]

    def stats(self) -> Stats:
        """The mentor's row of peer_mentor_stats."""
        return self.running_stats().stats(self.mentor_id, len(self.rows), len(self.trainings))


def _keep_what_is_known(before: Award, after: Award) -> None:
    """What a record does not say of an award stays as it was, as long as what it says does."""
    if before.id != after.id:
        return
    if after.tier_version is None and before.tier == after.tier:
        after.tier_version = before.tier_version
    if after.earned_on is None and before.earned_at == after.earned_at:
        after.earned_on, after.derived_on = before.earned_on, before.derived_on
    if after.tier_earned_on is None and before.tier_earned_at == after.tier_earned_at:
        after.tier_earned_on = before.tier_earned_on
