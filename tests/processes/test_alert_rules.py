"""The alert rules: right by Prometheus' own checker, tested each, and leading to a runbook."""

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from sinks.alerts import ALERTS, BREAKS
from tests.dashboards import DEPLOY, rules
from tests.unit.test_docs import anchors

ROOT = Path(__file__).parents[2]
RULES = rules()
ALERTING = {rule["alert"]: rule for rule in RULES if "alert" in rule}
TESTS: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "rules_test.yml").read_text())["tests"]
SEVERITIES = {"critical", "warning", "info"}
BASE = "{{ $externalLabels.badges_docs }}"


def told(promtool: Path, *arguments: str) -> tuple[int, str]:
    """What promtool says in deploy/."""
    done = subprocess.run(
        [promtool, *arguments], cwd=DEPLOY, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_promtool_takes_the_rules_and_the_configuration(promtool: Path) -> None:
    code, said = told(promtool, "check", "config", "--lint=all", "--lint-fatal", "prometheus.yml")

    assert code == 0, said
    assert f"{len(RULES)} rules found" in said


def test_the_rules_do_what_their_tests_say(promtool: Path) -> None:
    code, said = told(promtool, "test", "rules", "rules_test.yml")

    assert (code, "SUCCESS" in said) == (0, True), said


def test_each_alert_is_tested_when_it_fires_and_when_it_does_not() -> None:
    cases = [case for test in TESTS for case in test.get("alert_rule_test", [])]
    fires = {case["alertname"] for case in cases if case.get("exp_alerts")}
    is_silent = {case["alertname"] for case in cases if not case.get("exp_alerts")}

    assert fires == is_silent == set(ALERTING)
    assert len(ALERTING) == len([rule for rule in RULES if "alert" in rule])


def test_each_alert_says_what_how_bad_and_where_to_read_on() -> None:
    for name, rule in ALERTING.items():
        assert name.startswith("Badges")
        assert rule["labels"].keys() == {"severity"}
        assert rule["labels"]["severity"] in SEVERITIES
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}


def test_each_runbook_is_a_heading_of_our_pages() -> None:
    for name, rule in ALERTING.items():
        runbook = rule["annotations"]["runbook_url"]
        assert runbook.startswith(f"{BASE}docs/operating/"), name
        path, _, anchor = runbook.removeprefix(BASE).partition("#")
        wanted = kinds(rule) if anchor == "{{ $labels.kind }}" else {anchor} - {""}
        assert (ROOT / path).exists(), name
        assert wanted <= anchors(ROOT / path), name


def kinds(rule: dict[str, Any]) -> set[str]:
    """The kinds of badges_alerts_open that a rule names."""
    return {
        kind
        for named in re.findall(r'badges_alerts_open\{kind=~?"([^"]*)"\}', rule["expr"])
        for kind in named.split("|")
    }


def test_each_kind_of_alert_has_one_rule_and_a_break_is_critical() -> None:
    named = [kind for rule in ALERTING.values() for kind in kinds(rule)]

    assert sorted(named) == sorted(ALERTS)
    assert kinds(ALERTING["BadgesLogBroken"]) == set(BREAKS)
    assert ALERTING["BadgesLogBroken"]["labels"]["severity"] == "critical"


def test_each_rule_is_described_for_those_who_plug_it_in() -> None:
    page = (ROOT / "docs" / "operating" / "monitoring.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(Badges\w+)` \| (\w+) \|", page, re.MULTILINE)

    assert dict(rows) == {name: rule["labels"]["severity"] for name, rule in ALERTING.items()}
