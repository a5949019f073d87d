"""Every metric is listed once, by the conventions, and what a turn comes to is counted."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from badges.api.metrics import API
from sinks.base import Change, DeadLetter, Outcome, Turn
from streams.metrics import WORKER
from streams.turn_counts import Timed, count, count_changes
from tables.decisions import Cause
from tests.contract.builders import CAUSED, grant
from tests.metrics_page import Listed, listed

OF_OTHERS = {"kafka_consumergroup_lag", "pg_replication_slots_active"}
"""Names of well-known exporters."""
LABELS = {
    "kind", "source", "reason", "what", "partition", "stage", "days", "state", "method", "route",
    "status", "consumergroup", "topic", "slot_name",
}  # fmt: skip
"""All labels there are: who adds one says here that it has few values."""
UNITS = ("seconds", "bytes")

ALL = [*listed(WORKER), *listed(API)]


@pytest.mark.parametrize("registry", [WORKER, API])
def test_a_name_is_there_once(registry: CollectorRegistry) -> None:
    names = [each.name for each in listed(registry)]
    assert len(names) == len(set(names)) > 15


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_a_metric_follows_the_conventions(metric: Listed) -> None:
    assert metric.name.startswith("badges_") or metric.name in OF_OTHERS
    assert not metric.help[0].islower()
    assert metric.help.endswith(".")
    assert {name for name, _ in metric.labels} <= LABELS
    assert (metric.type == "counter") == metric.name.endswith("_total")
    ending = next((unit for unit in UNITS if metric.name.endswith(f"_{unit}")), "")
    assert metric.unit == ending


def value(name: str, **labels: str) -> float:
    """What a worker's sample says now."""
    found = WORKER.get_sample_value(name, labels)
    assert found is not None, name
    return found


def change_of(name: str, before: float, **labels: str) -> float:
    return value(name, **labels) - before


def test_a_turn_is_counted_by_what_became_of_it() -> None:
    names: list[tuple[str, dict[str, str]]] = [
        ("badges_turns_written_total", {}),
        ("badges_records_folded_total", {}),
        ("badges_decisions_total", {"kind": "granted"}),
        ("badges_awards_total", {"kind": "granted", "source": "stream"}),
        ("badges_awards_total", {"kind": "revoked", "source": "replay"}),
        ("badges_writes_refused_total", {}),
        ("badges_decisions_dropped_total", {"reason": "overtaken"}),
        ("badges_decisions_dropped_total", {"reason": "gone"}),
        ("badges_commit_to_award_seconds_count", {}),
    ]
    before = [value(name, **labels) for name, labels in names]
    decisions = [grant(Cause("log", 0, n), "m", str(n), caused_at=CAUSED) for n in range(8)]
    outcome = Outcome(
        written=[Change("granted", "stream", time.monotonic())],
        overtaken=2,
        gone=3,
        refused=4,
        accepted=[Change("revoked", "replay")],
    )
    count(Turn("log", 0, 0, 10, 25, decisions=decisions), outcome, [])
    after = [value(name, **labels) for name, labels in names]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 15, 8, 1, 1, 4, 2, 3, 1]
    assert value("badges_next_offset", partition="0") == 25


def test_commit_to_award_is_what_has_passed_since_the_cause() -> None:
    name = "badges_commit_to_award_seconds"
    counted, seconds = value(f"{name}_count"), value(f"{name}_sum")
    count_changes([Change("granted", "stream", time.monotonic() - 90), Change("granted", "replay")])
    assert change_of(f"{name}_count", counted) == 1
    assert change_of(f"{name}_sum", seconds) >= 90
    assert change_of(f"{name}_bucket", 0, le="60.0") < change_of(f"{name}_bucket", 0, le="3600.0")


@pytest.mark.parametrize(
    ("table", "row_id", "reason"),
    [
        (None, None, "unreadable"),
        ("activities", None, "no_row"),
        ("activities", "7", "no_row"),
        ("activities", str(UUID(int=7)), "value"),
    ],
)
def test_dead_letters_are_counted_by_few_reasons(
    table: str | None, row_id: str | None, reason: str
) -> None:
    name = "badges_dead_letters_total"
    before = value(name, reason=reason)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    letter = DeadLetter("log", 0, 3, "whatever it says", at, table=table, row_id=row_id)
    count(Turn("log", 0, 0, 3, 4), Outcome(), [letter])
    assert change_of(name, before, reason=reason) == 1


def test_the_spells_of_work_are_timed_together() -> None:
    def work(items: Iterator[float]) -> None:
        for seconds in items:
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                pass

    timed = Timed(work)
    for _ in range(3):
        timed(iter([0.001, 0.001]))
    assert timed.seconds >= 0.006
