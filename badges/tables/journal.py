"""A journal: one mentor's activities and pauses, and the measures that read them."""

from collections.abc import Iterator
from typing import Final

from badges.tables.amounts import Choice
from badges.tables.measures import NEVER, Measure
from badges.tables.periods import PeriodName
from badges.tables.rows import TYPE_MASK, Change, Row, Timeline, day_in, pack, type_name
from badges.tables.specs import MeasureSpec
from badges.tables.streaks import Pauses
from badges.tables.tally import Tally
from badges.tables.types import Activity, Day, Pause

FULL: Final = 256
"""Changes that a journal keeps for measures to read, before all must and it begins anew."""

TRAINING: Final = 1
EVERYTHING: Final = 2
"""News beside activities: completions changed, or what may concern every rule."""


class Journal:
    """The latest version of each row, and the changes that not every measure has read.

    Nothing about awards can have changed while fewer than `due` changes are journaled and fewer
    than `due_minutes` minutes came with them: the promise that makes most events cheap.
    """

    __slots__ = (
        "_pauses",
        "_tally",
        "_tally_read",
        "_timeline",
        "_timeline_read",
        "changes",
        "due",
        "due_minutes",
        "measures",
        "minutes",
        "news",
        "removed",
        "rows",
    )

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.changes: list[Change] = []
        self.minutes = 0
        """Minutes of the journaled rows that came."""
        self.removed = False
        """Whether a row went since the mentor was looked at."""
        self.news = EVERYTHING
        self.due = 0
        self.due_minutes = NEVER
        self.measures: dict[MeasureSpec, Measure] = {}
        self._pauses: dict[str, tuple[Day, Day | None]] = {}
        self._timeline: Timeline | None = None
        self._timeline_read = 0
        self._tally: Tally | None = None
        self._tally_read = 0

    def put_activity(self, row: Activity) -> bool:
        """An activity came or changed."""
        minutes = row.duration_minutes
        packed = pack(row.activity_type, row.activity_date, minutes)
        activity_id = row.id
        old = self.rows.get(activity_id)
        if old is not None:
            if old == packed:
                return False
            self._remove(old)
        self.rows[activity_id] = packed
        self.changes.append(packed)
        if minutes and minutes > 0:
            self.minutes += minutes
        return True

    def drop_activity(self, activity_id: str) -> bool:
        """An activity went, or moved to another mentor."""
        old = self.rows.pop(activity_id, None)
        if old is None:
            return False
        self._remove(old)
        return True

    def _remove(self, row: Row) -> None:
        self.changes.append(~row)
        self.removed = True
        self.due = 0

    def activity_type(self, activity_id: str) -> str | None:
        """The type of an activity that is there."""
        row = self.rows.get(activity_id)
        return None if row is None else type_name(row & TYPE_MASK)

    def put_pause(self, row: Pause) -> bool:
        """A pause came or changed: runs are linked anew, which costs O(periods), not O(rows)."""
        new = (row.starts_on, row.ends_on)
        if self._pauses.get(row.id) == new:
            return False
        self._pauses[row.id] = new
        self._pause()
        return True

    def drop_pause(self, pause_id: str) -> bool:
        """A pause went; as costly as one that comes."""
        if self._pauses.pop(pause_id, None) is None:
            return False
        self._pause()
        return True

    def _pause(self) -> None:
        self.tell(EVERYTHING)
        for measure in self.measures.values():
            measure.pause()
        if self._tally is not None:
            self._tally.pause(self)

    def tell(self, news: int) -> None:
        """Note that the mentor must be looked at, whatever the slack."""
        self.news |= news
        self.due = 0

    def timeline(self) -> Timeline:
        """All rows in date order, up to date."""
        if self._timeline is None:
            self._timeline = Timeline(self.rows.values())
        elif self._timeline_read < len(self.changes):
            self._timeline.apply(self.changes[self._timeline_read :])
        self._timeline_read = len(self.changes)
        return self._timeline

    def tally(self) -> Tally:
        """What stats say of the rows, up to date."""
        if self._tally is None:
            self._tally = Tally()
            self._tally.apply(self.rows.values())
            if self._pauses:
                self._tally.pause(self)
        elif self._tally_read < len(self.changes):
            self._tally.apply(self.changes[self._tally_read :])
        self._tally_read = len(self.changes)
        return self._tally

    def paused(self, period: PeriodName) -> Pauses | None:
        """The periods that have a paused day, None without any."""
        return Pauses(self._pauses.values(), period) if self._pauses else None

    def named(self, choice: Choice, low: Row, high: Row) -> Iterator[tuple[str, Day]]:
        """Ids and dates of the chosen rows in [low, high); O(rows), for the moment of a grant."""
        types = choice.types
        for activity_id, row in self.rows.items():
            if low <= row < high and (types is None or row & TYPE_MASK in types):
                yield activity_id, day_in(row)

    def reaches(self, spec: MeasureSpec, level: int) -> bool:
        """Whether the rows reach a level; no measure is kept while there are too few rows."""
        if spec not in self.measures and len(self.rows) < spec.least_rows(level):
            return False
        return self.measure(spec).holds(level)

    def measure(self, spec: MeasureSpec) -> Measure:
        """What the rows amount to in one respect, up to date."""
        measure = self.measures.get(spec)
        if measure is None:
            measure = self.measures[spec] = spec.build(self)
            measure.apply(self.rows.values())
            measure.read = len(self.changes)
        elif measure.read < len(self.changes):
            measure.apply(self.changes[measure.read :])
            measure.read = len(self.changes)
        return measure

    def begin_anew(self) -> None:
        """Empty the journal, which every measure must have read."""
        if self._timeline is not None:
            self.timeline()
        if self._tally is not None:
            self.tally()
        for measure in self.measures.values():
            measure.read = 0
        self._timeline_read = self._tally_read = 0
        self.changes.clear()
        self.minutes = 0
