"""The best calendar week, month, quarter or year."""

from collections.abc import Iterable

from typing_extensions import override

from tables.amounts import Amount, Choice, PeriodAmounts
from tables.criteria import Metric
from tables.measures import History, Measure
from tables.periods import BEGINS, PERIOD_OF, PeriodName
from tables.rows import BIAS, DAY_AT, Change
from tables.tally import NoteReader
from tables.types import Day


class Calendar(Measure):
    """The best calendar period."""

    __slots__ = ("_amounts", "_period")

    def __init__(
        self, history: History, choice: Choice, metric: Metric, period: PeriodName
    ) -> None:
        super().__init__(history, choice, metric)
        self._period: PeriodName = period
        self._amounts = PeriodAmounts(metric, period)

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        self.value = self._amounts.peak(self.choice.changes(changes), self.value)

    @override
    def newest(self) -> int:
        period = PERIOD_OF[self._period]((self.history.newest_day >> DAY_AT) - BIAS)
        return self._amounts.values.get(period, 0)

    @override
    def day(self, level: int) -> Day:
        period = min(each for each, value in self._amounts.values.items() if value >= level)
        begin = BEGINS[self._period]
        rows = self.rows(begin(period), begin(period + 1) - 1)
        return Amount(self.metric).reaching(level, rows)

    @override
    def first(self, level: int, day: Day) -> Day | None:
        return BEGINS[self._period](PERIOD_OF[self._period](day))


class ActiveCalendar(Calendar):
    """The calendar period with the most days that have any row at all, which the tally notes."""

    __slots__ = ("_unread",)

    def __init__(self, history: History, choice: Choice, period: PeriodName) -> None:
        super().__init__(history, choice, "active_days", period)
        days = history.tally().runs["day"].periods
        self.value = self._amounts.peak_of_days([(day, True) for day in days], 0)
        self._unread = NoteReader(history.tally, "day")

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        self.value = self._amounts.peak_of_days(self._unread.fresh(), self.value)

    @override
    def begin_anew(self) -> None:
        super().begin_anew()
        self._unread.begin_anew()
