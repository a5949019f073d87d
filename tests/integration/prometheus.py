"""A real Prometheus beside a pipeline, by deploy/prometheus.yml and its rules."""

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from badges.stack import processes
from badges.stack.layout import HOST, Layout
from tests.dashboards import DEPLOY, RULES_FILE
from tests.stack import LIMIT_S, wait_for

EVERY = "2s"
"""How often it scrapes and looks at its rules here, so that a test need not wait long."""


class Prometheus:
    """What answers by Prometheus' API."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, query: str) -> list[dict[str, Any]]:
        """The series that a query gives now; fails with Prometheus' words when it is wrong."""
        answer = await self._get("query", query=query)
        found: list[dict[str, Any]] = answer["result"]
        return found

    async def value(self, query: str) -> float | None:
        """The value of a query that gives one series at most."""
        found = await self.ask(query)
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None

    async def has(self, query: str, wanted: float | None) -> bool:
        """Whether a query has this value; None: gives no series."""
        return await self.value(query) == wanted

    async def rules(self) -> list[dict[str, Any]]:
        """Every rule, with its health."""
        answer = await self._get("rules")
        return [rule for group in answer["groups"] for rule in group["rules"]]

    async def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        answer = (await self._client.get(f"/api/v1/{path}", params=parameters)).json()
        assert answer["status"] == "success", answer
        data: dict[str, Any] = answer["data"]
        return data


@asynccontextmanager
async def scraping(
    layout: Layout, program: Path, port: int, targets: Mapping[str, Sequence[str]]
) -> AsyncIterator[Prometheus]:
    """Run Prometheus at a port, scraping HOST:PORT of each job of ours instead of containers."""
    folder = Path(tempfile.mkdtemp(prefix="prometheus-", dir=layout.run_dir))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration(targets)))
    line = [
        str(program),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{port}",
        "--log.level=warn",
    ]
    process = processes.spawn(layout, processes.Command("test-prometheus", line))
    url = f"http://{HOST}:{port}"
    try:
        wait_for(lambda: processes.answers(f"{url}/-/ready"), LIMIT_S, "Prometheus' answer")
        async with httpx.AsyncClient(base_url=url, timeout=LIMIT_S) as client:
            yield Prometheus(client)
    finally:
        processes.stop(process)


def configuration(targets: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """deploy/prometheus.yml with other targets, more often."""
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    assert {job["job_name"] for job in read["scrape_configs"]} == set(targets)
    jobs = [
        {"job_name": name, "static_configs": [{"targets": list(places)}]}
        for name, places in targets.items()
    ]
    return {
        "global": {"scrape_interval": EVERY, "evaluation_interval": EVERY},
        "rule_files": [str(RULES_FILE)],
        "scrape_configs": jobs,
    }
