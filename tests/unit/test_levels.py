"""One badge near its level: held exactly while a reading from scratch says so, after every row.

Stories of many badges are long; here levels are low, rows close together, and every row may count.
"""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reference.reading import Rows, true_since
from tables.decisions import Cause
from tables.evaluation import evaluate
from tables.ledger import Ledger
from tables.rules import RuleBook
from tables.types import Activity
from tables.watchlist import Watchlist
from tests.builders import MENTOR, activity, definition, mentor, organization
from tests.seeds import seeds

METRICS = st.sampled_from(["count", "minutes", "active_days", "distinct_types"])
WINDOWS = st.one_of(
    st.builds(lambda days: {"rolling_days": days}, st.integers(1, 7)),
    st.builds(lambda period: {"calendar": period}, st.sampled_from(["week", "month"])),
    st.none(),
)
TYPES = st.sampled_from([None, ["visit"], ["visit", "phone"]])
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 1, 1, 2, 4, 9, -1, -3, -12]),
        st.sampled_from(["visit", "visit", "phone", "chat"]),
        st.integers(0, 3),
        st.integers(0, 9),
    ),
    min_size=10,
    max_size=80,
)
"""By how many days the date goes on, a type, minutes, and what else happens: see `_play`."""
MANY = 8
"""So many rows and a few more are there at a time, so that every level is near."""


@st.composite
def thresholds(draw: st.DrawFn) -> dict[str, Any]:
    metric, window, types = draw(METRICS), draw(WINDOWS), draw(TYPES)
    found: dict[str, Any] = {"type": "threshold", "metric": metric}
    found["at_least"] = draw(st.integers(2, 9))
    if metric == "distinct_types":
        found["at_least"] = draw(st.integers(2, 3))
    if metric == "active_days" and window and "rolling_days" in window:
        found["at_least"] = min(found["at_least"], window["rolling_days"])
    return (
        found
        | ({"window": window} if window else {})
        | ({"activity_types": types} if types else {})
    )


@st.composite
def streaks(draw: st.DrawFn) -> dict[str, Any]:
    types = draw(TYPES)
    found: dict[str, Any] = {
        "type": "streak",
        "period": draw(st.sampled_from(["day", "day", "week"])),
        "length": draw(st.integers(2, 6)),
        "grace": draw(st.integers(0, 2)),
        "per_period": draw(st.integers(1, 3)),
        "metric": draw(st.sampled_from(["count", "minutes"])),
    }
    if types:
        found["activity_types"] = types
    return found


def _held(ledger: Ledger, watchlist: Watchlist, number: int) -> bool:
    evaluate(watchlist, Cause("log", 0, number))
    award = ledger.held.get("a")
    return award is not None and award.revoked_by is None


def _play(ledger: Ledger, steps: list[tuple[int, str, int, int]]) -> Iterator[list[Activity]]:
    """Put and take rows, and yield those that are there after each."""
    rows: dict[str, Activity] = {}
    newest = 20_000
    for number, (step, kind, minutes, chance) in enumerate(steps):
        day = newest + step
        newest = max(newest, day)
        taken = sorted(rows)[number % len(rows)] if rows else None
        if taken and (chance == 0 or (chance == 2 and len(rows) >= MANY)):
            del rows[taken]
            ledger.drop_activity(taken)
        else:
            name = taken if taken and chance == 1 else f"{number:02}"
            rows[name] = activity(name, day, kind, minutes)
            ledger.put_activity(rows[name])
        yield list(rows.values())


@settings(max_examples=len(seeds(400)), deadline=None, suppress_health_check=list(HealthCheck))
@given(criteria=st.one_of(thresholds(), streaks()), revocable=st.booleans(), steps=STEPS)
def test_a_badge_is_held_exactly_while_its_level_is_reached(
    criteria: dict[str, Any], revocable: bool, steps: list[tuple[int, str, int, int]]
) -> None:
    book, ledger = RuleBook(), Ledger(MENTOR)
    watchlist = Watchlist(ledger, book)
    book.apply([organization(), definition("a", criteria, revocable=revocable)])
    ledger.put_mentor(mentor())
    due = False
    for number, activities in enumerate(_play(ledger, steps)):
        reached = true_since(criteria, Rows(activities, [], [], lambda _: None, UTC)) is not None
        due = reached or (due and not revocable)
        assert _held(ledger, watchlist, number) == due


def _one_badge(criteria: dict[str, Any], days: list[int]) -> tuple[Ledger, Watchlist]:
    """A mentor with a row on each day and another much later, decided, and a revocable badge."""
    book, ledger = RuleBook(), Ledger(MENTOR)
    watchlist = Watchlist(ledger, book)
    book.apply([organization(), definition("a", criteria, revocable=True)])
    ledger.put_mentor(mentor())
    for number, day in enumerate([*days, 1000]):
        ledger.put_activity(activity(f"{day}", day))
        _held(ledger, watchlist, number)
    return ledger, watchlist


@pytest.mark.parametrize("days", range(1, 5))
@pytest.mark.parametrize("grace", [0, 1])
def test_a_late_row_that_joins_two_runs_is_seen_at_once(days: int, grace: int) -> None:
    criteria = {"type": "streak", "period": "day", "length": 2 * days + 1, "grace": grace}
    apart = 1 + grace
    runs = [
        *range(0, days * apart, apart),
        *range((days + 1) * apart, (2 * days + 1) * apart, apart),
    ]
    ledger, watchlist = _one_badge(criteria, runs)
    assert not _held(ledger, watchlist, 100)
    ledger.put_activity(activity("late", days * apart))
    assert _held(ledger, watchlist, 101)


WINDOW_OF_3 = {
    "type": "threshold",
    "metric": "count",
    "at_least": 3,
    "window": {"rolling_days": 3},
}


@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize("late", range(3))
def test_a_late_row_that_fills_a_window_is_seen_at_once(first: int, late: int) -> None:
    ledger, watchlist = _one_badge(WINDOW_OF_3, [first + day for day in range(3) if day != late])
    assert not _held(ledger, watchlist, 100)
    ledger.put_activity(activity("late", first + late))
    assert _held(ledger, watchlist, 101)
    ledger.drop_activity(f"{first + (late + 1) % 3}")
    assert not _held(ledger, watchlist, 102)


@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize("gone", range(3))
def test_any_row_of_a_full_window_that_goes_is_missed_at_once(first: int, gone: int) -> None:
    ledger, watchlist = _one_badge(WINDOW_OF_3, [first, first + 1, first + 2])
    assert _held(ledger, watchlist, 100)
    ledger.drop_activity(f"{first + gone}")
    assert not _held(ledger, watchlist, 101)
