"""Measures: what one mentor's activities amount to, kept up to date as late as possible.

A rule asks a measure whether it reaches a level, and on which date it first did. Rules that ask the
same (metric, activity types, dates, window or streak) share one measure, whatever their levels.

A measure is not told of every row. It says how many changes (or minutes) it takes at least until a
level can be reached, its slack, and reads what came meanwhile in one go when that is used up.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

from typing_extensions import override

from badges.tables.amounts import Amount, Choice, History, PeriodAmounts, amount
from badges.tables.criteria import Metric
from badges.tables.periods import BEGINS, PERIOD_OF, Period, PeriodName
from badges.tables.rows import BIAS, DAY_AT, Change, begins, day_in, minutes_in
from badges.tables.streaks import Runs
from badges.tables.types import Day

NEVER: Final = 1 << 60
"""More changes or minutes than there will be."""

Bounds: TypeAlias = tuple[int, int]
"""What a rule waits for: a level to be reached (NEVER: none) and one to be lost (0: none)."""


class Measure:
    """One mentor's standing in what a measure measures, and who waits for it to change."""

    __slots__ = (
        "choice",
        "down",
        "due",
        "due_late",
        "history",
        "in_minutes",
        "metric",
        "read",
        "up",
        "value",
        "watchers",
    )

    def __init__(self, history: History, choice: Choice, metric: Metric) -> None:
        self.history = history
        self.choice = choice
        self.metric: Metric = metric
        self.value = 0
        """The highest level that is reached, as far as the journal is read."""
        self.read = 0
        """How much of the mentor's journal of changes is taken in."""
        self.watchers: dict[int, Bounds] = {}
        """What each waiting rule, by its number, waits for."""
        self.up = NEVER
        self.down = 0
        self.in_minutes = metric == "minutes"
        """Whether slack is told in minutes, not in changes."""
        self.due = NEVER
        """At which length of the journal, or minutes in it, it must read on."""
        self.due_late = NEVER
        """The same, should rows come that are not in the order of their dates."""

    def watch(self) -> None:
        """Take the watchers' bounds together."""
        bounds = self.watchers.values()
        self.up = min([up for up, _ in bounds], default=NEVER)
        self.down = max([down for _, down in bounds], default=0)

    def advance(self, changes: list[Change], length: int, now: int) -> bool:
        """Read the journal up to its length; whether a level is reached that a rule waits for.

        If not, it is due again after its slack from `now`, the changes or minutes journaled.
        """
        self.apply(changes[self.read :] if self.read else changes)
        self.read = length
        value = self.value
        if value >= self.up:
            return True
        self.due_late = now + self.up - value
        self.due = now + self.up - self.newest()
        return False

    def newest(self) -> int:
        """The highest value that rows of the newest date, and of later ones, add to."""
        return self.value

    def sinks(self, changes: list[Change], length: int) -> bool:
        """Whether, the journal being read, a level is lost that a rule waits to be lost."""
        if self.read < length:
            self.apply(changes[self.read :])
            self.read = length
        return not self.holds(self.down)

    def apply(self, changes: Iterable[Change]) -> None:
        """Take in rows that came and went."""
        raise NotImplementedError

    def holds(self, level: int) -> bool:
        """Whether the level is reached."""
        return self.value >= level

    def day(self, level: int) -> Day:
        """The date on which the level was first reached, going through the rows by date."""
        raise NotImplementedError

    def first(self, level: int, day: Day) -> Day | None:
        """The date from which rows count towards the level reached on `day`; None: all."""
        raise NotImplementedError

    def amount(self, level: int, day: Day) -> int:
        """How much was reached: all of a total, or of the window or run up to that day."""
        return amount(self.metric, self.choice.within(self.history, self.first(level, day), day))

    def done(self, level: int) -> int:
        """How far it is towards the level, at most the level."""
        return min(self.value, level)

    def pause(self) -> None:
        """Take in other pauses: of no matter except to streaks."""


class Total(Measure):
    """All chosen rows together."""

    __slots__ = ("_amount",)

    def __init__(self, history: History, choice: Choice, metric: Metric) -> None:
        super().__init__(history, choice, metric)
        self._amount = Amount(metric)

    @override
    def apply(self, changes: Iterable[Change]) -> None:
        if not self.choice.everything:
            changes = self.choice.changes(changes)
        self._amount.apply(changes)
        self.value = self._amount.value

    @override
    def day(self, level: int) -> Day:
        surplus = self.value - level
        if self.metric in ("count", "minutes") and surplus < level:
            return self._counting_back(surplus)
        return Amount(self.metric).reaching(level, self.choice.all(self.history))

    def _counting_back(self, surplus: int) -> Day:
        """The date of the last row but so many, or so many minutes."""
        for row in self.choice.backwards(self.history):
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
        if not self.choice.everything:
            changes = self.choice.changes(changes)
        self.value = self._amounts.peak(changes, self.value)

    @override
    def newest(self) -> int:
        period = PERIOD_OF[self._period]((self.history.newest_day >> DAY_AT) - BIAS)
        return self._amounts.values.get(period, 0)

    @override
    def day(self, level: int) -> Day:
        period = min(each for each, value in self._amounts.values.items() if value >= level)
        begin = BEGINS[self._period]
        rows = self.choice.within(self.history, begin(period), begin(period + 1) - 1)
        return Amount(self.metric).reaching(level, rows)

    @override
    def first(self, level: int, day: Day) -> Day | None:
        return BEGINS[self._period](PERIOD_OF[self._period](day))


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
