"""The tally: what peer_mentor_stats says of a mentor, kept up to date row by row.

It knows of every day, week and month whether a row is left in it, and notes for those who ask when
that changes: measures of all rows that need no more than that do not read the rows themselves.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from tables.pauses import Pauses
from tables.periods import BEGINS, PERIOD_OF, Crossing, PeriodName, bounds, crossing, day_of
from tables.rows import (
    BIAS,
    DAY_AT,
    MINUTES_AT,
    MINUTES_MASK,
    TYPE_MASK,
    Change,
    Row,
    Timeline,
    begins,
    type_name,
)
from tables.runs import Runs
from tables.types import Day, Stats


class Past(Protocol):
    """A mentor's rows in date order, and the paused periods."""

    def timeline(self) -> Timeline:
        """All rows, up to date."""
        ...

    def paused(self, period: PeriodName) -> Pauses | None:
        """The paused periods of a kind, None without any."""
        ...


class Tally:
    """Counts and minutes of every row, and the runs of days, weeks and months that have one."""

    __slots__ = ("_count", "_minutes", "_past", "_types", "notes", "runs")

    def __init__(self, past: Past) -> None:
        self._past = past
        self._count = 0
        self._minutes = 0
        self._types: dict[int, int] = {}
        self.runs: dict[PeriodName, Runs] = {
            period: Runs(0, past.paused(period)) for period in ("day", "week", "month")
        }
        """The runs of each kind of period; streaks of the same periods read them too."""
        self.notes: dict[PeriodName, list[Crossing]] = {}
        """The periods that came and went since the journal began, of kinds that are asked for."""

    def apply(self, changes: Iterable[Change]) -> None:
        """Take in rows that came and went."""
        types, days = self._types, self.runs["day"]
        last = days.newest[1]
        for change in changes:
            if change < 0:
                self._take_out(~change)
                last = days.newest[1]
                continue
            self._count += 1
            self._minutes += change >> MINUTES_AT & MINUTES_MASK
            kind = change & TYPE_MASK
            types[kind] = types.get(kind, 0) + 1
            day = day_of((change >> DAY_AT) - BIAS)
            if day != last and not days.has(day):
                self._appear(day)
                last = days.newest[1]

    def _take_out(self, row: Row) -> None:
        self._count -= 1
        self._minutes -= row >> MINUTES_AT & MINUTES_MASK
        kind = row & TYPE_MASK
        left = self._types[kind] - 1
        if left:
            self._types[kind] = left
        else:
            del self._types[kind]
        day = day_of((row >> DAY_AT) - BIAS)
        if self.runs["day"].has(day):
            self._disappear(day)

    def _appear(self, day: Day) -> None:
        for period, runs in self.runs.items():
            number = PERIOD_OF[period](day)
            if not runs.has(number):
                runs.add(number)
                if period in self.notes:
                    self.notes[period].append(crossing(number, True))

    def _disappear(self, day: Day) -> None:
        """A row of the day went: so do the day, week and month that no row is left in."""
        timeline = self._past.timeline()
        for period, runs in self.runs.items():
            number = PERIOD_OF[period](day)
            first, after = BEGINS[period](number), BEGINS[period](number + 1)
            if runs.has(number) and not timeline.any_between(begins(first), begins(after)):
                runs.remove(number)
                if period in self.notes:
                    self.notes[period].append(crossing(number, False))
            elif period == "day":
                return

    def pause(self, first: Day, last: Day | None) -> None:
        """Take in other pauses, which differ from `first` to `last` (None: for ever) at most."""
        for period, runs in self.runs.items():
            runs.pause(self._past.paused(period), *bounds(period, first, last))

    def begin_anew(self) -> None:
        """Forget the notes, which every measure must have read."""
        for notes in self.notes.values():
            notes.clear()

    def stats(self, mentor_id: str, training_count: int) -> Stats:
        """The row as it shall be."""
        first, last = self.runs["day"].first, self.runs["day"].newest[1]
        streaks: list[int | None] = []
        for period, runs in self.runs.items():
            length, newest = runs.newest
            first_day = None if newest is None else BEGINS[period](newest)
            streaks += [runs.longest, length, first_day]
        return Stats(
            mentor_id,
            self._count,
            self._minutes,
            self.runs["day"].size,
            {type_name(number): count for number, count in self._types.items()},
            training_count,
            first,
            last,
            *streaks,  # type: ignore[arg-type]
        )


class NoteReader:
    """What one measure has not yet read of the notes about one kind of period."""

    __slots__ = ("_period", "_taken", "_tally")

    def __init__(self, tally: Callable[[], Tally], period: PeriodName) -> None:
        self._tally = tally
        self._period: PeriodName = period
        self._taken = len(tally().notes.setdefault(period, []))

    def fresh(self) -> list[Crossing]:
        """The notes since the last time, or since it was made."""
        notes = self._tally().notes[self._period]
        fresh = notes[self._taken :]
        self._taken = len(notes)
        return fresh

    def begin_anew(self) -> None:
        """The journal begins anew, all notes being read."""
        self._taken = 0
