from uuid import uuid5

from tables.decisions import AWARD_NAMESPACE, Cause, Decision
from tables.evaluation import evaluate
from tables.ledger import Ledger
from tables.rules import RuleBook
from tables.watchlist import Watchlist
from tests.builders import MENTOR, activity, day, definition, mentor, organization, training

VISITS = {
    "type": "threshold",
    "metric": "count",
    "at_least": 2,
    "activity_types": ["visit"],
}


def granted(criteria: dict[str, object], *rows: object, cause: Cause | None = None) -> Decision:
    book = RuleBook()
    book.apply([organization(), definition("badge", criteria, version=4)])
    ledger = Ledger(MENTOR)
    ledger.put_mentor(mentor())
    for row in rows:
        if hasattr(row, "course_code"):
            ledger.put_training(row)  # type: ignore[arg-type]
        else:
            ledger.put_activity(row)  # type: ignore[arg-type]
    (decision,) = evaluate(Watchlist(ledger, book), cause or Cause("log", 3, 17))
    return decision


def test_evidence_names_version_rows_counts_and_position() -> None:
    rows = [
        activity("b", "2026-01-03"),
        activity("phone", "2026-01-01", kind="phone"),
        activity("a", "2026-01-02"),
    ]
    assert granted(VISITS, *rows).evidence == {
        "definition_version": 4,
        "earned_on": "2026-01-03",
        "rows": ["a", "b"],
        "counts": {"$": 2},
        "position": {"log": "log", "partition": 3, "offset": 17},
    }


def test_a_turn_is_part_of_the_position() -> None:
    rows = [activity("a", "2026-01-02"), activity("b", "2026-01-03")]
    evidence = granted(VISITS, *rows, cause=Cause("log", 3, 17, turn=2)).evidence
    assert evidence is not None
    assert evidence["position"]["turn"] == 2


def test_rows_after_the_date_are_no_evidence_and_fifty_are_enough() -> None:
    rows = [activity(f"{n:03}", day("2026-01-01") + n) for n in range(130)]
    criteria = {"type": "threshold", "metric": "count", "at_least": 100}
    evidence = granted(criteria, *rows).evidence
    assert evidence is not None
    assert evidence["rows"] == [f"{n:03}" for n in range(50, 100)]
    assert evidence["counts"] == {"$": 130}


def test_a_window_names_its_own_rows_alone() -> None:
    criteria = {**VISITS, "window": {"rolling_days": 3}}
    rows = [activity(name, f"2026-01-{name}") for name in ("01", "10", "12", "13")]
    evidence = granted(criteria, *rows).evidence
    assert evidence is not None
    assert (evidence["rows"], evidence["counts"]) == (["10", "12"], {"$": 2})


def test_a_streak_names_the_rows_of_its_run() -> None:
    criteria: dict[str, object] = {"type": "streak", "period": "day", "length": 2}
    rows = [activity(name, f"2026-01-{name}") for name in ("01", "10", "11", "12")]
    evidence = granted(criteria, *rows).evidence
    assert evidence is not None
    assert (evidence["rows"], evidence["counts"]) == (["10", "11"], {"$": 2})


def test_parts_are_named_by_their_paths() -> None:
    trained = {"type": "training", "courses": ["basic", "ethics"], "at_least": 1}
    never = {"type": "threshold", "metric": "count", "at_least": 9}
    criteria: dict[str, object] = {"type": "any", "at_least": 2, "of": [never, VISITS, trained]}
    rows = [
        activity("a", "2026-01-02"),
        activity("b", "2026-01-03"),
        training("t", "basic", "2026-01-01"),
        training("again", "basic", "2026-01-04"),
    ]
    evidence = granted(criteria, *rows).evidence
    assert evidence is not None
    assert evidence["rows"] == ["t", "a", "b"]
    assert evidence["counts"] == {"$.of[1]": 2, "$.of[2]": 1}


def test_an_awards_id_is_a_uuid_of_its_place() -> None:
    cause = Cause("log", 3, 17, turn=2)
    assert cause.award_id("m", "d") == str(uuid5(AWARD_NAMESPACE, "m/d/log/3/17/2"))
    assert Cause("log", 3, 17).award_id("m", "d") == str(uuid5(AWARD_NAMESPACE, "m/d/log/3/17/"))


def test_parts_that_came_true_after_the_award_are_no_evidence() -> None:
    visits, calls = VISITS | {"at_least": 1}, VISITS | {"at_least": 3, "activity_types": ["phone"]}
    rows = [activity(f"call {n}", f"2026-02-0{n}", kind="phone") for n in (1, 2, 3)]
    decision = granted(
        {"type": "any", "of": [visits, calls]}, activity("first", "2026-01-01"), *rows
    )
    assert decision.evidence is not None
    assert decision.evidence["earned_on"] == "2026-01-01"
    assert decision.evidence["rows"] == ["first"]
    assert decision.evidence["counts"] == {"$.of[0]": 1}
