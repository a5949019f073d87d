"""Streaks: the longest run of periods in which a metric reaches an amount."""

from collections.abc import Iterable

from typing_extensions import override

from tables.amounts import Amount, Choice, PeriodAmounts
from tables.criteria import Metric
from tables.measures import History, Measure
from tables.periods import BEGINS, PeriodName, bounds
from tables.rows import Change
from tables.runs import Runs
from tables.tally import NoteReader
from tables.types import Day


class Streak(Measure):
    """The longest run of periods in which the metric reaches an amount."""

    __slots__ = ("_per_period", "_period", "_runs")

    def __init__(
        self,
        history: History,
        choice: Choice,
        metric: Metric,
        period: PeriodName,
        per_period: int,
        runs: Runs,
    ) -> None:
        super().__init__(history, choice, metric)
        self.in_minutes = False
        self._period: PeriodName = period
        self._per_period = per_period
        self._runs = runs
        self.value = runs.longest

    @override
    def advance(self, changes: list[Change], now: int) -> bool:
        self.read_on(changes)
        longest, level = self.value, self.up
        if longest >= level:
            return True
        # A change makes at most one more period count, which joins at most two runs, or, if it is
        # the newest period, makes the newest run longer.
        runs = self._runs
        joins = (level + 1) // (longest + 1) - 1
        self.due_late = now + max(joins, level - runs.size, 1)
        self.due = max(now + level - runs.newest[0], self.due_late)
        return False

    @override
    def day(self, level: int) -> Day:
        begin = BEGINS[self._period]
        period = self._runs.reaching(level)
        rows = self.rows(begin(period), begin(period + 1) - 1)
        return Amount(self.metric).reaching(self._per_period, rows)

    @override
    def first(self, level: int, day: Day) -> Day | None:
        return BEGINS[self._period](self._runs.beginning(level))

    @override
    def amount(self, level: int, day: Day) -> int:
        return level

    @override
    def pause(self, first: Day, last: Day | None) -> None:
        self._runs.pause(self.history.paused(self._period), *bounds(self._period, first, last))
        self.value = self._runs.longest


class AmountStreak(Streak):
    """A streak that asks for an amount in each period, of some rows or of all."""

    __slots__ = ("_amounts",)

    def __init__(
        self,
        history: History,
        choice: Choice,
        metric: Metric,
        period: PeriodName,
        per_period: int,
        grace: int,
    ) -> None:
        runs = Runs(grace, history.paused(period))
        super().__init__(history, choice, metric, period, per_period, runs)
        self._amounts = PeriodAmounts(metric, period)

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        changes = self.choice.changes(changes)
        self._runs.apply(self._amounts.crossing(changes, self._per_period))
        self.value = self._runs.longest


class TallyStreak(Streak):
    """A streak of periods that have any row at all, without grace: the tally's own runs."""

    __slots__ = ()

    def __init__(self, history: History, choice: Choice, period: PeriodName) -> None:
        super().__init__(history, choice, "count", period, 1, history.tally().runs[period])

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        self.value = self.history.tally().runs[self._period].longest

    @override
    def pause(self, first: Day, last: Day | None) -> None:
        # The tally, which is told first, has linked its runs anew.
        self.value = self._runs.longest


class GraceStreak(Streak):
    """A streak of periods that have any row at all, with grace; the tally notes those periods."""

    __slots__ = ("_unread",)

    def __init__(self, history: History, choice: Choice, period: PeriodName, grace: int) -> None:
        periods = history.tally().runs[period].periods
        runs = Runs(grace, history.paused(period), periods)
        super().__init__(history, choice, "count", period, 1, runs)
        self._unread = NoteReader(history.tally, period)

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        self._runs.apply(self._unread.fresh())
        self.value = self._runs.longest

    @override
    def begin_anew(self) -> None:
        super().begin_anew()
        self._unread.begin_anew()
