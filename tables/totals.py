"""All rows together: what they amount to ever, or between two dates."""

from collections.abc import Iterable

from typing_extensions import override

from tables.amounts import Amount, Choice
from tables.criteria import Metric
from tables.measures import NEVER, History, Measure
from tables.periods import day_of
from tables.rows import BIAS, DAY_AT, Change, day_in, minutes_in
from tables.runs import Runs
from tables.types import Day


class Total(Measure):
    """All chosen rows together."""

    __slots__ = ("_amount",)

    def __init__(self, history: History, choice: Choice, metric: Metric) -> None:
        super().__init__(history, choice, metric)
        self._amount = Amount(metric)

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        self._amount.apply(self.choice.changes(changes))
        self.value = self._amount.value

    @override
    def newest(self) -> int:
        # Rows after the last date that counts add nothing.
        return -NEVER if self.history.newest_day >= self.choice.high else self.value

    @override
    def day(self, level: int) -> Day:
        surplus = self.value - level
        if self.metric in ("count", "minutes") and surplus < level:
            return self._counting_back(surplus)
        return Amount(self.metric).reaching(level, self.choice.all(self.history.timeline()))

    def _counting_back(self, surplus: int) -> Day:
        """The date of the last row but so many, or so many minutes."""
        for row in self.choice.backwards(self.history.timeline()):
            surplus -= minutes_in(row) if self.in_minutes else 1
            if surplus < 0:
                return day_in(row)
        raise LookupError("there are fewer rows than were counted")

    @override
    def first(self, level: int, day: Day) -> Day | None:
        return None

    @override
    def amount(self, level: int, day: Day) -> int:
        return self.value


class ActiveDays(Total):
    """The distinct dates of some rows.

    A sorted list of dates takes a fifth of what a dictionary of their rows' numbers would; whether
    a row is left on a date, the timeline says.
    """

    __slots__ = ("_days",)

    def __init__(self, history: History, choice: Choice) -> None:
        super().__init__(history, choice, "active_days")
        self._days = Runs()

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        days = self._days
        for change in self.choice.changes(changes):
            day = day_of(((change if change >= 0 else ~change) >> DAY_AT) - BIAS)
            if not days.has(day):
                if change >= 0:
                    days.add(day)
            elif change < 0 and not any(self.rows(day, day)):
                days.remove(day)
        self.value = days.size


class AllActiveDays(Total):
    """The distinct dates of all rows, which the tally keeps."""

    __slots__ = ()

    def __init__(self, history: History, choice: Choice) -> None:
        super().__init__(history, choice, "active_days")

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        self.value = self.history.tally().runs["day"].size
