"""Criteria made ready to be asked about one mentor: does it hold, and since which date."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from typing_extensions import override

from tables.ledger import Ledger
from tables.measures.specs import MeasureSpec
from tables.types import Day


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

    def amount(self, ledger: Ledger, day: Day) -> int:  # noqa: ARG002
        """How much there is of what it asks for, as evidence says it; it came true on `day`."""
        return self.amount_so_far(ledger)

    @abstractmethod
    def amount_so_far(self, ledger: Ledger) -> int:
        """How much there is of what it asks for now, whether or not that is enough."""

    def rows(self, ledger: Ledger, day: Day, most: int) -> list[tuple[Day, str]]:  # noqa: ARG002
        """Dates and ids of the newest rows, so many at most, by which it holds since `day`."""
        return []

    def until(self, ledger: Ledger, *, holds: bool) -> Iterator[Wait]:  # noqa: ARG002
        """What to wait for until it holds, or holds no longer, trainings and awards aside.

        It must not be so now. Nothing changes before one of the waits is over.
        """
        return iter(())

    def specs(self) -> Iterator[MeasureSpec]:
        """The measures that it may ask."""
        return iter(())

    @property
    def parts(self) -> Sequence["Condition"]:
        """The conditions within this one."""
        return ()

    @property
    def asks_training(self) -> bool:
        """Whether a completion that comes or goes can change it."""
        return False


class Enough(Condition):
    """Enough things came true; the one that made it enough says when."""

    __slots__ = ("_at_least",)

    def __init__(self, at_least: int) -> None:
        self._at_least = at_least

    @abstractmethod
    def days(self, ledger: Ledger) -> list[Day]:
        """The dates on which each of those that are true came true."""

    @override
    def holds(self, ledger: Ledger) -> bool:
        return self.amount_so_far(ledger) >= self._at_least

    @override
    def day(self, ledger: Ledger) -> Day:
        return sorted(self.days(ledger))[self._at_least - 1]

    @override
    def amount_so_far(self, ledger: Ledger) -> int:
        return len(self.days(ledger))
