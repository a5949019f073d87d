"""From where a request comes: the networks that BADGES_OPEN_NETWORKS names need no token."""

from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import Annotated, Final, TypeAlias

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials

from badges.api.callers import BEARER, COORDINATES, authenticated, required
from badges.api.problem import ProblemError

_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def comes_from_open_network(request: Request) -> bool:
    """Whether the other end of the connection is in an open network, and the caller itself.

    What a proxy passes on comes from anywhere: its own address says nothing, and a header that
    says more could be the caller's invention.
    """
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in request.app.state.settings.open_networks)


def _open_network(request: Request) -> None:
    if not comes_from_open_network(request):
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "This is for the networks that BADGES_OPEN_NETWORKS names, without a proxy between",
        )


async def _coordinator_or_open_network(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)],
) -> None:
    if credentials is None and comes_from_open_network(request):
        return
    required(await authenticated(request, credentials), COORDINATES)


OpenNetwork: TypeAlias = Annotated[None, Depends(_open_network)]
"""Whoever calls from an open network; a token opens nothing here."""

CoordinatorOrOpenNetwork: TypeAlias = Annotated[None, Depends(_coordinator_or_open_network)]
"""Who coordinates an organization, and without a token whoever calls from an open network."""
