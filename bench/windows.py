"""What a window costs that is one short of its level for ever, in every metric.

Such a badge is asked after at every row, and never given. A mentor's life goes on evenly, so that
every window comes to the same: a row that is appended replaces one that leaves the window, and one
that is taken back is put again.
"""

import gc
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from random import Random

from bench.definitions import ORGANIZATION, criteria_text
from bench.events import FIRST_DAY
from bench.figures import Figure, Target
from bench.site import Bench
from tables.decisions import Cause
from tables.evaluation import evaluate
from tables.ledger import Ledger
from tables.measures.amounts import Metric
from tables.rules import RuleBook
from tables.types import Activity, DefinitionVersion, Mentor, OrganizationVersion
from tables.watchlist import Watchlist

METRICS: tuple[Metric, ...] = ("count", "minutes", "active_days", "distinct_types")
LENGTHS = (1_500, 15_000)
"""Rows of a mentor's history: a year and a half, and fifteen years."""
TOTAL = 15_000
"""Rows of all mentors together: as much for the caches to hold, however long each history is."""
WINDOW = 90
DAILY = 3
"""Rows of a day, each of another type."""
FREE = 30
"""Each such day there is none, or no window could be a day short."""
MINUTES = 45
CAUSE = Cause("log", 0, 0)
SAVED = datetime(2026, 1, 1, tzinfo=UTC)
ACTIONS = {"append": "a new row", "back": "a row taken back, or put again"}


def measure(bench: Bench) -> list[Figure]:
    """Each metric beside count, each history beside the shorter one."""
    events, rounds = bench.size(6_000, 600), bench.size(5, 1)
    costs = {
        (metric, length): _least(metric, length, events, rounds)
        for length in LENGTHS
        for metric in METRICS
    }
    short, long = LENGTHS
    return [
        *(
            Figure(
                f"window_{action}_{metric}_{length}",
                costs[metric, length][action],
                "us/event",
                f"{words}, {length:,} rows, a window of {metric} one short; baseline: of count",
                None if metric == "count" else costs["count", length][action],
                None if metric == "count" else Target(at_most=3, of_ratio=True),
            )
            for action, words in ACTIONS.items()
            for length in LENGTHS
            for metric in METRICS
        ),
        *(
            Figure(
                f"window_{action}_{metric}_growth",
                costs[metric, long][action],
                "us/event",
                f"{words}, {long:,} rows; baseline: {short:,} rows",
                costs[metric, short][action],
                Target(at_most=1.3, of_ratio=True),
            )
            for action, words in ACTIONS.items()
            for metric in METRICS
        ),
    ]


def _least(metric: Metric, length: int, events: int, rounds: int) -> dict[str, float]:
    """Microseconds an event; the least of some rounds, as what disturbs one only ever adds."""
    found = [_measured(metric, length, events) for _ in range(rounds)]
    return {action: min(each[action] for each in found) * 1e6 / events for action in ACTIONS}


def _measured(metric: Metric, length: int, events: int) -> dict[str, float]:
    """The seconds that it takes to decide after so many rows of each action."""
    mentors = [_one_short(metric, str(number)) for number in range(TOTAL // length)]
    lives = [_life(mentor.ledger.mentor_id) for mentor in mentors]
    for watchlist, life in zip(mentors, lives, strict=True):
        for row in islice(life, length):
            watchlist.ledger.put_activity(row)
            evaluate(watchlist, CAUSE)
    random = Random(4)
    new: list[tuple[Watchlist, Activity]] = []
    old: list[tuple[Watchlist, Activity]] = []
    for _ in range(events // len(mentors)):
        for watchlist, life in zip(mentors, lives, strict=True):
            new.append((watchlist, next(life)))
            if len(old) < events // 2:
                past = _life(watchlist.ledger.mentor_id, random.randrange(length))
                old.append((watchlist, next(past)))
    gc.collect()
    began = time.process_time()
    for watchlist, row in new:
        watchlist.ledger.put_activity(row)
        evaluate(watchlist, CAUSE)
    between = time.process_time()
    for watchlist, row in old:
        watchlist.ledger.drop_activity(row.id)
        evaluate(watchlist, CAUSE)
        watchlist.ledger.put_activity(row)
        evaluate(watchlist, CAUSE)
    ended = time.process_time()
    held = any(mentor.ledger.held for mentor in mentors)
    assert not held, f"the window of {metric} is not one short"
    return {"append": between - began, "back": ended - between}


def _life(mentor: str, number: int = 0) -> Iterator[Activity]:
    """Some rows a day, of a type each, but for the free days; from the row of a number on."""
    while True:
        busy, kind = divmod(number, DAILY)
        day = FIRST_DAY + busy + busy // (FREE - 1)
        yield Activity(f"{mentor} {number}", mentor, f"type {kind}", day, MINUTES)
        number += 1


def _one_short(metric: Metric, mentor: str) -> Watchlist:
    """A rule whose level is one above the best window of such a life, and a new mentor."""
    days = Counter(row.activity_date for row in islice(_life(""), DAILY * WINDOW))
    active = sum(day < FIRST_DAY + WINDOW for day in days)
    best = {
        "count": DAILY * active,
        "minutes": DAILY * active * MINUTES,
        "active_days": active,
        "distinct_types": DAILY,
    }[metric]
    criteria = {
        "type": "threshold",
        "metric": metric,
        "at_least": best + 1,
        "window": {"rolling_days": WINDOW},
    }
    book, ledger = RuleBook(), Ledger(mentor)
    book.apply(
        [
            OrganizationVersion(ORGANIZATION, 1, SAVED, "Europe/Oslo"),
            DefinitionVersion(
                id="one short",
                version=1,
                saved_at=SAVED,
                deleted=False,
                key="one-short",
                criteria=criteria_text(criteria),
                status="active",
            ),
        ]
    )
    ledger.put_mentor(Mentor(mentor, ORGANIZATION, True))
    return Watchlist(ledger, book)
