import json
from collections.abc import Mapping
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tables.criteria.base import Criterion
from tables.criteria.parsing import parse
from tables.criteria.standing import Standing, standing
from tables.languages import Language
from tables.ledger import Ledger
from tables.rules import RuleBook
from tests.builders import MENTOR, activity, definition, mentor, organization, training
from tests.documents import documents
from tests.explain import explain


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
    stands = explained({"type": "threshold", "metric": "minutes", "at_least": 90})
    assert (stands.done, stands.needed, stands.percent) == (60, 90, 66)
    assert (stands.unit, stands.missing) == ("minutes", "30 more minutes")
    assert not stands.holds


def test_windows_stand_at_their_best() -> None:
    window = {"rolling_days": 2}
    stands = explained({"type": "threshold", "metric": "count", "at_least": 4, "window": window})
    assert (stands.done, stands.missing) == (2, "2 more activities within any 2 days")


def test_a_streak_says_the_longest_so_far() -> None:
    stands = explained({"type": "streak", "period": "day", "length": 7})
    assert stands.done == 3
    assert stands.missing == "7 days in a row with 1 activity each: the longest so far is 3"


def test_tiers_stand_towards_the_next_one() -> None:
    assert _tier(1) == (1, 2, 50, "bronze", "1 more activity")
    assert _tier(3) == (3, 10, 100, "silver", None)
    assert _tier(12) == (10, 10, 100, None, None)


def test_the_next_tier_is_above_the_one_that_is_held() -> None:
    assert _tier(1, "bronze") == (1, 10, 50, "silver", "1 more activity")
    assert _tier(3, "a name of before") == (3, 10, 100, "silver", None)


def _tier(amount: int, held: str | None = None) -> tuple[int, int, int, str | None, str | None]:
    tiers = [{"name": "bronze", "at_least": 2}, {"name": "silver", "at_least": 10}]
    criteria = parse(json.dumps({"version": 1, "type": "tier", "metric": "count", "tiers": tiers}))
    stands = standing(criteria, {"$": amount}, tier=held)
    return stands.done, stands.needed, stands.percent, stands.next_tier, stands.missing


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
    stands = explained({"type": "threshold", "metric": "count", "at_least": 2})
    assert (stands.done, stands.percent, stands.missing) == (2, 100, None)
    assert stands.holds


def test_whoever_has_no_row_stands_nowhere() -> None:
    book = RuleBook()
    book.apply([definition("badge", {"type": "training", "courses": ["basic"]})])
    assert explain(Ledger(MENTOR), book) == {}


LANGUAGES: tuple[Language, ...] = ("en", "nb")


@given(document=documents(), random=st.randoms(use_true_random=False))
def test_a_hundred_percent_are_exactly_what_holds(document: str, random: Random) -> None:
    criteria = parse(document)
    amounts = {path: random.choice((0, 1, 2, 3, 10**6)) for path in _paths(criteria)}
    for language in LANGUAGES:
        stands = standing(criteria, amounts, language)
        _check(stands)
        assert stands.holds == (_there_is(stands, amounts) >= criteria.needed(0))


def _paths(criteria: Criterion, path: str = "$") -> list[str]:
    inner = [_paths(part, f"{path}.of[{n}]") for n, part in enumerate(criteria.parts)]
    return [path, *(each for some in inner for each in some)]


def _there_is(stands: Standing, amounts: Mapping[str, int]) -> int:
    """How much there is: of criteria with parts, how many of those hold."""
    if not stands.parts:
        return amounts[stands.path]
    return sum(part.percent == 100 for part in stands.parts)


def _check(stands: Standing) -> None:
    assert 0 <= stands.done <= stands.needed
    assert 0 <= stands.percent <= 100
    assert (stands.percent == 100) == (stands.missing is None)
    assert stands.unit
    assert stands.missing != ""
    for part in stands.parts:
        assert part.next_tier is None
        _check(part)
