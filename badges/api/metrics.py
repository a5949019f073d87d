"""/metrics for Prometheus, open to the networks that BADGES_OPEN_NETWORKS names."""

from typing import Final

import prometheus_client
from fastapi import APIRouter, Response

from badges.api.networks import OpenNetwork

router = APIRouter(tags=["metrics"])

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


@router.get("/metrics", response_class=Response)
async def metrics(_: OpenNetwork) -> Response:
    """Give the process's metrics in Prometheus' text format."""
    return Response(
        prometheus_client.generate_latest(), media_type=prometheus_client.CONTENT_TYPE_LATEST
    )
