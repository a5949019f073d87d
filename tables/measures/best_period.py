"""The best calendar week, month, quarter or year."""

from collections.abc import Iterable

from typing_extensions import override

from tables.measures.amounts import Metric, PeriodAmounts, reaching
from tables.measures.choices import ByDate, Choice
from tables.measures.measure import Measure
from tables.periods import BEGINS, PERIOD_OF, PeriodName
from tables.rows import Change
from tables.types import Day


class BestPeriod(Measure):
    """The best calendar period."""

    __slots__ = ("_amounts", "_period", "_tops")

    def __init__(self, choice: Choice, metric: Metric, period: PeriodName) -> None:
        super().__init__(choice, metric)
        self._period: PeriodName = period
        self._amounts = PeriodAmounts(metric, period)
        self._tops = 0
        """How many periods are the best; all are looked through only when none is left."""

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        peak, tops = self.value, self._tops
        for _, before, after in self._amounts.apply(self.choice.changes(changes)):
            if after > peak:
                peak, tops = after, 1
            else:
                tops += (after == peak) - (before == peak)
        if not tops:
            amounts = list(self._amounts.values.values())
            peak = max(amounts, default=0)
            tops = amounts.count(peak)
        self.value, self._tops = peak, tops

    @override
    def newest(self, day: Day) -> int:
        return self._amounts.values.get(PERIOD_OF[self._period](day), 0)

    @override
    def day(self, level: int, by_date: ByDate) -> Day:
        period = min(each for each, value in self._amounts.values.items() if value >= level)
        begin = BEGINS[self._period]
        rows = self.rows(by_date, begin(period), begin(period + 1) - 1)
        return reaching(self.metric, level, rows)

    @override
    def first(self, level: int, day: Day) -> Day | None:
        return BEGINS[self._period](PERIOD_OF[self._period](day))
