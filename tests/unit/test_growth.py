"""What an event costs does not grow with its mentor's history, whatever is asked for.

Counted are the lines that run in the fold, each turn of a loop anew, also of one within a line. No
other load on the machine changes their number.
"""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest

import tables
from tables.decisions import Cause
from tables.evaluation import evaluate
from tables.ledger import Ledger
from tables.rules import RuleBook
from tables.types import Activity
from tables.watchlist import Watchlist
from tests.builders import MENTOR, activity, definition, mentor, organization
from tests.explain import explain

METRICS = ["count", "minutes", "active_days", "distinct_types"]
LENGTHS = (300, 2_400)
"""Days of history."""
KINDS = ["visit", "phone"]
EVENTS = 150
"""Days that come, or are taken back and come again."""
BUSY, FREE = 6, 2
"""Days with rows, and the days without that follow."""
GROWTH = 1.3
CAUSE = Cause("log", 0, 0)
FOLD = str(Path(tables.__file__).parent)


@cache
def life(days: int) -> tuple[list[Activity], ...]:
    """A mentor's rows of so many days, all alike, with free days in between."""
    return tuple(
        [activity(f"{day}-{kind}", day + day // BUSY * FREE, kind, 30) for kind in KINDS]
        for day in range(days)
    )


def lines(work: Callable[[], None]) -> int:
    """How many lines of the fold some work takes."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        if event == "call":
            if not frame.f_code.co_filename.startswith(FOLD):
                return None
        elif event == "line":
            count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def asking(criteria: dict[str, Any], key: str, level: int) -> Watchlist:
    book, ledger = RuleBook(), Ledger(MENTOR)
    book.apply([organization(), definition("a", criteria | {key: level}, revocable=True)])
    ledger.put_mentor(mentor())
    return Watchlist(ledger, book)


def live(watchlist: Watchlist, days: Sequence[list[Activity]]) -> None:
    for row in chain.from_iterable(days):
        watchlist.ledger.put_activity(row)
        evaluate(watchlist, CAUSE)


def go_back(watchlist: Watchlist, days: Sequence[list[Activity]]) -> None:
    """Take the rows of each day back, and put them again."""
    for rows in days:
        for row in rows:
            watchlist.ledger.drop_activity(row.id)
            evaluate(watchlist, CAUSE)
        live(watchlist, (rows,))


def reached(criteria: dict[str, Any], key: str, most: int, days: Sequence[list[Activity]]) -> int:
    """The highest level that all the rows together reach."""
    watchlist = asking(criteria, key, most)
    for row in chain.from_iterable(days):
        watchlist.ledger.put_activity(row)
    return explain(watchlist.ledger, watchlist.book)["a"].done


def costs(criteria: dict[str, Any], key: str, most: int, days: int, *, short: int) -> Counter[str]:
    """Lines for rows that come, and for rows taken back, `short` of a level for ever."""
    rows = life(days + EVENTS)
    best = reached(criteria, key, most, rows)
    assert 0 < best < most
    watchlist = asking(criteria, key, best + short)
    live(watchlist, rows[:-EVENTS])
    old = Random(1).choices(rows[:days], k=EVENTS)
    counted = Counter(
        come=lines(lambda: live(watchlist, rows[-EVENTS:])),
        back=lines(lambda: go_back(watchlist, old)),
    )
    assert (watchlist.ledger.held != {}) == (short < 1)
    return counted


def windows(metric: str, **window: Any) -> tuple[dict[str, Any], str, int]:
    days = window.get("rolling_days", 31)
    criteria = {"type": "threshold", "metric": metric, "window": window}
    return criteria, "at_least", days if metric == "active_days" else 10**6


def streaks(**criteria: Any) -> tuple[dict[str, Any], str, int]:
    return {"type": "streak", **criteria}, "length", 1000


ASKED = {
    **{
        f"{metric} in {days} days": windows(metric, rolling_days=days)
        for metric in METRICS
        for days in (7, 30, 200)
    },
    **{f"{metric} in a month": windows(metric, calendar="month") for metric in METRICS},
    "days in a row": streaks(period="day"),
    "days in a row of a type": streaks(period="day", activity_types=["visit"]),
    "days in a row but for one": streaks(period="day", grace=1),
    **{
        f"days in a row, {metric}": streaks(period="day", metric=metric, per_period=2)
        for metric in ("count", "minutes", "distinct_types")
    },
}


@pytest.mark.parametrize("short", [1, 0])
@pytest.mark.parametrize("asked", ASKED)
def test_an_event_is_no_dearer_with_a_longer_history(asked: str, short: int) -> None:
    few, many = (costs(*ASKED[asked], days, short=short) for days in LENGTHS)
    assert many["come"] < GROWTH * few["come"]
    assert many["back"] < GROWTH * few["back"]


@pytest.mark.parametrize("days", [30, 3_660])
def test_no_metric_is_much_dearer_than_count(days: int) -> None:
    asked = {metric: windows(metric, rolling_days=days) for metric in METRICS}
    found = {metric: costs(*asked[metric], days + 600, short=1) for metric in METRICS}
    for event in ("come", "back"):
        assert max(cost[event] for cost in found.values()) < 3 * found["count"][event]


@pytest.mark.parametrize("metric", METRICS)
def test_a_row_of_the_longest_window_costs_little(metric: str) -> None:
    month = costs(*windows(metric, rolling_days=30), 4_500, short=1)
    years = costs(*windows(metric, rolling_days=3_660), 4_500, short=1)
    assert years["come"] < 2 * month["come"]
    assert years["back"] < 4 * month["back"]
