"""Names count by their first 200 characters."""

import pytest

from tables.types import counted
from tests.builders import LONG, Put, Took, activity, definition, mentor, organization, training
from tests.unit.stories import Fold, told

VARIANTS = [LONG, LONG + "1", LONG + "\N{SPARKLES}" * 3000]
SIX = [Put(activity(f"r{n}", n, VARIANTS[n % 3])) for n in range(6)]


def test_the_cut_is_between_characters() -> None:
    assert [counted(name) for name in VARIANTS] == [LONG] * 3
    assert len(LONG) == 200
    assert counted(LONG[:-1]) != LONG


@pytest.mark.parametrize(
    ("metric", "level", "on"),
    [("count", 6, 5), ("distinct_types", 1, 0), ("distinct_types", 2, None)],
)
def test_types_that_begin_alike_are_one(metric: str, level: int, on: int | None) -> None:
    named = {"type": "threshold", "metric": metric, "at_least": level, "activity_types": [LONG]}
    held = told(Took((organization(), definition("a", named))), Put(mentor()), *SIX)
    assert [award.earned_on for award in held.values()] == ([] if on is None else [on])


def test_courses_that_begin_alike_are_one() -> None:
    course = definition("a", {"type": "training", "courses": [LONG]})
    rows = [Put(training("r1", LONG[:-1], 1)), Put(training("r2", VARIANTS[1], 2))]
    held = told(Took((organization(), course)), Put(mentor()), *rows)
    assert held["a"].earned_on == 2


def test_a_row_that_changes_beyond_what_counts_is_no_event() -> None:
    fold = Fold()
    assert fold.fold(Put(activity("r", 1, VARIANTS[0])))
    assert not fold.fold(Put(activity("r", 1, VARIANTS[2])))
    assert fold.ledger.stats().counts_by_type == {LONG: 1}
    assert fold.fold(Put(training("t", VARIANTS[1], 1)))
    assert not fold.fold(Put(training("t", VARIANTS[2], 1)))
