"""A watchlist: what each rule waits for, so that an event that changes nothing costs little.

After a rule is decided it waits for what could change its outcome: a level that is reached or lost.
Only what a rule waits for is watched: of an `all` that does not hold, one part that fails; of a
permanent badge that is held, nothing. Where a completion changes, the open rules that ask for
training are looked at; where an award changes, all.
"""

from collections.abc import Iterable, Set

from tables.conditions import Wait
from tables.ledger import Ledger
from tables.measures import NEVER, Measure
from tables.plans import Plan
from tables.rules import RuleBook
from tables.specs import MeasureSpec


class Watchlist:
    """What the rules of a plan, by their numbers, wait for about one mentor."""

    __slots__ = (
        "_due",
        "_due_minutes",
        "_edition",
        "_gone",
        "_late",
        "_revision",
        "_rising",
        "_rising_minutes",
        "_sinking",
        "_trained",
        "_waiting",
        "book",
        "plan",
    )

    def __init__(self, book: RuleBook) -> None:
        self.book = book
        self.plan: Plan | None = None
        """The rules that the mentor was decided by; None while nothing may be decided."""
        self._edition = self._revision = self._late = self._gone = self._trained = -1
        """Those of the rule book and of the ledger when the mentor was last looked at."""
        self._waiting: dict[int, list[tuple[Measure, int, bool]]] = {}
        """The measures that each open rule waits for, and the levels they are to reach or lose."""
        self._rising: list[_Rising] = []
        self._rising_minutes: list[_Rising] = []
        """Each measure that is to reach a level: those that a row adds 1 to at most, and those that
        it adds its minutes to."""
        self._sinking: list[tuple[Measure, int]] = []
        """Each measure that is to lose a level, and the highest."""
        self._due = self._due_minutes = NEVER
        """How many changes, or minutes, there are when a level may be reached."""

    def is_stale(self, ledger: Ledger) -> bool:
        """Whether every rule must be looked at, whatever it waits for."""
        return self._revision != ledger.revision or self._edition != self.book.edition

    def quiet(self, ledger: Ledger) -> bool:
        """Whether nothing has to be decided; the usual outcome, which hot loops ask for first.

        A row adds 1 at most (or its minutes) to the newest window, period or run, and most rows
        come in the order of their dates and add to no other. So a level that is n above the newest
        takes n rows to reach, and its measure need not read them before they are there (`due`).
        Once a row comes late, only the best of all windows says how many it takes (`due_late`). A
        row that goes lifts nothing: then those are read that are to lose a level. Anything else
        has changed the ledger's revision.
        """
        if self.is_stale(ledger):
            return False
        if (
            ledger.changed < self._due
            and ledger.minutes < self._due_minutes
            and ledger.late == self._late
            and ledger.gone == self._gone
            and ledger.trained == self._trained
        ):
            return True
        return self._look(ledger)

    def _look(self, ledger: Ledger) -> bool:
        """The same, when a promise is up or broken."""
        if ledger.late != self._late:
            for each in (*self._rising, *self._rising_minutes):
                each.due = min(each.due, each.due_late)
        self._due = _advance(self._rising, ledger.changed, ledger)
        self._due_minutes = _advance(self._rising_minutes, ledger.minutes, ledger)
        quiet = self._due > 0 and self._due_minutes > 0 and ledger.trained == self._trained
        if ledger.gone != self._gone:
            for measure, level in self._sinking:
                if measure.read_on(ledger.changes) < level:
                    quiet = False
        if quiet:
            self._late, self._gone = ledger.late, ledger.gone
        return quiet

    def served(self, ledger: Ledger) -> list[int]:
        """The rules that have what they wait for, as somebody found who looked."""
        # One of several waits suffices; a rule that is named twice is decided once.
        served = [
            rule
            for rule, waits in self._waiting.items()
            for measure, level, rises in waits
            if (measure.value >= level) == rises
        ]
        if self.plan is not None and ledger.trained != self._trained:
            served += [rule for rule in self.plan.training if rule in self._waiting]
        return served

    def is_open(self, rule: int) -> bool:
        """Whether anything but people can change the rule's outcome, as it was decided."""
        return rule in self._waiting

    def begin(self, plan: Plan | None, ledger: Ledger) -> None:
        """Every rule of a plan is to be decided by what there is now; None: nothing is."""
        self.plan = plan
        self._revision, self._edition = ledger.revision, self.book.edition
        self._waiting = {}
        self.rest(ledger)

    def wait(self, rule: int, waits: Iterable[Wait], ledger: Ledger) -> None:
        """From now on an open rule waits for this, and for nothing that it waited for before."""
        self._waiting[rule] = [(ledger.measure(spec), level, rises) for spec, level, rises in waits]

    def close(self, rule: int) -> None:
        """From now on a rule waits for nothing: only people can change its outcome."""
        self._waiting.pop(rule, None)

    def rest(self, ledger: Ledger) -> None:
        """All rules that are due are decided: what they wait for is looked at anew."""
        rising: dict[Measure, int] = {}
        sinking: dict[Measure, int] = {}
        for waits in self._waiting.values():
            for measure, level, rises in waits:
                if rises:
                    rising[measure] = min(level, rising.get(measure, level))
                else:
                    sinking[measure] = max(level, sinking.get(measure, level))
        before = {each.measure: each for each in (*self._rising, *self._rising_minutes)}
        self._rising, self._rising_minutes = [], []
        for measure, level in rising.items():
            each = before.get(measure)
            if each is None or each.level != level:
                each = _Rising(measure, level)
            (self._rising_minutes if measure.in_minutes else self._rising).append(each)
        self._sinking = list(sinking.items())
        self._due = 0 if rising else NEVER
        self._trained = ledger.trained

    def wanted(self) -> Set[MeasureSpec]:
        """What open rules may ask of the ledger."""
        if self.plan is None:
            return frozenset()
        return frozenset().union(*[self.plan.rules[rule].specs for rule in self._waiting])


class _Rising:
    """A measure that is to reach a level, the lowest that it is waited for to reach."""

    __slots__ = ("due", "due_late", "level", "measure")

    def __init__(self, measure: Measure, level: int) -> None:
        self.measure = measure
        self.level = level
        self.due = 0
        """How many changes, or minutes, there are before it may, if rows come in order."""
        self.due_late = 0
        """The same, whatever their order."""


def _advance(rising: list[_Rising], now: int, ledger: Ledger) -> int:
    """Read the measures that are due; when the next one is, 0 if one reaches its level."""
    soonest = NEVER
    for each in rising:
        if each.due <= now:
            measure, level = each.measure, each.level
            if measure.read_on(ledger.changes) >= level:
                each.due = each.due_late = 0
            else:
                each.due_late = now + measure.slack(level)
                each.due = max(now + level - measure.newest(ledger.newest_day), each.due_late)
        if each.due < soonest:  # noqa: PLR1730 - this is far cheaper than a call
            soonest = each.due
    return soonest
