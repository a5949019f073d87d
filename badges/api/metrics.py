"""/metrics for Prometheus, open to the networks that BADGES_OPEN_NETWORKS names."""

from http import HTTPStatus
from ipaddress import ip_address

import prometheus_client
from fastapi import APIRouter, Request, Response

from badges.api.problem import problem

router = APIRouter(tags=["metrics"])


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Give the process's metrics in Prometheus' text format."""
    client = request.client
    networks = request.app.state.settings.open_networks
    if client is None or not any(ip_address(client.host) in network for network in networks):
        return problem(
            HTTPStatus.FORBIDDEN,
            "This address is not in BADGES_OPEN_NETWORKS, the networks that may read metrics",
        )
    return Response(
        prometheus_client.generate_latest(), media_type=prometheus_client.CONTENT_TYPE_LATEST
    )
