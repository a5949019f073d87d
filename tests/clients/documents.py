"""Documents that every client has to write as it read them, or to refuse."""

from typing import Any

from tables.criteria.schema import json_schema

COUNT = {"version": 1, "type": "threshold", "metric": "count", "at_least": 1}
BAD: list[tuple[object, str]] = [
    (None, "$: expected an object, found null"),
    ([COUNT], "$: expected an object"),
    ("text", '$: expected an object, found "text"'),
    ({**COUNT, "version": 2}, "$.version: expected 1, found 2"),
    ({"type": "all", "of": []}, "$.version: expected 1, found nothing"),
    ({"version": 1}, '$.type: expected "threshold", "streak"'),
    ({**COUNT, "type": "treshold"}, '$.type: expected "threshold"'),
    ({**COUNT, "metric": "cuont"}, '$.metric: expected "count" or "minutes"'),
    ({**COUNT, "metrik": "count"}, "$.metrik: no such key, only type, metric"),
    ({**COUNT, "__proto__": {}}, "$.__proto__: no such key"),
    ({**COUNT, "at_least": 0}, "$.at_least: expected an integer from 1 to 1000000, found 0"),
    ({**COUNT, "at_least": 1.5}, "$.at_least: expected an integer"),
    ({**COUNT, "at_least": True}, "$.at_least: expected an integer"),
    ({**COUNT, "at_least": "1"}, '$.at_least: expected an integer from 1 to 1000000, found "1"'),
    ({**COUNT, "at_least": None}, "$.at_least: expected an integer"),
    ({"version": 1, "type": "threshold", "metric": "count"}, "$.at_least: expected a value"),
    ({**COUNT, "activity_types": []}, "$.activity_types: expected a list of 1 or more, found []"),
    ({**COUNT, "activity_types": ["a", ""]}, "$.activity_types[1]: expected a text of 1 to 200"),
    ({**COUNT, "activity_types": ["a" * 201]}, "$.activity_types[0]: expected a text of 1 to 200"),
    ({**COUNT, "window": {}}, "$.window: expected an object with rolling_days, calendar or from"),
    ({**COUNT, "window": {"from": "2026-02-01"}}, "$.window.to: expected a value, found nothing"),
    ({**COUNT, "window": {"from": "2026-02-30", "to": "2026-03-01"}}, "$.window.from: expected a"),
    ({**COUNT, "window": {"from": "2026-13-01", "to": "2026-03-01"}}, "$.window.from: expected a"),
    ({**COUNT, "window": {"calendar": "day"}}, "$.window.calendar: expected"),
    ({**COUNT, "window": {"calendar": "week", "rolling_days": 7}}, "$.window.calendar: no such"),
    (
        {"version": 1, "type": "all", "of": [{"type": "any", "of": [COUNT]}]},
        "$.of[0].of[0].version: no such key",
    ),
    (
        {"version": 1, "type": "all", "of": [{"type": "raw", "criteria_raw": 1, "reason": "r"}]},
        '$.of[0].type: expected "threshold"',
    ),
    (
        {"version": 1, "type": "tier", "metric": "count", "tiers": [{"name": "bronze"}]},
        "$.tiers[0].at_least: expected a value, found nothing",
    ),
]
KEPT: list[dict[str, Any]] = [
    {**COUNT, "activity_types": ["\N{EARTH GLOBE EUROPE-AFRICA}" * 200]},
    {**COUNT, "window": {"from": "2024-02-29", "to": "2024-03-01"}},
    {"version": 1, "type": "raw", "criteria_raw": None, "reason": "no value"},
    {"version": 1, "type": "raw", "criteria_raw": {"a": [1, {"b": None}]}, "reason": "nested"},
]
"""Documents at the edge of what is allowed."""


def examples() -> list[dict[str, Any]]:
    """Every example of the schema."""
    found: list[dict[str, Any]] = []

    def collect(node: object) -> None:
        if isinstance(node, dict):
            found.extend(each for each in node.get("examples", ()) if each not in found)
            for value in node.values():
                collect(value)
        elif isinstance(node, list):
            for value in node:
                collect(value)

    collect(json_schema())
    return [example for example in found if "version" in example]
