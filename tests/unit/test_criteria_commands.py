import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from badges.cli.commands import app
from streams.errors import Failure

ROOT = Path(__file__).parents[2]
GOOD = '{"version": 1, "type": "threshold", "metric": "count", "at_least": 10}'


def run(*arguments: str, given: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, ["criteria", *arguments], input=given)
    if isinstance(result.exception, Failure):
        raise result.exception
    return result.exit_code, result.output


def test_valid_criteria_are_said_in_a_sentence() -> None:
    assert run("validate", "-", given=GOOD) == (0, "valid: 10 activities\n")


def test_it_is_said_in_norwegian_where_that_is_asked_for() -> None:
    assert run("validate", "-", "--lang", "nb", given=GOOD) == (0, "gyldig: 10 aktiviteter\n")
    code, output = run("validate", "-", "--lang", "nb", given=GOOD.replace("count", "cuont"))
    assert code == 1
    assert 'fant "cuont" (mente du "count"?)' in output
    raw = '{"version": 1, "type": "raw", "criteria_raw": {}, "reason": "ved jury"}'
    assert "advarsel: råkriterier" in run("validate", "-", "--lang", "nb", given=raw)[1]


def test_json_is_what_the_api_answers() -> None:
    code, output = run("validate", "-", "--json", given=GOOD)
    assert code == 0
    assert json.loads(output) == {
        "valid": True,
        "errors": [],
        "warnings": [],
        "summary": "10 activities",
    }


def test_invalid_criteria_exit_with_1_and_name_path_and_remedy(tmp_path: Path) -> None:
    file = tmp_path / "criteria.json"
    file.write_text(GOOD.replace("metric", "metrik"))
    code, output = run("validate", str(file), "--json")
    assert code == 1
    errors = {error["path"]: error for error in json.loads(output)["errors"]}
    assert set(errors) == {"$.metric", "$.metrik"}
    assert "metric" in errors["$.metrik"]["hint"]


def test_raw_criteria_carry_a_warning() -> None:
    given = '{"version": 1, "type": "raw", "criteria_raw": {}, "reason": "by jury"}'
    code, output = run("validate", "-", given=given)
    assert code == 0
    assert "warning: raw criteria are never evaluated" in output


def test_a_file_that_is_not_there_is_wrong_use() -> None:
    with pytest.raises(Failure, match=r"cannot read nowhere\.json") as raised:
        run("validate", "nowhere.json")
    assert raised.value.code == 2


def test_the_schema_describes_every_type() -> None:
    code, output = run("schema")
    assert code == 0
    types = set(json.loads(output)["discriminator"]["mapping"])
    assert types == {"threshold", "streak", "training", "badges", "all", "any", "tier", "raw"}


def documented_trial() -> str:
    blocks = re.findall(r"```json\n(.*?)```", (ROOT / "docs/criteria.md").read_text(), re.DOTALL)
    return str(blocks[-1])


def test_the_documented_trial_passes() -> None:
    code, output = run("test", "-", given=documented_trial())
    assert (code, output) == (0, "passed: two visits, the later one first\n")


def test_a_trial_that_differs_says_how() -> None:
    given = documented_trial().replace('"earned_on": "2026-01-12"', '"earned_on": "2026-01-05"')
    code, output = run("test", "-", given=given)
    assert code == 1
    assert "two-visits: expected earned on 2026-01-05, found earned on 2026-01-12" in output
    code, output = run("test", "-", "--lang", "nb", given=given)
    assert code == 1
    assert "IKKE BESTÅTT: two visits" in output
    assert "two-visits: forventet oppnådd 2026-01-05, fant oppnådd 2026-01-12" in output


def test_a_trial_may_change_delete_pause_and_train() -> None:
    rows = [
        {"table": "training_completions", "course_code": "basic", "completed_on": "2026-01-01"},
        {"table": "mentor_pauses", "id": "p", "starts_on": "2026-01-02", "ends_on": "2026-01-03"},
        {"table": "activities", "activity_type": "visit", "activity_date": "2026-01-01"},
        {"table": "activities", "activity_type": "visit", "activity_date": "2026-01-04"},
        {"table": "mentor_pauses", "id": "p", "deleted": True},
        {"table": "peer_mentors", "active": False},
        {"table": "activities", "activity_type": "visit", "activity_date": "2026-01-05"},
    ]
    streak = {"version": 1, "type": "streak", "period": "day", "length": 2}
    trained = {"version": 1, "type": "training", "courses": ["basic"]}
    trial = {
        "badges": [
            {"key": "run", "criteria": streak, "revocable": True},
            {"key": "trained", "criteria": trained},
        ],
        "rows": rows,
        "expected": [
            {"badge": "run", "earned_on": "2026-01-04", "revoked": True},
            {"badge": "trained", "earned_on": "2026-01-01"},
        ],
    }
    code, output = run("test", "-", "--json", given=json.dumps([trial]))
    assert code == 0, output
    assert json.loads(output)["passed"] is True


def test_a_trial_of_another_shape_is_refused_with_its_place() -> None:
    with pytest.raises(
        Failure, match=r"standard input, rows: Field required; see docs/criteria.md"
    ):
        run("test", "-", given='{"badges": [], "expected": []}')
    with pytest.raises(Failure, match="needs this date"):
        run("test", "-", given='{"badges": [], "expected": [], "rows": [{"table": "activities"}]}')
    given = '{"badges": [{"key": "two", "criteria": {}}], "expected": [], "rows": []}'
    with pytest.raises(Failure, match="two: invalid criteria"):
        run("test", "-", given=given)
