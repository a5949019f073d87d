"""What a trial may say, and what it comes to where the live system would come to nothing."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from badges.cli.commands import app
from streams.errors import Failure

TWO = {"version": 1, "type": "threshold", "metric": "count", "at_least": 2}
MINUTES = {"version": 1, "type": "threshold", "metric": "minutes", "at_least": 1}
VISITS = [
    {"table": "activities", "id": "1", "activity_date": "2026-01-05"},
    {"table": "activities", "id": "2", "activity_date": "2026-01-12"},
]
GONE = {"table": "peer_mentors", "deleted": True}
BACK = {"table": "peer_mentors"}


def trial(rows: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    return {"badges": [{"key": "two", "criteria": TWO}], "rows": rows, "expected": [], **changes}


def attempt(given: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["criteria", "test", "-"], input=given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def refusal(given: str) -> str:
    with pytest.raises(Failure) as raised:
        attempt(given)
    assert raised.value.code == 2
    message = str(raised.value)
    assert "\n" not in message
    message.encode()
    return message


def test_a_mentor_who_is_inserted_again_starts_from_nothing() -> None:
    assert attempt(json.dumps(trial([*VISITS, GONE, BACK]))) == (0, "passed: trial\n")
    expected = [{"badge": "two", "earned_on": "2026-01-12"}]
    again = trial([*VISITS, GONE, BACK, *VISITS], expected=expected)
    assert attempt(json.dumps(again)) == (0, "passed: trial\n")


def test_a_deleted_mentor_takes_trainings_and_pauses_along() -> None:
    trained = {"version": 1, "type": "training", "courses": ["basic"]}
    streak = {"version": 1, "type": "streak", "period": "day", "length": 2}
    rows: list[dict[str, Any]] = [
        {"table": "peer_mentors", "active": False},
        {"table": "training_completions", "course_code": "basic", "completed_on": "2026-01-01"},
        {"table": "mentor_pauses", "starts_on": "2026-01-06", "ends_on": "2026-01-11"},
        GONE,
        BACK,
        *VISITS,
    ]
    badges = [{"key": "trained", "criteria": trained}, {"key": "run", "criteria": streak}]
    assert attempt(json.dumps(trial(rows, badges=badges))) == (0, "passed: trial\n")
    code, output = attempt(json.dumps(trial([*rows[:3], BACK, *VISITS], badges=badges)))
    assert code == 1
    assert "run: expected no award, found earned on 2026-01-12" in output
    assert "trained: expected no award, found earned on 2026-01-01" in output


def test_two_badges_with_one_key_are_refused() -> None:
    twice = trial([], badges=[{"key": "two", "criteria": TWO}, {"key": "two", "criteria": MINUTES}])
    message = 'badges.1.key: badges.0 has the key "two" already; give each badge a key of its own'
    assert refusal(json.dumps(twice)).startswith(f"standard input, {message}")
    listed = json.dumps([trial([]), twice])
    assert refusal(listed).startswith(f"standard input, 1.{message}")


def test_two_expectations_of_one_badge_are_refused() -> None:
    expected = [{"badge": "two", "earned_on": day} for day in ("2026-01-05", "2026-01-12")]
    message = refusal(json.dumps(trial(VISITS, expected=expected)))
    assert 'standard input, expected.1.badge: expected.0 is about "two" already' in message
    assert "take one of the two out" in message


def test_a_key_written_twice_is_refused() -> None:
    given = json.dumps(trial([])).replace('"at_least": 2', '"at_least": 2, "at_least": 1')
    message = refusal(given)
    assert "$.badges[0].criteria.at_least: expected each key once, found it again" in message


def test_a_file_nested_too_deep_is_refused() -> None:
    message = refusal("[" * 20_000 + "]" * 20_000)
    assert message.startswith("standard input, $: expected a JSON document, found one nested")


def test_minutes_have_the_bound_of_the_column() -> None:
    def minutes(most: int) -> str:
        row = {**VISITS[0], "duration_minutes": most}
        expected = [{"badge": "long", "earned_on": "2026-01-05"}]
        badges = [{"key": "long", "criteria": MINUTES}]
        return json.dumps(trial([row], badges=badges, expected=expected))

    assert attempt(minutes(2**31 - 1)) == (0, "passed: trial\n")
    assert "rows.0: duration_minutes: Expected `int` <= 2147483647" in refusal(minutes(2**31))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"table": "activities"}, "activity_date: a row that is not deleted needs this date"),
        ({**VISITS[0], "activity_date": 5}, "activity_date: expected a date like 2026-01-31"),
        ({**VISITS[0], "minutes": 5}, "activities has no minutes, only activity_date, activity_ty"),
        ({**GONE, "organization_id": "1"}, "peer_mentors has no organization_id, only active"),
        ({**VISITS[0], "activity_type": 7}, "activity_type: Expected `str`, got `int`"),
    ],
)
def test_a_row_that_its_table_could_not_hold_is_refused(row: dict[str, Any], message: str) -> None:
    assert refusal(json.dumps(trial([row]))).startswith(f"standard input, rows.0: {message}")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"name": "half \ud800"}, "$.name"),
        ({"badges": [{"key": "\udfff", "criteria": TWO}]}, "$.badges[0].key"),
    ],
)
def test_half_of_a_surrogate_pair_is_refused(changes: dict[str, Any], path: str) -> None:
    message = refusal(json.dumps(trial([], **changes)))
    assert message.startswith(f"standard input, {path}: expected text, found half of a surrogate")


def test_a_single_trial_has_no_number_in_its_places() -> None:
    assert refusal('{"badges": [], "expected": []}').startswith(
        "standard input, rows: Field required"
    )
    assert refusal('[{"badges": [], "expected": []}]').startswith(
        "standard input, 0.rows: Field required"
    )
    assert refusal("7").startswith("standard input: Input should be a valid dictionary")


def test_a_row_of_several_times_is_that_many_rows() -> None:
    row = {"table": "activities", "activity_date": "2026-01-30", "times": 2, "every_days": 7}
    expected = [{"badge": "two", "earned_on": "2026-02-06"}]
    assert attempt(json.dumps(trial([row], expected=expected))) == (0, "passed: trial\n")
    given = json.dumps(trial([{**row, "times": 1}]))
    assert attempt(given) == (0, "passed: trial\n")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"times": 0}, "rows.0.times: Input should be greater than or equal to 1"),
        ({"times": 10_001}, "rows.0.times: Input should be less than or equal to 10000"),
        ({"times": 2, "id": "1"}, "rows.0: a row of several times has neither an id nor"),
        ({"times": 2, "deleted": True}, "rows.0: a row of several times has neither an id nor"),
        ({"times": 2, "activity_date": "soon"}, "rows.0: activity_date: expected a date like"),
        ({"times": 9, "activity_date": "9999-12-30"}, "rows.0: activity_date: so many times end"),
    ],
)
def test_a_row_of_impossible_times_is_refused(changes: dict[str, Any], message: str) -> None:
    row = {"table": "activities", "activity_date": "2026-01-30", **changes}
    assert message in refusal(json.dumps(trial([row])))
