"""How long the preview of each type of criteria takes, compared with what is saved."""

import time
from typing import Any

import httpx

from bench.api import answered, request
from bench.definitions import ORGANIZATION
from bench.figures import Figure, Target, percentile
from bench.site import Bench
from tests.api.definitions import created

PATH = "/v1/criteria/preview"
COUNT = {"type": "threshold", "metric": "count", "at_least": 400}
STREAK = {"type": "streak", "period": "week", "length": 20, "grace": 1}
TIERS = [{"name": "bronze", "at_least": 10}, {"name": "gold", "at_least": 400}]
RULES: dict[str, dict[str, Any]] = {
    "threshold": COUNT,
    "minutes": {**COUNT, "metric": "minutes", "at_least": 10_000},
    "distinct_types": {**COUNT, "metric": "distinct_types", "at_least": 3},
    "rolling": {**COUNT, "at_least": 30, "window": {"rolling_days": 90}},
    "rolling_types": {
        **COUNT,
        "metric": "distinct_types",
        "at_least": 3,
        "window": {"rolling_days": 14},
    },
    "calendar": {**COUNT, "at_least": 12, "window": {"calendar": "month"}},
    "streak": STREAK,
    "training": {"type": "training", "courses": ["basic", "ethics"]},
    "badges": {"type": "badges", "badges": ["badge-0", "badge-1"], "at_least": 1},
    "all": {"type": "all", "of": [COUNT, {"type": "training", "courses": ["basic"]}]},
    "any": {"type": "any", "of": [STREAK, {"type": "badges", "badges": ["badge-0"]}]},
    "tier": {"type": "tier", "metric": "count", "tiers": TIERS},
}


def measure(bench: Bench) -> list[Figure]:
    """Each type in place of itself: 400 mentors with 500 activities each are measured twice."""
    service = bench.api.service
    with service.client("admin", ORGANIZATION) as client:
        bodies = {name: _body(client, rule) for name, rule in RULES.items()}
        took = {name: _previews(client, body, bench.size(15, 2)) for name, body in bodies.items()}
    figures = [
        Figure(
            f"preview_{name}_p50",
            percentile(each, 0.5),
            "ms",
            "a preview against the saved version, 400 mentors with 500 activities each",
            target=Target(at_most=200 if name == "threshold" else 1000),
        )
        for name, each in took.items()
    ]
    requests = [request("admin", "POST", PATH, bodies["threshold"])]
    about = "a preview of the first of these"
    return figures + answered("preview", service, requests, about, bench.size(15, 2))


def _body(client: httpx.Client, rule: dict[str, Any]) -> dict[str, Any]:
    criteria = {"version": 1, **rule}
    return {"criteria": criteria, "definition_id": created(client, criteria)["id"]}


def _previews(client: httpx.Client, body: dict[str, Any], times: int) -> list[float]:
    """How long some previews take, in seconds; one before them does not count."""
    took = []
    for _ in range(times + 1):
        begun = time.perf_counter()
        answer = client.post(PATH, json=body)
        took.append(time.perf_counter() - begun)
        assert answer.status_code == 200, answer.text
    return took[1:]
