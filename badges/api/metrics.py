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


@router.get("/metrics", response_class=Response)
async def metrics(_: OpenNetwork) -> Response:
    """Give the process's metrics in Prometheus' text format."""
    return Response(
        prometheus_client.generate_latest(), media_type=prometheus_client.CONTENT_TYPE_LATEST
    )
