"""What the metrics say of fetches and turns: counted for each of those, never for each record."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from sinks.base import Change, DeadLetter, Outcome, Turn
from streams import metrics
from streams.records import is_uuid

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


class Timed(Generic[_Item, _Answer]):
    """Work that is done in spells, with the seconds that all of them took."""

    def __init__(self, work: Callable[[Iterator[_Item]], _Answer]) -> None:
        self._work = work
        self.seconds = 0.0

    def __call__(self, items: Iterator[_Item]) -> _Answer:
        began = time.perf_counter()
        try:
            return self._work(items)
        finally:
            self.seconds += time.perf_counter() - began


def count(turn: Turn, outcome: Outcome, letters: Sequence[DeadLetter]) -> None:
    """Count a turn that was written this moment."""
    metrics.TURNS.inc()
    metrics.RECORDS.inc(turn.end - turn.start)
    metrics.NEXT_OFFSET.labels(turn.partition).set(turn.end)
    for kind, number in Counter(decision.kind for decision in turn.decisions).items():
        metrics.DECISIONS.labels(kind).inc(number)
    count_changes([*outcome.written, *outcome.accepted])
    metrics.REFUSED.inc(outcome.refused)
    metrics.DROPPED.labels("overtaken").inc(outcome.overtaken)
    metrics.DROPPED.labels("gone").inc(outcome.gone)
    for letter in letters:
        metrics.DEAD_LETTERS.labels(_set_aside_for(letter)).inc()


def count_changes(changes: Sequence[Change]) -> None:
    """Count awards that were committed this moment."""
    now = time.monotonic()
    for change in changes:
        metrics.AWARDS.labels(change.kind, change.source).inc()
        if change.caused is not None:
            metrics.COMMIT_TO_AWARD.observe(max(now - change.caused, 0.0))


def _set_aside_for(letter: DeadLetter) -> metrics.SetAsideFor:
    """Why, in a word of which there are few: `reason` may say anything."""
    if letter.table is None:
        return "unreadable"
    return "value" if letter.row_id and is_uuid(letter.row_id) else "no_row"
