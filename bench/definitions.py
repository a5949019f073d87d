"""The twenty active definitions, of all types, that everything is measured with."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tables.types import DefinitionVersion, OrganizationVersion, Version

ORGANIZATION = "00000000-0000-4000-8000-000000000001"
SAVED = datetime(2026, 1, 1, tzinfo=UTC)

TIERS = [("bronze", 10), ("silver", 50), ("gold", 200), ("onyx", 1000)]
CRITERIA: Sequence[dict[str, Any]] = (
    {"type": "threshold", "metric": "count", "at_least": 1},
    {"type": "threshold", "metric": "count", "at_least": 100},
    {"type": "threshold", "metric": "count", "at_least": 50, "activity_types": ["visit"]},
    {"type": "threshold", "metric": "minutes", "at_least": 6000},
    {"type": "threshold", "metric": "active_days", "at_least": 365},
    {"type": "threshold", "metric": "distinct_types", "at_least": 5},
    {"type": "threshold", "metric": "count", "at_least": 40, "window": {"rolling_days": 30}},
    {"type": "threshold", "metric": "minutes", "at_least": 4000, "window": {"rolling_days": 90}},
    {"type": "threshold", "metric": "count", "at_least": 12, "window": {"calendar": "week"}},
    {"type": "threshold", "metric": "active_days", "at_least": 25, "window": {"calendar": "month"}},
    {
        "type": "threshold",
        "metric": "count",
        "at_least": 30,
        "window": {"from": "2022-03-01", "to": "2022-05-31"},
    },
    {"type": "streak", "period": "day", "length": 14},
    {"type": "streak", "period": "week", "length": 26, "grace": 1},
    {"type": "streak", "period": "month", "length": 12, "metric": "minutes", "per_period": 300},
    {"type": "tier", "metric": "count", "tiers": [{"name": n, "at_least": k} for n, k in TIERS]},
    {"type": "tier", "metric": "minutes", "tiers": [{"name": "hours", "at_least": 60000}]},
    {"type": "training", "courses": ["basic", "ethics"]},
    {"type": "badges", "badges": ["badge-0", "badge-1", "badge-16"]},
    {
        "type": "all",
        "of": [
            {"type": "threshold", "metric": "count", "at_least": 20},
            {"type": "training", "courses": ["basic"]},
        ],
    },
    {
        "type": "any",
        "of": [
            {"type": "streak", "period": "week", "length": 52},
            {"type": "threshold", "metric": "count", "at_least": 400},
        ],
    },
)


def versions(rows: float = 1, days: float = 1) -> list[Version]:
    """What a partition applies: one organization and the definitions, each third revocable.

    For mentors with so many times the rows and active days, what is asked for is as near.
    """
    return [
        OrganizationVersion(ORGANIZATION, 1, SAVED, "Europe/Oslo"),
        *(
            DefinitionVersion(
                id=str(UUID(int=place + 1)),
                version=1,
                saved_at=SAVED,
                deleted=False,
                key=f"badge-{place}",
                criteria=criteria_text(_as_near(criteria, rows, days)),
                revocable=place % 3 == 0,
                status="active",
            )
            for place, criteria in enumerate(CRITERIA)
        ),
    ]


def _as_near(criteria: dict[str, Any], rows: float, days: float) -> dict[str, Any]:
    changed = dict(criteria)
    for parts in ("of", "tiers"):
        if parts in criteria:
            changed[parts] = [_as_near(part, rows, days) for part in criteria[parts]]
    bounded = "window" in criteria or "period" in criteria
    factor = {
        "distinct_types": 1,
        "active_days": 1 if bounded else days,
    }.get(criteria.get("metric", ""), rows / days if bounded else rows)
    for level in ("at_least", "per_period"):
        if level in criteria:
            changed[level] = round(criteria[level] * factor)
    return changed


def criteria_text(criteria: dict[str, Any]) -> str:
    """Criteria as JSON, with their version."""
    return json.dumps({"version": 1, **criteria})
