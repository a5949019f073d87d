"""Evidence: what earned an award, in plain JSON types."""

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from badges.tables.conditions import Condition, Parts, Reached, Trained
from badges.tables.decisions import Cause
from badges.tables.ledger import Ledger
from badges.tables.plans import Rule
from badges.tables.rows import begins, day_in
from badges.tables.types import Day

MOST_ROWS: Final = 50


def evidence(ledger: Ledger, rule: Rule, cause: Cause) -> dict[str, Any]:
    """What badge_awards.evidence says of a grant.

    `definition_version`; `rows`, the ids of the newest of the rows that earned it, by date, at most
    50; `counts`, how much each part that holds amounts to, by its JSON path; `position` in the log.
    """
    parts = list(_holding(ledger, rule.condition, "$"))
    dated = {row_id: day for _, part in parts for row_id, day in _rows(ledger, part)}
    newest = sorted(dated, key=lambda row_id: (-dated[row_id], row_id))[:MOST_ROWS]
    return {
        "definition_version": rule.version,
        "rows": sorted(newest, key=lambda row_id: (dated[row_id], row_id)),
        "counts": {path: part.amount(ledger) for path, part in parts},
        "position": _position(cause),
    }


def _position(cause: Cause) -> dict[str, Any]:
    position: dict[str, Any] = {
        "log": cause.log_id,
        "partition": cause.partition,
        "offset": cause.offset,
    }
    if cause.turn is not None:
        position["turn"] = cause.turn
    return position


def _holding(ledger: Ledger, condition: Condition, path: str) -> Iterator[tuple[str, Condition]]:
    """The innermost conditions that hold, with their paths in the criteria."""
    if not isinstance(condition, Parts):
        yield path, condition
        return
    for index, part in enumerate(condition.parts):
        if part.holds(ledger):
            yield from _holding(ledger, part, f"{path}.of[{index}]")


def _rows(ledger: Ledger, condition: Condition) -> Iterator[tuple[str, Day]]:
    """The ids and dates of the newest rows that a condition holds by."""
    if isinstance(condition, Trained):
        yield from condition.rows(ledger)
    elif isinstance(condition, Reached):
        choice = condition.spec.choice
        last = condition.day(ledger)
        first = ledger.measure(condition.spec).first(condition.level, last)
        low = choice.low if first is None else max(choice.low, begins(first))
        high = min(choice.high, begins(last + 1))
        backwards = choice.chosen(ledger.timeline().backwards(low, high))
        oldest = deque(islice(backwards, MOST_ROWS), maxlen=1)[0]
        yield from ledger.named(choice, begins(day_in(oldest)), high)
