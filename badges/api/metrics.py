"""What the API tells Prometheus, at /metrics, which is open to BADGES_OPEN_NETWORKS.

It tells of the whole service what it measures itself (`badges.api.service_metrics`), so that this
stays when all workers are gone. docs/metrics.md is made from it.
"""

from http import HTTPStatus
from typing import Final

import prometheus_client
from fastapi import APIRouter, Response
from prometheus_client import Counter, Gauge, Histogram

from badges.api.networks import OpenNetwork
from badges.api.problem import responses
from streams.metrics import ALERTS_OPEN, process_registry

router = APIRouter(tags=["metrics"])

API: Final = process_registry()
"""What the API serves."""

API.register(ALERTS_OPEN)

ON_TIME: Final = Gauge(
    "badges_on_time",
    "1 while badges are on time, as /v1/lag says it, else 0; NaN before the first measurement.",
    registry=API,
)
LAG_MEASURED: Final = Gauge(
    "badges_lag_measured_timestamp_seconds",
    "When this process measured last how far behind the awards are, in seconds since 1970.",
    unit="seconds",
    registry=API,
)
LAG_SECONDS: Final = Gauge(
    "badges_lag_seconds",
    "How long ago the oldest row was committed that is not decided yet; NaN while nobody can tell.",
    unit="seconds",
    registry=API,
)
LAG_RECORDS: Final = Gauge(
    "badges_lag_records",
    "Records in Kafka that wait to be decided; NaN while nobody can tell.",
    registry=API,
)
STAGE_SECONDS: Final = Gauge(
    "badges_lag_stage_seconds",
    "How far behind is what waits at a stage of the way (slot, connector, kafka, worker); NaN "
    "while nobody can tell.",
    ["stage"],
    unit="seconds",
    registry=API,
)
STAGE_OK: Final = Gauge(
    "badges_lag_stage_ok",
    "1 while a stage of the way works and is on time, else 0 (slot, connector, kafka, worker).",
    ["stage"],
    registry=API,
)
PARTITION_SECONDS: Final = Gauge(
    "badges_lag_partition_seconds",
    "How far behind a partition is; NaN while nobody can tell.",
    ["partition"],
    unit="seconds",
    registry=API,
)
BEHIND: Final = Gauge(
    "badges_behind_records",
    "Records of a partition that wait to be decided: the log's end less the position in Postgres.",
    ["partition"],
    registry=API,
)
GROUP_LAG: Final = Gauge(
    "kafka_consumergroup_lag",
    "What kafka_exporter calls so, of the worker's group alone, and by the position in Postgres "
    "instead of the offset that is committed to Kafka: as badges_behind_records.",
    ["consumergroup", "topic", "partition"],
    registry=API,
)
WORKERS: Final = Gauge(
    "badges_workers", "Workers in the consumer group; NaN while nobody can tell.", registry=API
)
SLOT_ACTIVE: Final = Gauge(
    "badges_slot_active",
    "1 while the connector reads the live log's replication slot, else 0; NaN while nobody can "
    "tell.",
    registry=API,
)
SLOT_UNCONFIRMED: Final = Gauge(
    "badges_slot_unconfirmed_bytes",
    "Write-ahead log that the connector has not confirmed yet; NaN while nobody can tell.",
    unit="bytes",
    registry=API,
)
SLOT_RETAINED: Final = Gauge(
    "badges_slot_retained_bytes",
    "Write-ahead log that Postgres keeps for the slot; NaN while nobody can tell.",
    unit="bytes",
    registry=API,
)
PG_SLOTS_ACTIVE: Final = Gauge(
    "pg_replication_slots_active",
    "What postgres_exporter calls so, of the live log's slot alone: as badges_slot_active.",
    ["slot_name"],
    registry=API,
)
BACKFILL_DEFINITIONS: Final = Gauge(
    "badges_backfill_definitions",
    "Definitions and time zones whose newest version not every partition has taken up.",
    registry=API,
)
BACKFILL_PARTITIONS_DONE: Final = Gauge(
    "badges_backfill_partitions_done",
    "Partitions that have taken up all newest versions.",
    registry=API,
)
BACKFILL_SECONDS_LEFT: Final = Gauge(
    "badges_backfill_seconds_left",
    "Seconds until all partitions have, 0 when they have; NaN while nobody can tell.",
    registry=API,
)
DEFINITIONS: Final = Gauge(
    "badges_definitions",
    "Badge definitions by status (active, draft, retired); of those that are not retired the raw "
    "ones, which nothing is decided by, and of the active ones those set aside as invalid.",
    ["state"],
    registry=API,
)
RULES_SILENT: Final = Gauge(
    "badges_rules_silent",
    "Active rules that have awarded before, and the last time more than so many days ago (7, 30, "
    "90, 365).",
    ["days"],
    registry=API,
)
RULE_SILENT_DAYS: Final = Gauge(
    "badges_rule_silent_days_max",
    "How many days ago the active rule that has been silent for longest awarded last; 0 while none "
    "has awarded yet.",
    registry=API,
)
REFUSED_WAITING: Final = Gauge(
    "badges_refused_writes_waiting",
    "Decisions that wait to be written, because Postgres refused them or one before them.",
    registry=API,
)
AUDIT_FINISHED: Final = Gauge(
    "badges_audit_finished_timestamp_seconds",
    "When the newest audit of everything ended, in seconds since 1970; 0 without any.",
    unit="seconds",
    registry=API,
)
AUDIT_FINDINGS: Final = Gauge(
    "badges_audit_findings",
    "What the newest audit of everything found: results that differ, by how.",
    ["kind"],
    registry=API,
)
REQUEST_SECONDS: Final = Histogram(
    "badges_api_request_seconds",
    "From a request's first byte to the last of its answer.",
    ["method", "route", "status"],
    unit="seconds",
    registry=API,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
UNLOCK_STREAMS: Final = Gauge(
    "badges_unlock_streams", "Clients that follow the unlock feed.", registry=API
)
UNLOCKS_SENT: Final = Counter(
    "badges_unlocks_sent", "Events handed to clients, each once for every client.", registry=API
)
UNLOCK_STREAMS_DROPPED: Final = Counter(
    "badges_unlock_streams_dropped",
    "Clients dropped because they read too slowly; they come again and miss nothing.",
    registry=API,
)
UNLOCK_DELAY: Final = Histogram(
    "badges_unlock_delay_seconds",
    "From the start of an event's transaction until it was handed to the clients.",
    unit="seconds",
    registry=API,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300),
)


@router.get("/metrics", response_class=Response, responses=responses(HTTPStatus.FORBIDDEN))
async def metrics(_: OpenNetwork) -> Response:
    """Give the process's metrics in Prometheus' text format."""
    return Response(
        prometheus_client.generate_latest(API), media_type=prometheus_client.CONTENT_TYPE_LATEST
    )
