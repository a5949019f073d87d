"""An agenda: what each rule waits for, so that an event that changes nothing costs next to nothing.

After a rule is decided it waits for what could change its outcome: a level that is reached or lost,
or so many rows that a measure is worth keeping. Only what a rule waits for is watched: of an `all`
that does not hold, one part that fails; of a permanent badge that is held, nothing.
"""

from collections.abc import Iterable

from badges.tables.conditions import Wait
from badges.tables.journal import EVERYTHING, FULL, TRAINING
from badges.tables.ledger import Ledger
from badges.tables.measures import NEVER, Measure
from badges.tables.plans import Plan


class Agenda:
    """What the rules of a plan, by their numbers, wait for about one mentor."""

    __slots__ = ("_counting", "_rows", "_timed", "_watched", "plan")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._watched: dict[int, list[Measure]] = {}
        self._rows: dict[int, int] = {}
        """How many rows there must be before a rule is worth a look."""
        self._counting: list[Measure] = []
        """Watched measures whose slack is told in changes, and those in minutes."""
        self._timed: list[Measure] = []

    def quiet(self, ledger: Ledger) -> bool:
        """Whether only rows came, and no rule has what it waits for; the usual outcome."""
        changes = ledger.changes
        length = len(changes)
        if ledger.news or ledger.removed or length >= FULL:
            return False
        soonest = FULL
        if self._rows:
            soonest = min(self._rows.values()) - len(ledger.rows) + length
            if soonest <= length:
                return False
        for measure in self._counting:
            due = measure.due
            if due <= length:
                if measure.advance(changes, length, length):
                    return False
                due = measure.due
            if due < soonest:  # noqa: PLR1730 - this is far cheaper than a call
                soonest = due
        minutes = ledger.minutes
        if minutes >= ledger.due_minutes:
            if any(
                measure.due <= minutes and measure.advance(changes, length, minutes)
                for measure in self._timed
            ):
                return False
            ledger.due_minutes = min([measure.due for measure in self._timed], default=NEVER)
        ledger.due = soonest
        return True

    def due(self, ledger: Ledger) -> Iterable[int]:
        """The rules whose outcome may have changed since they were decided."""
        if ledger.news & EVERYTHING:
            return range(len(self.plan.rules))
        changes, present = ledger.changes, len(ledger.rows)
        length = len(changes)
        rules = [rule for rule, needed in self._rows.items() if present >= needed]
        if ledger.news & TRAINING:
            rules += self.plan.training
        for measures, now in ((self._counting, length), (self._timed, ledger.minutes)):
            for measure in measures:
                if (
                    measure.due <= now or length >= FULL or (ledger.removed and measure.down)
                ) and measure.advance(changes, length, now):
                    rules += _served(measure)
        return rules

    def wait(self, ledger: Ledger, rule: int, waits: Iterable[Wait]) -> None:
        """From now on a rule waits for this, and for nothing that it waited for before."""
        affected = self._watched.pop(rule, [])
        for measure in affected:
            del measure.watchers[rule]
        self._rows.pop(rule, None)
        watched: list[Measure] = []
        for wait in waits:
            if wait.spec not in ledger.measures:
                needed = wait.spec.least_rows(wait.up)
                self._rows[rule] = min(needed, self._rows.get(rule, NEVER))
                continue
            measure = ledger.measure(wait.spec)
            up, down = measure.watchers.get(rule, (NEVER, 0))
            if rule not in measure.watchers:
                watched.append(measure)
            measure.watchers[rule] = min(up, wait.up), max(down, wait.down)
        if watched:
            self._watched[rule] = watched
        for measure in {*affected, *watched}:
            measure.watch()
            measure.due = 0

    def rest(self, ledger: Ledger) -> None:
        """Say until when the ledger need not be looked at, every due rule being decided."""
        watched = [measure for measure in ledger.measures.values() if measure.watchers]
        self._counting = [measure for measure in watched if not measure.in_minutes]
        self._timed = [measure for measure in watched if measure.in_minutes]
        length = len(ledger.changes)
        full = length >= FULL
        if full:
            self._turn_the_page(ledger)
            length = 0
        for measure in watched:
            if full or not measure.due:
                now = ledger.minutes if measure.in_minutes else length
                measure.advance(ledger.changes, length, now)
        rows = min(self._rows.values(), default=NEVER) - len(ledger.rows) + length
        dues = [measure.due for measure in self._counting]
        ledger.due = min([rows, FULL, *dues])
        ledger.due_minutes = min([measure.due for measure in self._timed], default=NEVER)

    def _turn_the_page(self, ledger: Ledger) -> None:
        """Begin the journal anew, and keep the measures that an undecided rule asks for."""
        wanted = {
            spec
            for number, rule in enumerate(self.plan.rules)
            if number in self._watched or number in self._rows
            for spec in rule.specs
        }
        for spec in list(ledger.measures):
            if spec in wanted:
                ledger.measure(spec)
            else:
                del ledger.measures[spec]
        ledger.begin_anew()


def _served(measure: Measure) -> list[int]:
    """The rules that have what they wait for."""
    return [
        rule
        for rule, (up, down) in measure.watchers.items()
        if (up != NEVER and measure.holds(up)) or (down and not measure.holds(down))
    ]


def put_away(ledger: Ledger) -> None:
    """Nothing may be decided: keep the rows, and no agenda; what it waited for is let go."""
    ledger.agenda = None
    ledger.measures.clear()
    ledger.due, ledger.due_minutes = FULL, NEVER
    if len(ledger.changes) >= FULL:
        ledger.begin_anew()
