"""Names held against those that an organization knows, however many there are."""

import json
from typing import Any

from badges.queries.familiarity import badge_violations, unseen_names
from badges.queries.vocabulary import Vocabulary
from tables.criteria.base import Criterion
from tables.criteria.parsing import parse

WRONG = [f"vist-{number}" for number in range(50)]
KNOWN = frozenset(f"visit-{number}" for number in range(50))


def criteria(**more: Any) -> Criterion:
    return parse(json.dumps({"version": 1, **more}))


def test_a_few_names_that_were_never_seen_have_a_hint() -> None:
    rule = criteria(type="training", courses=WRONG)
    warnings = unseen_names(rule, Vocabulary({"course": KNOWN, "activity_type": KNOWN}), "en")
    assert len(warnings) == 21
    assert sum("visit" in warning for warning in warnings) == 5


def test_a_few_badges_that_are_not_there_have_a_hint() -> None:
    rule = criteria(type="badges", badges=WRONG)
    violations = badge_violations(rule, Vocabulary({"badge": KNOWN}), None, "en")
    assert len(violations) == 50
    assert sum(each.hint is not None for each in violations) == 5


def test_a_circle_is_found_among_badges_that_all_ask_for_those_before_them() -> None:
    keys = [f"b{number}" for number in range(200)]
    badges = {
        key: json.dumps({"version": 1, "type": "badges", "badges": keys[:number] or ["closing"]})
        for number, key in enumerate(keys)
    }
    known = Vocabulary({"badge": frozenset(badges)}, badges)
    rule = criteria(type="badges", badges=keys)
    assert badge_violations(rule, known, "elsewhere", "en") == []
    circles = badge_violations(rule, known, "closing", "en")
    assert len(circles) == 200
    assert "closing -> b0 -> closing" in circles[0].message
