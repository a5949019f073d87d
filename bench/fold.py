"""What the fold alone costs, without Kafka, decoding or Postgres.

How the cost of an event depends on the length of its mentor's history, and the memory of a row.
"""

import gc
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from random import Random
from uuid import UUID

from bench.definitions import ORGANIZATION, versions
from bench.events import FIRST_DAY, MINUTES, TYPES
from bench.figures import Figure, Target
from bench.site import Bench
from tables.decisions import Cause
from tables.evaluation import evaluate
from tables.ledger import Ledger
from tables.rules import RuleBook
from tables.types import Activity, Mentor
from tables.watchlist import Watchlist

LENGTHS = (500, 5_000, 50_000)
"""Rows of history of a mentor."""
TOTAL = 50_000
"""Rows of all mentors together: as much for the caches to hold, however long each history is."""
WAVE = 20
"""Rows of each mentor that come before they go."""
CAUSE = Cause("log", 0, 0)
ALIKE = Target(at_most=1.3, of_ratio=True)


def history(bench: Bench) -> list[Figure]:
    """An append and a retraction for mentors with histories of different lengths."""
    events, rounds = bench.size(20_000, 2_000), bench.size(3, 1)
    lengths = LENGTHS if not bench.quick else LENGTHS[:2]
    costs = {length: _least(length, events, rounds) for length in lengths}
    return [
        Figure(
            f"{action}_{length}",
            costs[length][place],
            "us/event",
            f"{words} for a mentor with {length:,} rows; baseline: with {lengths[0]:,}",
            costs[lengths[0]][place] if length != lengths[0] else None,
            ALIKE if length != lengths[0] else None,
        )
        for place, (action, words) in enumerate(
            [("append", "a new row, 20 definitions"), ("retract", "a deleted row")]
        )
        for length in lengths
    ]


def memory(bench: Bench) -> list[Figure]:
    """Bytes that the fold holds an activity row, the row's id and everything derived included."""
    total = bench.size(100_000, 20_000)
    return [
        Figure(
            f"memory_{length}",
            _bytes_a_row(length, total),
            "bytes/row",
            f"held for an activity of a mentor who has {length:,}",
            target=Target(at_most=250),
        )
        for length in LENGTHS
        if length <= total
    ]


def _least(length: int, events: int, rounds: int) -> tuple[float, float]:
    """The least of some rounds: what disturbs a measurement only ever adds to it."""
    book = RuleBook()
    book.apply(versions(length / LENGTHS[0], _days(length) / LENGTHS[0]))
    random = Random(2)
    mentors = [_with_history(book, length, random) for _ in range(TOTAL // length)]
    found = [_append_and_retract(mentors, length, events, random) for _ in range(rounds)]
    return min(append for append, _ in found), min(retract for _, retract in found)


def _append_and_retract(
    mentors: Sequence[Watchlist], length: int, events: int, random: Random
) -> tuple[float, float]:
    """Microseconds for a row that comes and for one that goes.

    They come and go in waves, so that each mentor's rows stay about as many as they are.
    """
    appending = retracting = 0.0
    days = _days(length)
    gc.collect()
    for _ in range(events // len(mentors) // WAVE):
        rows = [
            (mentor, _row(mentor.ledger.mentor_id, FIRST_DAY + random.randrange(days), random))
            for _ in range(WAVE)
            for mentor in mentors
        ]
        began = time.process_time()
        for watchlist, row in rows:
            watchlist.ledger.put_activity(row)
            evaluate(watchlist, CAUSE)
        between = time.process_time()
        for watchlist, row in rows:
            watchlist.ledger.drop_activity(row.id)
            evaluate(watchlist, CAUSE)
        appending += between - began
        retracting += time.process_time() - between
    return appending / events * 1e6, retracting / events * 1e6


def _bytes_a_row(length: int, total: int) -> float:
    random = Random(3)
    book = RuleBook()
    book.apply(versions())
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    mentors = [_with_history(book, length, random) for _ in range(total // length)]
    for mentor in mentors:
        mentor.ledger.stats()
    gc.collect()
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return used / total


def _with_history(book: RuleBook, length: int, random: Random) -> Watchlist:
    """A mentor who has lived through `length` rows, decided after each."""
    ledger = Ledger(str(UUID(int=random.getrandbits(128))))
    watchlist = Watchlist(ledger, book)
    ledger.put_mentor(Mentor(ledger.mentor_id, ORGANIZATION, True))
    for row in _life(ledger.mentor_id, length, random):
        ledger.put_activity(row)
        evaluate(watchlist, CAUSE)
    return watchlist


def _life(mentor: str, length: int, random: Random) -> Iterator[Activity]:
    """Rows mostly in date order, one in 20 some weeks late."""
    for place in range(length):
        late = random.randrange(60) if random.random() < 0.05 else 0
        yield _row(mentor, FIRST_DAY + place * _days(length) // length - late, random)


def _days(length: int) -> int:
    """Over how many days a history goes: 1,500 and more rows are four years of work."""
    return min(length, 1500)


def _row(mentor: str, day: int, random: Random) -> Activity:
    row_id = str(UUID(int=random.getrandbits(128)))
    return Activity(row_id, mentor, random.choice(TYPES), day, random.choice(MINUTES))
