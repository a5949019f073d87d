"""Measures: what one mentor's activities amount to, kept up to date as late as possible.

A rule asks a measure whether it reaches a level, and on which date it first did. Rules that ask the
same (metric, activity types, dates, window or streak) share one measure, whatever their levels.

A measure is not told of every row. It says how many changes (or minutes) it takes at least until a
level can be reached, its slack, and reads what came meanwhile in one go when that is used up.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Final, Protocol, TypeAlias

from tables.amounts import Choice, amount
from tables.criteria import Metric
from tables.rows import Change, Row
from tables.tally import Past, Tally
from tables.types import Day

NEVER: Final = 1 << 60
"""More changes or minutes than there will be."""

Bounds: TypeAlias = tuple[int, int]
"""What a rule waits for: a level to be reached (NEVER: none) and one to be lost (0: none)."""


class History(Past, Protocol):
    """What a measure reads of a mentor, beside the rows that it is given."""

    newest_day: Row
    """Where the highest date begins that any row ever had."""

    def tally(self) -> Tally:
        """Which days, weeks and months have a row, up to date."""
        ...


class Measure(ABC):
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

    def read_on(self, changes: list[Change]) -> None:
        """Take in what is not yet read of the journal."""
        length = len(changes)
        if self.read < length:
            self.apply(changes[self.read :] if self.read else changes)
            self.read = length

    def advance(self, changes: list[Change], now: int) -> bool:
        """Read the journal up to its end; whether a level is reached that a rule waits for.

        If not, it is due again after its slack from `now`, the changes or minutes journaled.
        """
        self.read_on(changes)
        value = self.value
        if value >= self.up:
            return True
        self.due_late = now + self.up - value
        self.due = now + self.up - self.newest()
        return False

    def newest(self) -> int:
        """The highest value that rows of the newest date, and of later ones, add to."""
        return self.value

    def sinks(self, changes: list[Change]) -> bool:
        """Whether, the journal being read, a level is lost that a rule waits to be lost."""
        self.read_on(changes)
        return not self.holds(self.down)

    def rows(self, first: Day | None, last: Day) -> Iterator[Row]:
        """The rows that count from one day (None: the first) to another, by date."""
        return self.choice.within(self.history.timeline(), first, last)

    @abstractmethod
    def apply(self, changes: Iterable[Change]) -> None:
        """Take in rows that came and went."""

    def holds(self, level: int) -> bool:
        """Whether the level is reached."""
        return self.value >= level

    @abstractmethod
    def day(self, level: int) -> Day:
        """The date on which the level was first reached, going through the rows by date."""

    @abstractmethod
    def first(self, level: int, day: Day) -> Day | None:
        """The date from which rows count towards the level reached on `day`; None: all."""

    def amount(self, level: int, day: Day) -> int:
        """How much was reached: all of a total, or of the window or run up to that day."""
        return amount(self.metric, self.rows(self.first(level, day), day))

    def done(self, level: int) -> int:
        """How far it is towards the level, at most the level."""
        return min(self.value, level)

    def begin_anew(self) -> None:
        """The journal begins anew, all of it being read."""
        self.read = 0

    def pause(self, first: Day, last: Day | None) -> None:  # noqa: B027 - most measures have nothing to do then
        """Pauses from `first` to `last` changed: of no matter except to streaks."""
