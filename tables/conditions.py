"""Criteria made ready to be asked about one mentor: does it hold, and since which date."""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from typing_extensions import override

from tables.ledger import Ledger
from tables.specs import MeasureSpec
from tables.types import Award, Day


class Wait(NamedTuple):
    """A measure that is to reach a level, or to lose it."""

    spec: MeasureSpec
    level: int
    rises: bool


class Condition(ABC):
    """One node of a rule."""

    __slots__ = ()

    @abstractmethod
    def holds(self, ledger: Ledger) -> bool:
        """Whether it holds for the mentor now."""

    @abstractmethod
    def day(self, ledger: Ledger) -> Day:
        """The date on which it first came true, going through the rows by date; it must hold."""

    @abstractmethod
    def amount(self, ledger: Ledger, day: Day) -> int:
        """How much there is of what it asks for, as evidence says it; it came true on `day`."""

    @abstractmethod
    def amount_so_far(self, ledger: Ledger) -> int:
        """How much there is of what it asks for now, whether or not that is enough."""

    def until(self, ledger: Ledger, *, holds: bool) -> Iterator[Wait]:  # noqa: ARG002
        """What to wait for until it holds, or holds no longer, trainings and awards aside.

        It must not be so now. Nothing changes before one of the waits is over.
        """
        return iter(())

    def specs(self) -> Iterator[MeasureSpec]:
        """The measures that it may ask."""
        return iter(())


class Reached(Condition):
    """A measure reaches a level: threshold, tier and streak."""

    __slots__ = ("_least", "level", "spec")

    def __init__(self, spec: MeasureSpec, level: int) -> None:
        self.spec = spec
        self.level = level
        self._least = spec.least(level)

    @override
    def holds(self, ledger: Ledger) -> bool:
        """Whether the level is reached now; nothing is measured while there are too few rows."""
        if self.spec not in ledger.measures:
            least, level = self._least
            if ledger.measure(least).value < level:
                return False
        return ledger.measure(self.spec).value >= self.level

    @override
    def day(self, ledger: Ledger) -> Day:
        """When it first was."""
        return ledger.measure(self.spec).day(self.level, ledger.by_date)

    @override
    def amount(self, ledger: Ledger, day: Day) -> int:
        """What was counted: a total as it is now, a window or run as it was when it got there."""
        return ledger.measure(self.spec).amount(self.level, day, ledger.by_date)

    @override
    def amount_so_far(self, ledger: Ledger) -> int:
        """How far it is towards the level."""
        return min(ledger.measure(self.spec).value, self.level)

    @override
    def until(self, ledger: Ledger, *, holds: bool) -> Iterator[Wait]:
        """The level, to be reached or lost; or so much in all that it is worth measuring."""
        if self.spec in ledger.measures:
            yield Wait(self.spec, self.level, holds)
        else:
            yield Wait(*self._least, holds)

    @override
    def specs(self) -> Iterator[MeasureSpec]:
        """The one it asks, and the one that says when to ask."""
        yield from (self.spec, self._least[0])


class Trained(Condition):
    """Enough of some courses are completed."""

    __slots__ = ("at_least", "courses", "since")

    def __init__(self, courses: frozenset[str], at_least: int, since: Day | None) -> None:
        self.courses = courses
        self.at_least = at_least
        self.since = since

    def completed(self, ledger: Ledger) -> list[Day]:
        """The date of each course's first completion that counts, ascending."""
        since = self.since
        days = []
        for course in self.courses:
            found = ledger.completions.get(course)
            if found and (since is None or found[-1] >= since):
                days.append(found[0] if since is None else found[bisect_left(found, since)])
        return sorted(days)

    @override
    def holds(self, ledger: Ledger) -> bool:
        """Whether enough are completed."""
        return len(self.completed(ledger)) >= self.at_least

    @override
    def day(self, ledger: Ledger) -> Day:
        """The completion that made it enough."""
        return self.completed(ledger)[self.at_least - 1]

    def rows(self, ledger: Ledger, last: Day) -> list[tuple[Day, str]]:
        """The dates and ids of the first completion of each course, up to a day, by date."""
        first: dict[str, tuple[Day, str]] = {}
        for training_id, (course, day) in ledger.trainings.items():
            if course in self.courses and day <= last and (self.since is None or day >= self.since):
                first[course] = min(first.get(course, (day, training_id)), (day, training_id))
        return sorted(first.values())

    @override
    def amount(self, ledger: Ledger, day: Day) -> int:
        """How many courses are completed."""
        return len(self.completed(ledger))

    @override
    def amount_so_far(self, ledger: Ledger) -> int:
        """How many courses are completed."""
        return len(self.completed(ledger))


class Holding(Condition):
    """Enough of some badges are held; a key that names nothing counts as not held."""

    __slots__ = ("at_least", "definitions")

    def __init__(self, definitions: frozenset[str], at_least: int) -> None:
        self.definitions = definitions
        self.at_least = at_least

    def held(self, ledger: Ledger) -> list[Award]:
        """Those that are held."""
        awards = (ledger.held.get(definition_id) for definition_id in self.definitions)
        return [award for award in awards if award is not None and award.revoked_by is None]

    @override
    def holds(self, ledger: Ledger) -> bool:
        """Whether enough are held."""
        return len(self.held(ledger)) >= self.at_least

    @override
    def day(self, ledger: Ledger) -> Day:
        """When the last one that was needed was earned."""
        return sorted(award.day for award in self.held(ledger))[self.at_least - 1]

    @override
    def amount(self, ledger: Ledger, day: Day) -> int:
        """How many are held."""
        return len(self.held(ledger))

    @override
    def amount_so_far(self, ledger: Ledger) -> int:
        """How many are held."""
        return len(self.held(ledger))


class Parts(Condition):
    """Enough of some parts hold: all of them, or any so many."""

    __slots__ = ("at_least", "parts")

    def __init__(self, parts: tuple[Condition, ...], at_least: int) -> None:
        self.parts = parts
        self.at_least = at_least

    @override
    def holds(self, ledger: Ledger) -> bool:
        """Whether enough parts hold."""
        missing = self.at_least
        for left, part in zip(range(len(self.parts), 0, -1), self.parts, strict=True):
            if missing > left:
                return False
            if part.holds(ledger):
                missing -= 1
                if not missing:
                    return True
        return False

    @override
    def day(self, ledger: Ledger) -> Day:
        """When the last part that was needed came true."""
        days = sorted(part.day(ledger) for part in self.parts if part.holds(ledger))
        return days[self.at_least - 1]

    @override
    def amount(self, ledger: Ledger, day: Day) -> int:
        """How many parts hold."""
        return sum(part.holds(ledger) for part in self.parts)

    @override
    def amount_so_far(self, ledger: Ledger) -> int:
        """How many parts hold."""
        return sum(part.holds(ledger) for part in self.parts)

    @override
    def until(self, ledger: Ledger, *, holds: bool) -> Iterator[Wait]:
        """What as few parts wait for as will do.

        It begins to hold no earlier than one of so many failing parts does that the others are too
        few, and goes on holding as long as enough of the parts that hold do.
        """
        enough = len(self.parts) - self.at_least + 1 if holds else self.at_least
        for part in self.parts:
            if enough and part.holds(ledger) != holds:
                enough -= 1
                yield from part.until(ledger, holds=holds)

    @override
    def specs(self) -> Iterator[MeasureSpec]:
        """Those of every part."""
        for part in self.parts:
            yield from part.specs()
