"""A watchlist: what each rule waits for, so that an event that changes nothing costs little.

After a rule is decided it waits for what could change its outcome: a level that is reached or lost.
Only what a rule waits for is watched: of an `all` that does not hold, one part that fails; of a
permanent badge that is held, nothing. Where a completion comes or goes, the rules that ask for
training are decided again; where the mentor, an award or a pause does, all of them are.
"""

from collections.abc import Iterable, Mapping, Set

from tables.criteria.condition import Wait
from tables.ledger import Ledger
from tables.measures.measure import NEVER, Measure
from tables.measures.specs import MeasureSpec
from tables.plans import Plan
from tables.rules import RuleBook


class Watchlist:
    """What the rules of a plan, by their numbers, wait for about one mentor."""

    __slots__ = (
        "_book_revision",
        "_gone",
        "_late",
        "_minutes",
        "_revision",
        "_rows",
        "_sinking",
        "_trained",
        "_waiting",
        "book",
        "ledger",
        "plan",
    )

    def __init__(self, ledger: Ledger, book: RuleBook) -> None:
        self.ledger = ledger
        self.book = book
        self.plan: Plan | None = None
        """The rules that the mentor was evaluated by; None while nothing may be decided."""
        self._book_revision = self._revision = self._late = self._gone = self._trained = -1
        """Those of the rule book and of the ledger when the mentor was last looked at."""
        self._waiting: dict[int, list[tuple[Measure, int, bool]]] = {}
        """The measures that each open rule waits for, and the levels they are to reach or lose."""
        self._rows, self._minutes = _Rising(), _Rising()
        """The measures that are to reach a level: a row adds 1 to them at most, or its minutes."""
        self._sinking: list[tuple[Measure, int]] = []
        """Each measure that is to lose a level, and the highest."""

    def is_stale(self) -> bool:
        """Whether every rule must be looked at, whatever it waits for."""
        return self._revision != self.ledger.revision or self._book_revision != self.book.revision

    def is_quiet(self) -> bool:
        """Whether nothing has to be decided; the usual outcome, which hot loops ask for first.

        A row adds 1 at most (or its minutes) to the newest window, period or run, and most rows
        come in the order of their dates and add to no other. So a level that is n above the newest
        takes n rows to reach, and its measure need not read them before they are there (`due`).
        Once a row comes late, only the best of all windows says how many it takes (`due_late`). A
        row that goes lifts nothing: then those are read that are to lose a level. Whatever else
        happens has changed the ledger's revision, or is a completion.
        """
        ledger = self.ledger
        if self._revision != ledger.revision or self._book_revision != self.book.revision:
            return False
        late = ledger.late != self._late
        if (
            ledger.gone == self._gone
            and ledger.trained == self._trained
            and ledger.changed < (self._rows.due_late if late else self._rows.due)
            and ledger.minutes < (self._minutes.due_late if late else self._minutes.due)
        ):
            return True
        return self._look(late=late)

    def _look(self, *, late: bool) -> bool:
        """The same, when measures must be read to know it."""
        ledger = self.ledger
        reached = lost = False
        for rising, now in ((self._rows, ledger.changed), (self._minutes, ledger.minutes)):
            if late or now >= rising.due:
                reached |= rising.look(now, ledger, late=late)
        if ledger.gone != self._gone:
            for measure, level in self._sinking:
                lost |= measure.read_on(ledger.changes) < level
        if reached or lost or ledger.trained != self._trained:
            return False
        self._late, self._gone = ledger.late, ledger.gone
        return True

    def due_rules(self) -> list[int]:
        """The rules that have what they wait for, as somebody found who looked."""
        # One of several waits suffices; a rule that is named twice is decided once.
        due = [
            rule
            for rule, waits in self._waiting.items()
            for measure, level, rises in waits
            if (measure.value >= level) == rises
        ]
        if self.plan is not None and self.ledger.trained != self._trained:
            due += [rule for rule in self.plan.training if rule in self._waiting]
        return due

    def is_open(self, rule: int) -> bool:
        """Whether anything but people can change the rule's outcome, as it was decided."""
        return rule in self._waiting

    def begin(self, plan: Plan | None) -> None:
        """Every rule of a plan is to be decided by what there is now; None: nothing is."""
        self.plan = plan
        self._revision, self._book_revision = self.ledger.revision, self.book.revision
        self._waiting = {}
        self.rearm()

    def wait(self, rule: int, waits: Iterable[Wait] | None) -> None:
        """From now on a rule waits for this alone; None: only people can change its outcome."""
        if waits is None:
            self._waiting.pop(rule, None)
            return
        measure = self.ledger.measure
        self._waiting[rule] = [(measure(spec), level, rises) for spec, level, rises in waits]

    def rearm(self) -> None:
        """All rules that are due are decided: what they wait for is looked at anew."""
        rows: dict[Measure, int] = {}
        minutes: dict[Measure, int] = {}
        sinking: dict[Measure, int] = {}
        for waits in self._waiting.values():
            for measure, level, rises in waits:
                if rises:
                    rising = minutes if measure.in_minutes else rows
                    rising[measure] = min(level, rising.get(measure, level))
                else:
                    sinking[measure] = max(level, sinking.get(measure, level))
        self._rows.watch(rows)
        self._minutes.watch(minutes)
        self._sinking = list(sinking.items())
        self._trained = self.ledger.trained

    def wanted(self) -> Set[MeasureSpec]:
        """What open rules may ask of the ledger."""
        if self.plan is None:
            return frozenset()
        return frozenset().union(*[self.plan.rules[rule].specs for rule in self._waiting])


class _Rising:
    """Measures that are to reach a level, and at what count of changes, or minutes, they may.

    If a level is reached, or nobody has looked yet, the count is 0.
    """

    __slots__ = ("_watched", "due", "due_late")

    def __init__(self) -> None:
        self._watched: dict[Measure, _Watched] = {}
        self.due = self.due_late = NEVER
        """When the first of them may reach its level: if all rows come in order, and if not."""

    def watch(self, levels: Mapping[Measure, int]) -> None:
        """From now on it is these, each with the lowest level that is waited for."""
        before, self._watched = self._watched, {}
        for measure, level in levels.items():
            each = before.get(measure)
            if each is None or each.level != level:
                each = _Watched(level)
            self._watched[measure] = each
        self.due = self.due_late = 0 if levels else NEVER

    def look(self, now: int, ledger: Ledger, *, late: bool) -> bool:
        """Read those that are due; whether one has reached its level."""
        due = due_late = NEVER
        for measure, each in self._watched.items():
            soon = each.due_late if late else each.due
            if soon <= now:
                if measure.read_on(ledger.changes) >= each.level:
                    soon = each.due_late = 0
                else:
                    each.due_late = now + measure.slack(each.level)
                    in_order = now + each.level - measure.newest(ledger.newest_day)
                    soon = max(in_order, each.due_late)
                each.due = soon
            elif late:
                each.due = soon
            if soon < due:  # noqa: PLR1730 - to compare is far cheaper than a call
                due = soon
            if each.due_late < due_late:  # noqa: PLR1730
                due_late = each.due_late
        self.due, self.due_late = due, due_late
        return not due


class _Watched:
    """The level that one measure is to reach, and when it may."""

    __slots__ = ("due", "due_late", "level")

    def __init__(self, level: int) -> None:
        self.level = level
        self.due = self.due_late = 0
