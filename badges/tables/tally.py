"""The tally: what peer_mentor_stats says of a mentor, kept up to date row by row."""

from collections.abc import Iterable

from badges.tables.amounts import History
from badges.tables.periods import BEGINS, PeriodName, month_of, week_of
from badges.tables.rows import TYPE_MASK, Change, day_in, minutes_in, type_name
from badges.tables.streaks import Runs
from badges.tables.types import Day, Stats


class Tally:
    """Counts, minutes and days of every row, and the runs of days, weeks and months."""

    __slots__ = ("_count", "_days", "_in_month", "_in_week", "_minutes", "_runs", "_types")

    def __init__(self) -> None:
        self._count = 0
        self._minutes = 0
        self._types: dict[int, int] = {}
        self._days: dict[Day, int] = {}
        self._in_week: dict[int, int] = {}
        self._in_month: dict[int, int] = {}
        self._runs: dict[PeriodName, Runs] = {"day": Runs(), "week": Runs(), "month": Runs()}

    def apply(self, changes: Iterable[Change]) -> None:
        """Take in rows that came and went."""
        for change in changes:
            row, step = (change, 1) if change >= 0 else (~change, -1)
            self._count += step
            self._minutes += step * minutes_in(row)
            _step(self._types, row & TYPE_MASK, step)
            day = day_in(row)
            if _step(self._days, day, step):
                self._active(day, step)

    def _active(self, day: Day, step: int) -> None:
        """A day got its first activity or lost its last."""
        week, month = week_of(day), month_of(day)
        _turn(self._runs["day"], day, step)
        if _step(self._in_week, week, step):
            _turn(self._runs["week"], week, step)
        if _step(self._in_month, month, step):
            _turn(self._runs["month"], month, step)

    def pause(self, history: History) -> None:
        """Take in other pauses, O(periods)."""
        for period, runs in self._runs.items():
            runs.pause(history.paused(period))

    def stats(self, mentor_id: str, training_count: int) -> Stats:
        """The row as it shall be."""
        first, last = self._runs["day"].first, self._runs["day"].newest[1]
        streaks: list[int | None] = []
        for period, runs in self._runs.items():
            length, newest = runs.newest
            begins = None if newest is None else BEGINS[period](newest)
            streaks += [runs.longest, length, begins]
        return Stats(
            mentor_id,
            self._count,
            self._minutes,
            len(self._days),
            {type_name(number): count for number, count in self._types.items()},
            training_count,
            first,
            last,
            *streaks,  # type: ignore[arg-type]
        )


def _step(counts: dict[int, int], key: int, step: int) -> bool:
    """Move a count, and say whether its key appeared or disappeared by it."""
    before = counts.get(key, 0)
    after = before + step
    if after:
        counts[key] = after
        return not before
    del counts[key]
    return True


def _turn(runs: Runs, period: int, step: int) -> None:
    if step > 0:
        runs.add(period)
    else:
        runs.remove(period)
