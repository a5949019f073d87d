"""/metrics for Prometheus, open to the networks that BADGES_OPEN_NETWORKS names."""

import asyncio
from typing import Final, get_args

import prometheus_client
import structlog
from fastapi import APIRouter, Response

from badges.api.networks import OpenNetwork
from badges.queries.audit.findings import FindingKind
from badges.queries.audit.last_audit import LastAudit, last_audit
from sinks.errors import StoreError
from sinks.failures import translated
from sinks.pool import Pool

router = APIRouter(tags=["metrics"])
log = structlog.get_logger(__name__)

_LOOK_EVERY_S: Final = 5.0

REQUEST_SECONDS: Final = prometheus_client.Histogram(
    "badges_api_request_seconds",
    "From a request's first byte to the last of its answer.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
UNLOCK_STREAMS: Final = prometheus_client.Gauge(
    "badges_unlock_streams", "Clients that follow the unlock feed."
)
UNLOCKS_SENT: Final = prometheus_client.Counter(
    "badges_unlocks_sent", "Events handed to clients, each once for every client."
)
UNLOCK_STREAMS_DROPPED: Final = prometheus_client.Counter(
    "badges_unlock_streams_dropped", "Clients dropped because they read too slowly."
)
UNLOCK_DELAY: Final = prometheus_client.Histogram(
    "badges_unlock_delay_seconds",
    "From the start of an event's transaction until it was handed to the clients.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300),
)

_AUDIT_FINISHED: Final = prometheus_client.Gauge(
    "badges_audit_finished_timestamp_seconds",
    "When the newest audit of everything ended, in seconds since 1970; 0 without any.",
)
_AUDIT_FINDINGS: Final = prometheus_client.Gauge(
    "badges_audit_findings", "What the newest audit of everything found.", ["kind"]
)


@router.get("/metrics", response_class=Response)
async def metrics(_: OpenNetwork) -> Response:
    """Give the process's metrics in Prometheus' text format."""
    return Response(
        prometheus_client.generate_latest(), media_type=prometheus_client.CONTENT_TYPE_LATEST
    )


async def watch_audits(pool: Pool) -> None:
    """Keep the metrics of the newest audit; while Postgres is away they say what they said."""
    while True:
        try:
            with translated():
                newest = await last_audit(pool)
        except StoreError as error:
            log.info("the newest audit cannot be read", error=str(error))
        else:
            _tell(newest)
        await asyncio.sleep(_LOOK_EVERY_S)


def _tell(newest: LastAudit | None) -> None:
    if newest is not None:
        _AUDIT_FINISHED.set(newest.finished_at.timestamp())
        for kind in get_args(FindingKind):
            _AUDIT_FINDINGS.labels(kind).set(newest.findings.get(kind, 0))
