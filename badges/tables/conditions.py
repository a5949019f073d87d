"""Criteria made ready to be asked about one mentor: does it hold, and since which date."""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import tzinfo
from typing import Protocol

from badges.tables.ledger import Ledger
from badges.tables.periods import local_day
from badges.tables.specs import MeasureSpec
from badges.tables.types import Day


class Condition(Protocol):
    """One node of a rule."""

    def holds(self, ledger: Ledger) -> bool:
        """Whether it holds for the mentor now."""
        ...

    def day(self, ledger: Ledger) -> Day:
        """The date on which it first came true, going through the rows by date; it must hold."""
        ...

    def amount(self, ledger: Ledger) -> int:
        """How much there is of what it asks for, as evidence says it."""
        ...


class Reached:
    """A measure reaches a level: threshold, tier and streak."""

    __slots__ = ("level", "spec")

    def __init__(self, spec: MeasureSpec, level: int) -> None:
        self.spec = spec
        self.level = level

    def holds(self, ledger: Ledger) -> bool:
        """Whether the level is reached now."""
        return ledger.measure(self.spec).holds(self.level)

    def day(self, ledger: Ledger) -> Day:
        """When it first was."""
        return ledger.measure(self.spec).day(self.level)

    def span(self, ledger: Ledger) -> tuple[Day | None, Day]:
        """The dates, None for the beginning, in which the rows lie that first reached it."""
        return ledger.measure(self.spec).span(self.level)

    def amount(self, ledger: Ledger) -> int:
        """What was counted: a total as it is now, a window or run as it was when it got there."""
        return ledger.measure(self.spec).amount(self.level)


class Trained:
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

    def holds(self, ledger: Ledger) -> bool:
        """Whether enough are completed."""
        return len(self.completed(ledger)) >= self.at_least

    def day(self, ledger: Ledger) -> Day:
        """The completion that made it enough."""
        return self.completed(ledger)[self.at_least - 1]

    def rows(self, ledger: Ledger) -> Iterator[tuple[str, Day]]:
        """The ids and dates of the first completion of each course, up to the one that sufficed."""
        last = self.day(ledger)
        first: dict[str, tuple[Day, str]] = {}
        for training_id, (course, day) in ledger.trainings.items():
            if course in self.courses and day <= last and (self.since is None or day >= self.since):
                first[course] = min(first.get(course, (day, training_id)), (day, training_id))
        for day, training_id in first.values():
            yield training_id, day

    def amount(self, ledger: Ledger) -> int:
        """How many courses are completed."""
        return len(self.completed(ledger))


class Holding:
    """Enough of some badges are held; a key that names nothing counts as not held."""

    __slots__ = ("at_least", "definitions", "zone")

    def __init__(self, definitions: frozenset[str], at_least: int, zone: tzinfo) -> None:
        self.definitions = definitions
        self.at_least = at_least
        self.zone = zone

    def held(self, ledger: Ledger) -> list[Day]:
        """The dates of those that are held, ascending."""
        awards = (ledger.held.get(definition_id) for definition_id in self.definitions)
        return sorted(
            local_day(award.earned_at, self.zone)
            for award in awards
            if award is not None and award.revoked_by is None
        )

    def holds(self, ledger: Ledger) -> bool:
        """Whether enough are held."""
        return len(self.held(ledger)) >= self.at_least

    def day(self, ledger: Ledger) -> Day:
        """When the last one that was needed was earned."""
        return self.held(ledger)[self.at_least - 1]

    def amount(self, ledger: Ledger) -> int:
        """How many are held."""
        return len(self.held(ledger))


class Parts:
    """Enough of some parts hold: all of them, or any so many."""

    __slots__ = ("at_least", "parts")

    def __init__(self, parts: tuple[Condition, ...], at_least: int) -> None:
        self.parts = parts
        self.at_least = at_least

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

    def day(self, ledger: Ledger) -> Day:
        """When the last part that was needed came true."""
        days = sorted(part.day(ledger) for part in self.parts if part.holds(ledger))
        return days[self.at_least - 1]

    def amount(self, ledger: Ledger) -> int:
        """How many parts hold."""
        return sum(part.holds(ledger) for part in self.parts)
