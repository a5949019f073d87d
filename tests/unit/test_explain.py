from tables.ledger import Ledger
from tables.rules import RuleBook
from tests.builders import MENTOR, activity, definition, mentor, organization, training
from tests.explain import Standing, explain


def explained(criteria: dict[str, object], *, rows: int = 3) -> Standing:
    book = RuleBook()
    book.apply([organization(), definition("badge", criteria)])
    ledger = Ledger(MENTOR)
    ledger.put_mentor(mentor())
    for number in range(1, rows + 1):
        ledger.put_activity(activity(str(number), f"2026-01-{number:02}", minutes=20))
    ledger.put_training(training("t", "basic", "2026-01-01"))
    return explain(ledger, book)["badge"]


def test_a_threshold_says_how_much_is_done_and_missing() -> None:
    standing = explained({"type": "threshold", "metric": "minutes", "at_least": 90})
    assert (standing.done, standing.needed, standing.percent) == (60, 90, 66)
    assert standing.missing == "30 more minutes"
    assert not standing.holds


def test_windows_stand_at_their_best() -> None:
    window = {"rolling_days": 2}
    standing = explained({"type": "threshold", "metric": "count", "at_least": 4, "window": window})
    assert (standing.done, standing.missing) == (2, "2 more activities within any 2 days")


def test_a_streak_says_the_longest_so_far() -> None:
    standing = explained({"type": "streak", "period": "day", "length": 7})
    assert standing.done == 3
    assert standing.missing == "7 days in a row with 1 activity each: the longest so far is 3"


def test_tiers_stand_towards_the_next_one() -> None:
    tiers = [{"name": "bronze", "at_least": 2}, {"name": "silver", "at_least": 10}]
    standing = explained({"type": "tier", "metric": "count", "tiers": tiers})
    assert (standing.done, standing.needed, standing.percent) == (3, 10, 30)
    assert standing.missing == "7 more activities"


def test_all_and_any_stand_by_their_nearest_parts() -> None:
    done = {"type": "threshold", "metric": "count", "at_least": 3}
    half = {"type": "training", "courses": ["basic", "ethics"]}
    nothing = {"type": "badges", "badges": ["badge-1", "badge-2"]}
    both = explained({"type": "all", "of": [done, half]})
    assert (both.done, both.needed, both.percent) == (1, 2, 75)
    assert [part.path for part in both.parts] == ["$.of[0]", "$.of[1]"]
    assert both.parts[1].missing == "1 more of the courses basic and ethics"
    either = explained({"type": "any", "of": [nothing, half]})
    assert (either.done, either.needed, either.percent) == (0, 1, 50)
    assert either.parts[0].missing == "the badges badge-1 and badge-2"


def test_what_holds_lacks_nothing() -> None:
    standing = explained({"type": "threshold", "metric": "count", "at_least": 2})
    assert (standing.done, standing.percent, standing.missing) == (2, 100, "")
    assert standing.holds


def test_whoever_has_no_row_stands_nowhere() -> None:
    book = RuleBook()
    book.apply([definition("badge", {"type": "training", "courses": ["basic"]})])
    assert explain(Ledger(MENTOR), book) == {}
