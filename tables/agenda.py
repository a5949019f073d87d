"""An agenda: what each rule waits for, so that an event that changes nothing costs next to nothing.

After a rule is decided it waits for what could change its outcome: a level that is reached or lost,
or so many rows that a measure is worth keeping. Only what a rule waits for is watched: of an `all`
that does not hold, one part that fails; of a permanent badge that is held, nothing.
"""

from collections.abc import Iterable

from tables.conditions import Wait
from tables.journal import EVERYTHING, FULL, PAUSE, TRAINING
from tables.ledger import Ledger
from tables.measures import NEVER, Measure
from tables.plans import Plan
from tables.rows import AFTER_ALL, Row


class Agenda:
    """What the rules of a plan, by their numbers, wait for about one mentor."""

    __slots__ = (
        "_counting",
        "_dues",
        "_lacking",
        "_losable",
        "_minutes",
        "_rows",
        "_span",
        "_timed",
        "_watched",
        "plan",
        "settled",
    )

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.settled: set[int] = set()
        """The rules whose outcome no row, completion or badge can change any more."""
        self._watched: dict[int, list[Measure]] = {}
        """The measures that a rule waits for."""
        self._counting: list[Measure] = []
        """Watched measures whose slack is told in changes, and when each of them is due."""
        self._dues: list[int] = []
        self._timed: list[Measure] = []
        """Those whose slack is told in minutes."""
        self._losable: list[Measure] = []
        """Those that a rule waits for to sink, as only a row that goes can make them."""
        self._lacking: dict[int, list[Wait]] = {}
        """What a rule waits for that there are too few rows for, so that no measure is kept."""
        self._rows = self._minutes = NEVER
        """At how many rows or minutes that is worth another look, and at what span of dates."""
        self._span: Row = AFTER_ALL

    def quiet(self, ledger: Ledger) -> bool:
        """Whether only rows came or went, and no rule has what it waits for; the usual outcome."""
        changes = ledger.changes
        length = len(changes)
        if ledger.news or length >= FULL:
            return False
        rows = self._rows - len(ledger.rows) + length
        ledger.due_high = ledger.low + self._span
        if rows <= length or ledger.high >= ledger.due_high:
            return False
        dues = self._dues
        if ledger.late:
            ledger.late = False
            self._hasten(ledger)
        if dues:
            soonest = min(dues)
            if soonest <= length:
                for number, due in enumerate(dues):
                    if due <= length:
                        measure = self._counting[number]
                        if measure.advance(changes, length):
                            return False
                        dues[number] = measure.due
                soonest = min(dues)
            rows = min(rows, soonest)
        if ledger.removed:
            for measure in self._losable:
                if measure.sinks(changes):
                    return False
            ledger.removed = False
        ledger.due = rows if rows < FULL else FULL
        return ledger.minutes < ledger.due_minutes or self._in_time(ledger)

    def _hasten(self, ledger: Ledger) -> None:
        """Rows of earlier dates came: what was promised for rows in order holds no longer."""
        for number, measure in enumerate(self._counting):
            if measure.due_late < measure.due:
                measure.due = self._dues[number] = measure.due_late
        for measure in self._timed:
            measure.due = min(measure.due, measure.due_late)
            ledger.due_minutes = min(ledger.due_minutes, measure.due)

    def _in_time(self, ledger: Ledger) -> bool:
        """Whether the minutes that came reach nothing either."""
        minutes = ledger.minutes
        if minutes >= self._minutes:
            return False
        for measure in self._timed:
            if measure.due <= minutes and measure.advance(ledger.changes, minutes):
                return False
        ledger.due_minutes = min([self._minutes, *[measure.due for measure in self._timed]])
        return True

    def due(self, ledger: Ledger) -> Iterable[int]:
        """The rules whose outcome may have changed since they were decided."""
        if ledger.news & EVERYTHING:
            return range(len(self.plan.rules))
        if ledger.late:
            self._hasten(ledger)
        changes = ledger.changes
        length = len(changes)
        rules: list[int] = []
        if (
            len(ledger.rows) >= self._rows
            or ledger.minutes >= self._minutes
            or ledger.high - ledger.low >= self._span
        ):
            rules += [rule for rule in self._lacking if not self._lacks(ledger, rule)]
        if ledger.news & TRAINING:
            rules += [rule for rule in self.plan.training if rule not in self.settled]
        if ledger.news & PAUSE:
            rules += [rule for rule in self.plan.streaks if rule not in self.settled]
        full = length >= FULL
        for measures, now in ((self._counting, length), (self._timed, ledger.minutes)):
            for measure in measures:
                if (measure.due <= now or full) and measure.advance(changes, now):
                    rules += _served(measure)
        if ledger.removed:
            for measure in self._losable:
                if measure.sinks(changes):
                    rules += _served(measure)
        return rules

    def _lacks(self, ledger: Ledger, rule: int) -> bool:
        return all(ledger.lacks(wait.least) for wait in self._lacking[rule])

    def wait(self, ledger: Ledger, rule: int, waits: Iterable[Wait]) -> None:
        """From now on a rule waits for this, and for nothing that it waited for before."""
        affected = self._watched.pop(rule, [])
        for measure in affected:
            del measure.watchers[rule]
        self._lacking.pop(rule, None)
        watched: list[Measure] = []
        for wait in waits:
            if wait.spec not in ledger.measures:
                self._lacking.setdefault(rule, []).append(wait)
                continue
            measure = ledger.measure(wait.spec)
            up, down = measure.watchers.get(rule, (NEVER, 0))
            if rule not in measure.watchers:
                watched.append(measure)
            measure.watchers[rule] = min(up, wait.up), max(down, wait.down)
        if watched:
            self._watched[rule] = watched
        for measure in affected + watched:
            measure.watch()
            measure.due = 0

    def rest(self, ledger: Ledger) -> None:
        """Say until when the ledger need not be looked at, every due rule being decided."""
        length = len(ledger.changes)
        full = length >= FULL
        if full:
            self._turn_the_page(ledger)
            length = 0
        self._counting, self._timed, self._losable = [], [], []
        for measure in ledger.measures.values():
            if not measure.watchers:
                continue
            if measure.down:
                self._losable.append(measure)
            if measure.up == NEVER:
                continue
            (self._timed if measure.in_minutes else self._counting).append(measure)
            if full or not measure.due:
                now = ledger.minutes if measure.in_minutes else length
                measure.advance(ledger.changes, now)
        self._dues = [measure.due for measure in self._counting]
        self._look_out(ledger)
        soonest = self._rows - len(ledger.rows) + length
        ledger.due = min(soonest, FULL, *self._dues)

    def _turn_the_page(self, ledger: Ledger) -> None:
        """Begin the journal anew, and keep the measures that an undecided rule asks for."""
        wanted = {
            spec
            for number, rule in enumerate(self.plan.rules)
            if number not in self.settled
            for spec in rule.specs
        }
        for spec in list(ledger.measures):
            if spec in wanted:
                ledger.measure(spec)
            else:
                del ledger.measures[spec]
        ledger.begin_anew()

    def _look_out(self, ledger: Ledger) -> None:
        """Note how many rows or minutes, or what date, end the lack that a rule waits for."""
        self._rows, self._minutes, self._span = NEVER, NEVER, AFTER_ALL
        for waits in self._lacking.values():
            for wait in waits:
                rows, minutes, span = wait.least
                if len(ledger.rows) < rows:
                    self._rows = min(self._rows, rows)
                elif ledger.minutes < minutes:
                    self._minutes = min(self._minutes, minutes)
                else:
                    self._span = min(self._span, span)
        ledger.due_high = ledger.low + self._span
        ledger.due_minutes = min([self._minutes, *[measure.due for measure in self._timed]])


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
    ledger.due, ledger.due_minutes, ledger.due_high = FULL, NEVER, AFTER_ALL
    if len(ledger.changes) >= FULL:
        ledger.begin_anew()
