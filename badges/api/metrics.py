"""/metrics for Prometheus, open to the networks that BADGES_OPEN_NETWORKS names."""

import prometheus_client
from fastapi import APIRouter, Response

from badges.api.networks import OpenNetwork

router = APIRouter(tags=["metrics"])


@router.get("/metrics", response_class=Response)
async def metrics(_: OpenNetwork) -> Response:
    """Give the process's metrics in Prometheus' text format."""
    return Response(
        prometheus_client.generate_latest(), media_type=prometheus_client.CONTENT_TYPE_LATEST
    )
