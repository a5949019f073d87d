"""Up to which heartbeat everything is decided, by the ends that the log had at each."""

from datetime import UTC, datetime, timedelta

from streams.lag import decided_until
from streams.lag.decided_until import Marks

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(second: int) -> datetime:
    """So many seconds past noon."""
    return NOON + timedelta(seconds=second)


def test_a_heartbeat_is_passed_once_every_partition_is_at_the_ends_of_then() -> None:
    marks = Marks()
    marks.add(at(0), [10, 0])
    marks.add(at(1), [20, 5])
    assert marks.passed({0: 9, 1: 7}) is None
    assert marks.passed({0: 15, 1: 7}) == at(0)
    assert marks.passed({0: 25, 1: 4}) is None
    assert marks.passed({0: 25, 1: 5}) == at(1)


def test_all_that_were_passed_give_the_newest() -> None:
    marks = Marks()
    for second in range(3):
        marks.add(at(second), [second])
    assert marks.passed({0: 1}) == at(1)
    assert marks.passed({0: 1}) is None


def test_a_partition_of_which_nothing_is_known_has_passed_nothing() -> None:
    marks = Marks()
    marks.add(at(0), [1, 1])
    assert marks.passed({0: 1}) is None


def test_a_heartbeat_is_noted_with_the_ends_that_were_read_first() -> None:
    marks = Marks()
    marks.add(at(0), [1])
    marks.add(at(0), [9])
    assert marks.passed({0: 1}) == at(0)


def test_a_long_backlog_keeps_few_of_them_and_the_newest() -> None:
    marks = Marks()
    number = decided_until._MOST_MARKS * 20
    for second in range(number):
        marks.add(at(second), [second])
    assert len(marks._marks) <= decided_until._MOST_MARKS
    assert marks.passed({0: number}) == at(number - 1)
