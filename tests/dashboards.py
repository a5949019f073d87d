"""The dashboards for Grafana and the alert rules as data: what they show, and what they ask."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"
RULES_FILE = DEPLOY / "rules.yml"
FILES = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
DASHBOARDS: dict[str, dict[str, Any]] = {file.stem: json.loads(file.read_text()) for file in FILES}


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels of a dashboard that show something: rows only have a title."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries() -> dict[str, str]:
    """What every panel, annotation and rule asks, by where it stands."""
    return dict(_queries())


def filled(query: str, rate: str = "1m", whole: str = "1h") -> str:
    """A query with Grafana's own variables filled in, as Grafana does for the time shown."""
    return query.replace("$__rate_interval", rate).replace("$__range", whole)


def rules() -> list[dict[str, Any]]:
    """Every rule, alerting or recording."""
    groups = yaml.safe_load(RULES_FILE.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _queries() -> Iterator[tuple[str, str]]:
    for name, dashboard in DASHBOARDS.items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}: {target['refId']}", target["expr"]
        for annotation in dashboard["annotations"]["list"]:
            yield f"{name}: annotation {annotation['name']}", annotation["expr"]
    for rule in rules():
        yield f"rule {rule.get('alert') or rule['record']}", rule["expr"]
