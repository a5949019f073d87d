"""Streaks: the longest run of periods in which a metric reaches an amount."""

from collections.abc import Iterable

from typing_extensions import override

from badges.tables.amounts import Amount, Choice, History, PeriodAmounts
from badges.tables.criteria import Metric
from badges.tables.measures import Measure
from badges.tables.periods import BEGINS, PERIOD_OF, Period, PeriodName
from badges.tables.rows import BIAS, DAY_AT, Change, begins
from badges.tables.runs import Runs
from badges.tables.types import Day


class Streak(Measure):
    """The longest run of periods in which the metric reaches an amount."""

    __slots__ = ("_amounts", "_per_period", "_period", "_plain", "_runs")

    def __init__(
        self,
        history: History,
        choice: Choice,
        metric: Metric,
        period: PeriodName,
        per_period: int,
        grace: int,
    ) -> None:
        super().__init__(history, choice, metric)
        self.in_minutes = False
        self._period: PeriodName = period
        self._per_period = per_period
        self._amounts = PeriodAmounts(metric, period)
        self._runs = Runs(grace, history.paused(period))
        self._plain = choice.everything and metric == "count" and per_period == 1

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        if self._plain:
            self._take(changes)
            return
        if not self.choice.everything:
            changes = self.choice.changes(changes)
        runs = self._runs
        for period, counts in self._amounts.crossing(changes, self._per_period):
            if counts:
                runs.add(period)
            else:
                runs.remove(period)
        self.value = runs.longest

    def _take(self, changes: Iterable[Change]) -> None:
        """What `apply` does for the streaks that most rows concern: any row makes a period count.

        No amounts are kept: whether a row is left in a period, the timeline says.
        """
        of, runs = PERIOD_OF[self._period], self._runs
        for change in changes:
            row = change if change >= 0 else ~change
            period = of((row >> DAY_AT) - BIAS)
            if runs.has(period):
                if change < 0 and not self._is_left(period):
                    runs.remove(period)
            elif change >= 0:
                runs.add(period)
        self.value = runs.longest

    def _is_left(self, period: Period) -> bool:
        begin = BEGINS[self._period]
        low, high = begins(begin(period)), begins(begin(period + 1))
        return self.history.timeline().any_between(low, high)

    @override
    def advance(self, changes: list[Change], length: int, now: int) -> bool:
        if self.read < length:
            self.apply(changes[self.read :])
            self.read = length
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
        rows = self.choice.within(self.history, begin(period), begin(period + 1) - 1)
        return Amount(self.metric).reaching(self._per_period, rows)

    @override
    def first(self, level: int, day: Day) -> Day | None:
        return BEGINS[self._period](self._runs.beginning(level))

    @override
    def amount(self, level: int, day: Day) -> int:
        return level

    @override
    def pause(self) -> None:
        self._runs.pause(self.history.paused(self._period))
        self.value = self._runs.longest
