"""The list of all metrics, from what the processes register, and the page that is made of it.

`python -m tests.metrics_page > docs/metrics.md` writes the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from badges.api.metrics import API
from streams.metrics import WORKER

INTRODUCTION = """\
# Metrics

What Prometheus is told, by the process that tells it.
[operating/monitoring.md](operating/monitoring.md) says where.

Labels have few values: those listed, partitions, and for requests to the API its own routes,
methods and statuses. None names a person, a badge or an organization. What has a closed list of
values is exposed with each of them from the beginning, at 0. Every process tells the usual of
itself as well (`process_…`, `python_…`).

Counters and histograms begin at 0 with their process; of a histogram there are `_bucket`, `_sum`
and `_count`. A gauge that is NaN says that nobody can tell just now. What has no unit counts.

<!-- Made by `python -m tests.metrics_page > docs/metrics.md` from what the processes register. -->
"""

WORKERS = """
## Workers

Each worker tells of its own partitions: sum over all.
"""

APIS = """
## The API

It measures the whole service, so this stays when all workers are gone. Where several processes
serve the API each tells the same, its requests and clients aside: take the maximum, not the sum.

Two are called what well-known exporters call them, so that dashboards which know these names work.
They are those of the live log alone. Where such an exporter is scraped as well, tell the two apart
by their job.
"""


@dataclass(frozen=True)
class Listed:
    """A metric as it is exposed; a label has values where these are a closed list."""

    name: str
    type: str
    unit: str
    help: str
    labels: Sequence[tuple[str, Sequence[str]]]


def listed(registry: CollectorRegistry) -> list[Listed]:
    """Our metrics that a registry exposes, in the order in which they are registered."""
    collectors = [c for c in registry._collector_to_names if isinstance(c, MetricWrapperBase)]
    return [_listed(each) for each in collectors]


def page() -> str:
    """The page, as it is in a process that has counted nothing yet."""
    parts = [INTRODUCTION, WORKERS, *_table(listed(WORKER)), APIS, *_table(listed(API))]
    return "\n".join(part.rstrip("\n") for part in parts) + "\n"


def _listed(metric: MetricWrapperBase) -> Listed:
    (family,) = metric.describe()
    name = f"{family.name}_total" if family.type == "counter" else family.name
    children = list(getattr(metric, "_metrics", ()))
    labels = [
        (label, list(dict.fromkeys(child[place] for child in children)))
        for place, label in enumerate(metric._labelnames)
    ]
    return Listed(name, family.type, family.unit, family.documentation, labels)


def _table(metrics: Sequence[Listed]) -> list[str]:
    rows = [
        f"| `{each.name}` | {each.type} | {each.unit} | {each.help}{_said(each.labels)} |"
        for each in metrics
    ]
    return ["", "| metric | type | unit | |", "|---|---|---|---|", *rows]


def _said(labels: Sequence[tuple[str, Sequence[str]]]) -> str:
    if not labels:
        return ""
    said = [
        f"`{label}`" + (f" ({', '.join(f'`{value}`' for value in values)})" if values else "")
        for label, values in labels
    ]
    return f" Labels: {', '.join(said)}." if len(said) > 1 else f" Label: {said[0]}."


if __name__ == "__main__":
    print(page(), end="")
