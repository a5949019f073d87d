"""The tally: what peer_mentor_stats says of a mentor, kept up to date row by row."""

from collections.abc import Iterable
from typing import Final

from badges.tables.amounts import History
from badges.tables.periods import BEGINS, PERIOD_OF, PeriodName, day_of
from badges.tables.rows import (
    BIAS,
    DAY_AT,
    MINUTES_AT,
    MINUTES_MASK,
    TYPE_MASK,
    Change,
    begins,
    type_name,
)
from badges.tables.runs import Runs
from badges.tables.types import Day, Stats

_LONGER: Final[tuple[PeriodName, ...]] = ("week", "month")


class Tally:
    """Counts and minutes of every row, and the runs of days, weeks and months that have one."""

    __slots__ = ("_count", "_history", "_minutes", "_runs", "_types")

    def __init__(self, history: History) -> None:
        self._history = history
        self._count = 0
        self._minutes = 0
        self._types: dict[int, int] = {}
        self._runs: dict[PeriodName, Runs] = {
            period: Runs(0, history.paused(period)) for period in ("day", "week", "month")
        }

    def apply(self, changes: Iterable[Change]) -> None:
        """Take in rows that came and went."""
        types, days = self._types, self._runs["day"]
        for change in changes:
            row, step = (change, 1) if change >= 0 else (~change, -1)
            self._count += step
            self._minutes += step * (row >> MINUTES_AT & MINUTES_MASK)
            kind = row & TYPE_MASK
            left = types.get(kind, 0) + step
            if left:
                types[kind] = left
            else:
                del types[kind]
            day = day_of((row >> DAY_AT) - BIAS)
            if step > 0:
                if not days.has(day):
                    self._appear(day)
            elif days.has(day):
                self._disappear(day)

    def _appear(self, day: Day) -> None:
        self._runs["day"].add(day)
        for period in _LONGER:
            runs, number = self._runs[period], PERIOD_OF[period](day)
            if not runs.has(number):
                runs.add(number)

    def _disappear(self, day: Day) -> None:
        """A row of the day went: so do the day, week and month that no row is left in."""
        timeline = self._history.timeline()
        for period, runs in self._runs.items():
            number = PERIOD_OF[period](day)
            first, after = BEGINS[period](number), BEGINS[period](number + 1)
            if runs.has(number) and not timeline.any_between(begins(first), begins(after)):
                runs.remove(number)
            elif period == "day":
                return

    def pause(self) -> None:
        """Take in other pauses, O(periods)."""
        for period, runs in self._runs.items():
            runs.pause(self._history.paused(period))

    def stats(self, mentor_id: str, training_count: int) -> Stats:
        """The row as it shall be."""
        first, last = self._runs["day"].first, self._runs["day"].newest[1]
        streaks: list[int | None] = []
        for period, runs in self._runs.items():
            length, newest = runs.newest
            first_day = None if newest is None else BEGINS[period](newest)
            streaks += [runs.longest, length, first_day]
        return Stats(
            mentor_id,
            self._count,
            self._minutes,
            self._runs["day"].size,
            {type_name(number): count for number, count in self._types.items()},
            training_count,
            first,
            last,
            *streaks,  # type: ignore[arg-type]
        )
