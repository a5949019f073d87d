"""Evidence: what earned an award, in plain JSON types."""

from collections.abc import Iterator
from typing import Any, Final

from tables.criteria.condition import Condition
from tables.decisions import Cause
from tables.ledger import Ledger
from tables.periods import as_date
from tables.plans import Rule
from tables.types import Day

_MOST_ROWS: Final = 50


def evidence(ledger: Ledger, rule: Rule, day: Day, cause: Cause) -> dict[str, Any]:
    """What badge_awards.evidence says of a grant.

    `definition_version`; `earned_on`, the date `day` that the rule's condition came true on, or the
    nearest in the years 1 to 9999; `rows`, the ids of the newest of the rows that earned it, by
    date, at most 50; `counts`, how much each part that holds amounts to, by its JSON path;
    `position` in the log.
    """
    parts = list(_holding(ledger, rule.condition, "$", day))
    rows = [row for _, part, since in parts for row in part.rows(ledger, since, _MOST_ROWS)]
    if len(parts) > 1:
        rows = sorted(set(rows))
    return {
        "definition_version": rule.version,
        "earned_on": as_date(day).isoformat(),
        "rows": [row_id for _, row_id in rows[-_MOST_ROWS:]],
        "counts": {path: part.amount(ledger, since) for path, part, since in parts},
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


def _holding(
    ledger: Ledger, condition: Condition, path: str, day: Day
) -> Iterator[tuple[str, Condition, Day]]:
    """The innermost conditions that held by a day, with their paths and their dates.

    Of several parts some may have come true later, when they were not needed any more.
    """
    if not condition.parts:
        yield path, condition, day
        return
    for index, part in enumerate(condition.parts):
        if part.holds(ledger) and (since := part.day(ledger)) <= day:
            yield from _holding(ledger, part, f"{path}.of[{index}]", since)
