"""A journal: one mentor's activities and pauses, and the measures that read them."""

from itertools import islice
from typing import Final

from tables.amounts import Choice
from tables.measures import NEVER, Measure
from tables.pauses import Pauses
from tables.periods import PeriodName
from tables.rows import (
    AFTER_ALL,
    BEFORE_ALL,
    BIAS,
    DAY_AT,
    MINUTES_AT,
    NUMBERS,
    TYPE_MASK,
    Change,
    Row,
    Timeline,
    type_name,
    type_number,
)
from tables.specs import Least, MeasureSpec
from tables.tally import Tally
from tables.types import Activity, Day, Pause

FULL: Final = 256
"""Changes that a journal keeps for measures to read, before all must and it begins anew."""

_SORTING: Final = 32
"""How many rows are sorted anew in the time that it takes to put one in its place."""

TRAINING: Final = 1
PAUSE: Final = 2
EVERYTHING: Final = 4
"""News beside activities: completions or pauses changed, or what may concern every rule."""


class Journal:
    """The latest version of each row, and the changes that not every measure has read.

    Nothing about awards can have changed while fewer than `due` changes are journaled, fewer than
    `due_minutes` minutes came and no row from `due_high` on: the promise that makes most events
    cheap. It is given for rows that come in the order of their dates; one that does not, or goes,
    asks for a look.
    """

    __slots__ = (
        "_pauses",
        "_tally",
        "_tally_read",
        "_timeline",
        "_timeline_read",
        "changes",
        "due",
        "due_high",
        "due_minutes",
        "high",
        "late",
        "low",
        "measures",
        "minutes",
        "newest_day",
        "news",
        "removed",
        "rows",
        "texts",
    )

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.texts: dict[str, str] | None = None
        """The type or course of rows that count as gone, because what they say is unusable."""
        self.changes: list[Change] = []
        self.minutes = 0
        """Minutes of all rows that ever came: never less than the minutes of those present."""
        self.low, self.high = AFTER_ALL, BEFORE_ALL
        """Bounds of all rows that ever came."""
        self.newest_day: Row = BEFORE_ALL
        """Where the date of the highest row begins."""
        self.late = False
        """Whether a row of an earlier date came since the mentor was looked at."""
        self.removed = False
        """Whether a row went since the mentor was looked at."""
        self.news = EVERYTHING
        self.due = 0
        self.due_minutes = NEVER
        self.due_high = AFTER_ALL
        self.measures: dict[MeasureSpec, Measure] = {}
        self._pauses: dict[str, tuple[Day, Day | None]] = {}
        self._timeline: Timeline | None = None
        self._timeline_read = 0
        self._tally: Tally | None = None
        self._tally_read = 0

    def put_activity(self, row: Activity) -> bool:
        """An activity came or changed."""
        minutes = row.duration_minutes
        if not minutes or minutes < 0:
            minutes = 0
        number = NUMBERS.get(row.activity_type)
        if number is None:
            number = type_number(row.activity_type)
        packed = (row.activity_date + BIAS) << DAY_AT | minutes << MINUTES_AT | number
        activity_id = row.id
        old = self.rows.get(activity_id)
        if old is not None:
            if old == packed:
                return False
            self._remove(old)
        self.rows[activity_id] = packed
        self.changes.append(packed)
        self.minutes += minutes
        if packed > self.high:
            if not self.high:
                self.low = packed
            self.high = packed
            self.newest_day = packed >> DAY_AT << DAY_AT
            if packed >= self.due_high:
                self.due = 0
        elif packed < self.newest_day:
            self.late = True
            self.due = 0
            if packed < self.low:  # noqa: PLR1730 - this is far cheaper than a call
                self.low = packed
        return True

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
        self.removed = True
        self.due = 0

    def activity_type(self, activity_id: str) -> str | None:
        """The type of an activity that is there, or is remembered."""
        row = self.rows.get(activity_id)
        return self.text(activity_id) if row is None else type_name(row & TYPE_MASK)

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
        self.tell(PAUSE)
        if self._tally is not None:
            self._tally.pause(first, last)
        for measure in self.measures.values():
            measure.pause(first, last)

    def tell(self, news: int) -> None:
        """Note that the mentor must be looked at, whatever the slack."""
        self.news |= news
        self.due = 0

    def timeline(self) -> Timeline:
        """All rows in date order, up to date."""
        unread = len(self.changes) - self._timeline_read
        if self._timeline is None or unread * _SORTING > len(self.rows):
            self._timeline = Timeline(self.rows.values())
        elif unread:
            self._timeline.apply(self.changes[self._timeline_read :])
        self._timeline_read = len(self.changes)
        return self._timeline

    def tally(self) -> Tally:
        """What stats say of the rows, up to date."""
        if self._tally is None:
            self._tally = Tally(self)
            self._tally.apply(self.rows.values())
        elif self._tally_read < len(self.changes):
            self._tally.apply(self.changes[self._tally_read :])
        self._tally_read = len(self.changes)
        return self._tally

    def paused(self, period: PeriodName) -> Pauses | None:
        """The periods that have a paused day, None without any."""
        return Pauses(self._pauses.values(), period) if self._pauses else None

    def newest(self, choice: Choice, low: Row, high: Row, most: int) -> list[tuple[Day, str]]:
        """Dates and ids of the last of the chosen rows in [low, high), by date and then id.

        It looks at every row, O(rows): for the moment of a grant.
        """
        low, high, types = max(low, choice.low), min(high, choice.high), choice.types
        if len(self.rows) > _SORTING * most:
            latest = choice.chosen(self.timeline().backwards(low, high))
            for row in islice(latest, most):
                low = row >> DAY_AT << DAY_AT
        found = [
            (row >> DAY_AT, activity_id)
            for activity_id, row in self.rows.items()
            if low <= row < high and (types is None or row & TYPE_MASK in types)
        ]
        found.sort()
        return [(day - BIAS, activity_id) for day, activity_id in found[-most:]]

    def lacks(self, least: Least) -> bool:
        """Whether there are too few rows or minutes, or dates too near, whichever rows they are."""
        return (
            len(self.rows) < least.rows
            or self.minutes < least.minutes
            or self.high - self.low < least.span
        )

    def measure(self, spec: MeasureSpec) -> Measure:
        """What the rows amount to in one respect, up to date."""
        measure = self.measures.get(spec)
        if measure is None:
            measure = self.measures[spec] = spec.build(self)
            measure.apply(self.rows.values())
            measure.read = len(self.changes)
        else:
            measure.read_on(self.changes)
        return measure

    def begin_anew(self) -> None:
        """Empty the journal, which every measure must have read."""
        if self._timeline is not None:
            self.timeline()
        if self._tally is not None:
            self.tally().begin_anew()
        for measure in self.measures.values():
            measure.begin_anew()
        self._timeline_read = self._tally_read = 0
        self.changes.clear()
