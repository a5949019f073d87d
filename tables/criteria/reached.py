"""A measure that reaches a level: what threshold, streak and tier compile to."""

from collections.abc import Iterator

from typing_extensions import override

from tables.criteria.condition import Condition, Wait
from tables.ledger import Ledger
from tables.measures.specs import MeasureSpec
from tables.types import Day


class Reached(Condition):
    """A measure reaches a level."""

    __slots__ = ("_least", "level", "spec")

    def __init__(self, spec: MeasureSpec, level: int) -> None:
        self.spec = spec
        self.level = level
        self._least = spec.least(level)

    @override
    def holds(self, ledger: Ledger) -> bool:
        # Nothing is measured while there are too few rows.
        if self.spec not in ledger.measures:
            least, level = self._least
            if ledger.measure(least).value < level:
                return False
        return ledger.measure(self.spec).value >= self.level

    @override
    def day(self, ledger: Ledger) -> Day:
        return ledger.measure(self.spec).day(self.level, ledger.by_date)

    @override
    def amount(self, ledger: Ledger, day: Day) -> int:
        # A total as it is now, a window or run as it was when it got there.
        return ledger.measure(self.spec).amount(self.level, day, ledger.by_date)

    @override
    def amount_so_far(self, ledger: Ledger) -> int:
        return ledger.measure(self.spec).value

    @override
    def rows(self, ledger: Ledger, day: Day, most: int) -> list[tuple[Day, str]]:
        first = ledger.measure(self.spec).first(self.level, day)
        return ledger.newest(self.spec.choice, first, day, most)

    @override
    def until(self, ledger: Ledger, *, holds: bool) -> Iterator[Wait]:
        # The level; or so much in all that it is worth measuring.
        if self.spec in ledger.measures:
            yield Wait(self.spec, self.level, holds)
        else:
            yield Wait(*self._least, holds)

    @override
    def specs(self) -> Iterator[MeasureSpec]:
        yield from (self.spec, self._least[0])
