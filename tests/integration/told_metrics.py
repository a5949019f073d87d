"""What processes tell Prometheus, read as Prometheus reads it."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from badges.stack.layout import HOST
from tests.integration.pipeline import Pipeline
from tests.integration.workers import Worker
from tests.stack import LIMIT_S, free_port_base


@dataclass(frozen=True)
class Told:
    """What one process told at one moment."""

    families: Mapping[str, Metric]

    def value(self, name: str, **labels: object) -> float | None:
        """The value of a sample with exactly these labels; None where there is none."""
        wanted = {label: str(value) for label, value in labels.items()}
        for family in self.families.values():
            for sample in family.samples:
                if sample.name == name and sample.labels == wanted:
                    return float(sample.value)
        return None


async def told_at(address: str) -> Told:
    """What the process at an address tells; empty while it does not answer."""
    async with httpx.AsyncClient(timeout=LIMIT_S) as client:
        try:
            answer = await client.get(f"{address}/metrics")
        except httpx.TransportError:
            return Told({})
    assert answer.status_code == 200
    return Told({each.name: each for each in text_string_to_metric_families(answer.text)})


def telling(p: Pipeline, **settings: str) -> tuple[Worker, str]:
    """A worker that is not started yet, and where it will tell its metrics."""
    port = free_port_base()
    return p.worker(BADGES_METRICS_PORT=str(port), **settings), f"http://{HOST}:{port}"
