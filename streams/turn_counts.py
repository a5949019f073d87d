"""What the metrics say of a turn that was written."""

from collections.abc import Sequence

from sinks.base import DeadLetter, Outcome, Turn
from streams import metrics


def count(turn: Turn, outcome: Outcome, letters: Sequence[DeadLetter]) -> None:
    metrics.TURNS.inc()
    metrics.RECORDS.inc(turn.end - turn.start)
    metrics.AWARDS.inc(outcome.written + outcome.accepted)
    metrics.REFUSED.inc(outcome.refused)
    metrics.DROPPED.labels("overtaken").inc(outcome.overtaken)
    metrics.DROPPED.labels("gone").inc(outcome.gone)
    metrics.DEAD_LETTERS.inc(len(letters))
    metrics.NEXT_OFFSET.labels(turn.partition).set(turn.end)
