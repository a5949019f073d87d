import itertools

from tables.decisions import Cause
from tables.evaluation import evaluate
from tables.ledger import Ledger
from tables.rules import RuleBook
from tables.types import Award, DefinitionVersion, Version
from tables.watchlist import Watchlist
from tests.builders import (
    FIRST_SAVE,
    MENTOR,
    ORGANIZATION,
    OTHER_ORGANIZATION,
    activity,
    definition,
    mentor,
    organization,
)

ONE = {"type": "threshold", "metric": "count", "at_least": 1}


def holding(*keys: str) -> dict[str, object]:
    return {"type": "badges", "badges": list(keys)}


def book(*versions: Version) -> RuleBook:
    rules = RuleBook()
    rules.apply([organization(), organization(OTHER_ORGANIZATION), *versions])
    return rules


def rules_of(rules: RuleBook, organization_id: str = ORGANIZATION) -> list[str]:
    return [rule.definition_id for rule in rules.plan(organization_id).rules]


def test_invalid_criteria_are_set_aside_with_their_reason_and_the_others_go_on() -> None:
    rules = book(definition("bad", '{"version": 1, "type": "x"}'), definition("good", ONE))
    assert rules_of(rules) == ["good"]
    assert rules.set_aside["bad"].startswith("invalid criteria: $.type: expected one of the types")


def test_only_active_definitions_of_the_organization_or_everyone_are_decided() -> None:
    rules = book(
        definition("draft", ONE, status="draft"),
        definition("retired", ONE, status="retired"),
        definition("own", ONE, organization_id=ORGANIZATION),
        definition("theirs", ONE, organization_id=OTHER_ORGANIZATION),
        definition("raw", {"type": "raw", "criteria_raw": 1, "reason": "by jury"}),
        definition("everyones", ONE),
    )
    assert rules_of(rules) == ["everyones", "own"]
    assert rules_of(rules, "unknown") == ["everyones"]


def test_prerequisites_are_decided_first() -> None:
    rules = book(
        definition("a", holding("b")), definition("b", holding("c", "d")), definition("c", ONE)
    )
    assert rules_of(rules) == ["c", "b", "a"]


def test_the_one_that_closes_a_cycle_is_set_aside_however_versions_come_in() -> None:
    versions = [
        definition("a", holding("b"), saved=1),
        definition("b", holding("c"), saved=2),
        definition("c", holding("a"), saved=3),
        definition("self", holding("self"), saved=4),
    ]
    for order in itertools.permutations(versions):
        rules = book()
        for version in order:
            rules.apply([version])
        assert rules_of(rules) == ["b", "a"]
        assert rules.set_aside == {
            "c": "closes a cycle of badges: c -> a -> b -> c",
            "self": "closes a cycle of badges: self -> self",
        }


def test_an_organizations_own_badge_can_close_a_cycle_for_it_alone() -> None:
    rules = book(
        definition("x", ONE, saved=1),
        definition("g", holding("x"), saved=2),
        definition("x", holding("g"), id="own-x", organization_id=ORGANIZATION, saved=3),
    )
    assert rules_of(rules) == ["g", "x"], "g waits for the own x, which nothing decides"
    assert rules_of(rules, OTHER_ORGANIZATION) == ["x", "g"]
    assert list(rules.set_aside) == ["own-x"]


def test_of_several_versions_the_newest_is_in_effect() -> None:
    rules = book(definition("a", ONE, version=2), definition("a", holding("b"), version=1))
    assert [rule.version for rule in rules.plan(ORGANIZATION).rules] == [2]
    revision = rules.revision
    rules.apply([definition("a", ONE, version=3, status="retired")])
    assert rules.revision > revision
    assert rules_of(rules) == []


def test_an_unknown_time_zone_counts_as_utc_and_is_listed() -> None:
    rules = RuleBook()
    rules.apply([organization(timezone="No/Where"), definition("one", ONE)])
    ledger = Ledger(MENTOR)
    ledger.put_mentor(mentor())
    ledger.put_activity(activity("1", "2026-01-01"))
    (decision,) = evaluate(Watchlist(ledger, rules), Cause("log", 0, 0))
    assert decision.after.earned_at == FIRST_SAVE
    assert "No/Where" in rules.set_aside[ORGANIZATION]
    rules.apply([organization(timezone="../../etc/passwd", version=2)])
    assert "passwd" in rules.set_aside[ORGANIZATION]


def test_what_was_ever_seen_is_known() -> None:
    rules = book(definition("gone", ONE, version=2, deleted=True))
    assert rules.knows_definition("gone")
    assert not rules.knows_definition("other")
    assert rules.knows_organization(ORGANIZATION)
    assert not rules.knows_organization("other")
    assert rules.deleted_before("gone") == 2
    assert rules.deleted_before("other") == 0


def test_awards_from_before_a_deletion_are_forgotten_and_may_be_earned_anew() -> None:
    rules = book(definition("a", ONE))
    ledger = Ledger(MENTOR)
    ledger.put_mentor(mentor())
    ledger.put_activity(activity("1", "2026-01-01"))
    watchlist = Watchlist(ledger, rules)
    (first,) = evaluate(watchlist, Cause("log", 0, 1))
    deleted = DefinitionVersion("a", 2, FIRST_SAVE, deleted=True)
    rules.apply([deleted, definition("a", ONE, version=3)])
    (second,) = evaluate(watchlist, Cause("log", 0, 2, turn=1))
    assert second.kind == "granted"
    assert second.after.id != first.after.id
    assert second.after.definition_version == 3
    assert not ledger.drop_award(first.after.id), "the old row's delete comes later"
    late = Award("old", MENTOR, "a", FIRST_SAVE, definition_version=1, changed_by="anna")
    ledger.put_award(late)
    (third,) = evaluate(watchlist, Cause("log", 0, 3))
    assert third.kind == "granted", "a person's act from before the deletion went with it"


def test_what_replaced_versions_measured_is_let_go() -> None:
    def streak(grace: int) -> DefinitionVersion:
        criteria = {"type": "streak", "period": "day", "length": 30, "grace": grace}
        criteria["activity_types"] = ["visit"]
        return definition("a", criteria, version=grace + 1)

    ledger, rules = Ledger(MENTOR), book(streak(0))
    watchlist = Watchlist(ledger, rules)
    ledger.put_mentor(mentor())
    for number in range(40):
        ledger.put_activity(activity(f"r{number}", 19000 + 3 * number))
    for grace in range(1, 20):
        evaluate(watchlist, Cause("log", 0, grace))
        rules.apply([streak(grace)])
    evaluate(watchlist, Cause("log", 0, 20))

    assert len(ledger.measures) <= 1
