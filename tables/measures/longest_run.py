"""Streaks: the longest run of periods in which a metric reaches an amount."""

from collections.abc import Callable, Iterable

from typing_extensions import override

from tables.measures.amounts import Metric, PeriodAmounts, reaching
from tables.measures.choices import ByDate, Choice
from tables.measures.measure import Measure
from tables.measures.pauses import Pauses, Spans
from tables.measures.running_stats import RunningStats
from tables.measures.runs import Runs
from tables.periods import BEGINS, PeriodName, bounds
from tables.rows import Change
from tables.types import Day


class LongestRun(Measure):
    """The longest run of periods in which the metric reaches an amount."""

    __slots__ = ("_amounts", "_per_period", "_period", "_runs")

    def __init__(
        self, choice: Choice, metric: Metric, period: PeriodName, per_period: int, runs: Runs
    ) -> None:
        super().__init__(choice, metric)
        self.in_minutes = False
        self._period: PeriodName = period
        self._per_period = per_period
        self._amounts = PeriodAmounts(metric, period)
        self._runs = runs

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        level, runs = self._per_period, self._runs
        for period, before, after in self._amounts.apply(self.choice.changes(changes)):
            if before < level <= after:
                runs.add(period)
            elif after < level <= before:
                runs.remove(period)
        self.value = runs.longest

    @override
    def slack(self, level: int) -> int:
        # A row makes at most one more period count, which joins at most two runs: n rows make
        # one run of n + 1 runs and n periods.
        return max((level + 1) // (self.value + 1) - 1, 1)

    @override
    def newest(self, day: Day) -> int:
        return self._runs.newest[0]

    @override
    def day(self, level: int, by_date: ByDate) -> Day:
        begin = BEGINS[self._period]
        period = self._runs.reaching(level)
        rows = self.rows(by_date, begin(period), begin(period + 1) - 1)
        return reaching(self.metric, self._per_period, rows)

    @override
    def first(self, level: int, day: Day) -> Day | None:
        return BEGINS[self._period](self._runs.beginning(level))

    @override
    def amount(self, level: int, day: Day, by_date: ByDate) -> int:
        return level

    @override
    def pause(self, spans: Spans, first: Day, last: Day | None) -> None:
        paused = Pauses.of(spans, self._period)
        self._runs.pause(paused, *bounds(self._period, first, last))
        self.value = self._runs.longest


class LongestPlainRun(LongestRun):
    """A run of periods that have any row at all, without grace: the stats' own runs."""

    __slots__ = ("_running_stats",)

    def __init__(
        self, choice: Choice, metric: Metric, period: PeriodName, stats: Callable[[], RunningStats]
    ) -> None:
        super().__init__(choice, metric, period, 1, stats().runs[period])
        self._running_stats = stats

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        self.value = self._running_stats().runs[self._period].longest

    @override
    def pause(self, spans: Spans, first: Day, last: Day | None) -> None:
        # The running stats, which are told first, have linked their runs anew.
        self.value = self._runs.longest
