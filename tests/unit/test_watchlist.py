"""What a watchlist waits for, and what wakes it."""

from typing import Any

import pytest

from tables.decisions import Cause, Decision
from tables.evaluation import evaluate
from tables.ledger import Ledger
from tables.measures.specs import MINUTES, ROWS
from tables.rules import RuleBook
from tables.watchlist import Watchlist
from tests.builders import MENTOR, activity, definition, mentor, organization, pause, training

THREE = {"type": "threshold", "metric": "count", "at_least": 3}
HOUR = {"type": "threshold", "metric": "minutes", "at_least": 60}
BASIC = {"type": "training", "courses": ["basic"]}


def watched(*criteria: dict[str, Any], revocable: bool = False) -> Watchlist:
    """The watchlist of a mentor without rows, who was evaluated by definitions 0, 1, ... ."""
    ledger, book = Ledger(MENTOR), RuleBook()
    definitions = [
        definition(str(number), each, revocable=revocable) for number, each in enumerate(criteria)
    ]
    book.apply([organization(), *definitions])
    ledger.put_mentor(mentor())
    watchlist = Watchlist(ledger, book)
    look(watchlist)
    return watchlist


def look(watchlist: Watchlist) -> list[Decision]:
    return evaluate(watchlist, Cause("log", 0, 1))


def put(watchlist: Watchlist, *days: int, minutes: int = 30) -> None:
    for day in days:
        watchlist.ledger.put_activity(activity(f"r{day}", 20_000 + day, minutes=minutes))


def test_nobody_was_looked_at_yet() -> None:
    watchlist = Watchlist(Ledger(MENTOR), RuleBook())
    assert watchlist.is_stale()
    assert not watchlist.is_quiet()


def test_a_mentor_without_a_row_or_inactive_has_no_plan() -> None:
    watchlist = Watchlist(Ledger(MENTOR), RuleBook())
    assert look(watchlist) == []
    assert watchlist.plan is None
    assert watchlist.is_quiet()
    assert watchlist.wanted() == frozenset()
    watchlist.ledger.put_mentor(mentor(active=False))
    look(watchlist)
    assert watchlist.plan is None


def test_it_is_quiet_until_a_level_is_reached() -> None:
    watchlist = watched(THREE)
    for day in (1, 2):
        put(watchlist, day)
        assert watchlist.is_quiet()
    put(watchlist, 3)
    assert not watchlist.is_quiet()
    assert watchlist.due_rules() == [0]
    assert [decision.kind for decision in look(watchlist)] == ["granted"]
    assert watchlist.is_quiet()


def test_minutes_are_waited_for_as_minutes() -> None:
    watchlist = watched(HOUR)
    put(watchlist, 1, minutes=59)
    assert watchlist.is_quiet()
    put(watchlist, 2, minutes=1)
    assert not watchlist.is_quiet()


def test_a_permanent_badge_that_is_held_waits_for_nothing() -> None:
    watchlist = watched(THREE, HOUR)
    put(watchlist, 1, 2, 3)
    look(watchlist)
    assert not watchlist.is_open(0)
    assert not watchlist.is_open(1)
    assert watchlist.wanted() == frozenset()
    assert watchlist.ledger.measures == {}


def test_a_revocable_one_waits_for_its_level_to_be_lost() -> None:
    watchlist = watched(THREE, revocable=True)
    put(watchlist, 1, 2, 3, 4)
    look(watchlist)
    watchlist.ledger.drop_activity("r4")
    assert watchlist.is_quiet()
    watchlist.ledger.drop_activity("r1")
    assert not watchlist.is_quiet()
    assert [decision.kind for decision in look(watchlist)] == ["revoked"]


@pytest.mark.parametrize("revocable", [False, True])
def test_a_completion_wakes_the_rules_that_ask_for_training(*, revocable: bool) -> None:
    watchlist = watched(THREE, BASIC, revocable=revocable)
    watchlist.ledger.put_training(training("t", "ethics", 20_000))
    assert not watchlist.is_quiet()
    assert watchlist.due_rules() == [1]
    assert look(watchlist) == []
    assert watchlist.is_quiet()
    watchlist.ledger.put_training(training("u", "basic", 20_000))
    assert [decision.kind for decision in look(watchlist)] == ["granted"]
    watchlist.ledger.drop_training("u")
    assert watchlist.due_rules() == ([1] if revocable else [])


def test_of_all_only_one_part_that_fails_is_waited_for() -> None:
    watchlist = watched({"type": "all", "of": [HOUR, THREE]})
    assert set(watchlist.ledger.measures) <= {ROWS, MINUTES}
    put(watchlist, 1, 2, 3, minutes=1)
    assert watchlist.is_quiet(), "the first part still fails"
    put(watchlist, 4, minutes=60)
    assert [decision.kind for decision in look(watchlist)] == ["granted"]


def test_new_versions_and_whatever_is_no_activity_make_it_stale() -> None:
    watchlist = watched(THREE)
    watchlist.book.apply([definition("0", HOUR, version=2)])
    assert watchlist.is_stale()
    look(watchlist)
    assert not watchlist.is_stale()
    watchlist.ledger.put_pause(pause("p", 20_000))
    assert watchlist.is_stale()
    look(watchlist)
    put(watchlist, 1)
    assert not watchlist.is_stale()


def test_rows_that_come_late_may_reach_a_level_too() -> None:
    window = {"rolling_days": 2}
    watchlist = watched(THREE | {"window": window})
    put(watchlist, 1, 2, 10, 20, 30)
    assert look(watchlist) == []
    watchlist.ledger.put_activity(activity("late", 20_001))
    assert not watchlist.is_quiet()
    assert [decision.kind for decision in look(watchlist)] == ["granted"]


def test_what_it_waits_for_is_looked_at_by_itself_alone() -> None:
    """Looking changes nothing of what a ledger holds, and leaves the ledger's counts."""
    watchlist = watched(THREE, BASIC)
    put(watchlist, 1, 2)
    ledger = watchlist.ledger
    before = (ledger.revision, ledger.changed, ledger.trained, dict(ledger.rows))
    watchlist.is_quiet()
    watchlist.due_rules()
    watchlist.rearm()
    assert (ledger.revision, ledger.changed, ledger.trained, dict(ledger.rows)) == before
