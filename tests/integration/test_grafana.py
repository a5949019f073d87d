"""The dashboards in a real Grafana, as docker-compose.yml provisions it: where containers are."""

from typing import Any

import httpx

from tests import http
from tests.dashboards import DASHBOARDS, panels, rules
from tests.parts import Containers
from tests.stack import LIMIT_S


def test_grafana_has_the_dashboards_and_reaches_prometheus(containers: Containers) -> None:
    with containers.watching():
        client = httpx.Client(base_url=containers.layout.url("grafana"), timeout=LIMIT_S)
        found = client.get("/api/search", params={"tag": "badges"}).json()
        assert {each["uid"] for each in found} == {each["uid"] for each in DASHBOARDS.values()}
        for dashboard in DASHBOARDS.values():
            loaded = client.get(f"/api/dashboards/uid/{dashboard['uid']}").json()
            assert loaded["meta"]["provisioned"] is True
            assert shown(loaded["dashboard"]) == shown(dashboard)

        asked = {
            "refId": "A",
            "datasource": {"uid": "badges-prometheus"},
            "expr": "vector(7)",
            "instant": True,
        }
        body = {"from": "now-5m", "to": "now", "queries": [asked]}
        answer = client.post("/api/ds/query", json=body)
        assert answer.status_code == 200, answer.text
        (frame,) = answer.json()["results"]["A"]["frames"]
        assert frame["data"]["values"][-1] == [7]

        refused = client.post("/api/dashboards/db", json={"dashboard": {"title": "another"}})
        assert refused.status_code in {401, 403}
        assert client.get("/api/org/users", auth=("admin", "admin")).status_code in {401, 403}
        prometheus = http.get(f"{containers.layout.url('prometheus')}/api/v1/rules").json()
        names = {r["name"] for group in prometheus["data"]["groups"] for r in group["rules"]}
        assert names == {rule.get("alert") or rule["record"] for rule in rules()}


def shown(dashboard: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    """Type, title and queries of each panel."""
    return [
        (panel["type"], panel["title"], [target["expr"] for target in panel["targets"]])
        for panel in panels(dashboard)
    ]
