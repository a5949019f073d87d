"""What BADGES_OPEN_NETWORKS opens, and to whom."""

from ipaddress import ip_network

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from badges.api.app import create_app
from badges.api.networks import CoordinatorOrOpenNetwork
from badges.settings import Settings
from tests.api.service import ORGANIZATION, SECRET, bearer, signed

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def app() -> FastAPI:
    networks = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]
    app = create_app(Settings(_env_file=None, jwt_secret=SecretStr(SECRET), open_networks=networks))

    @app.get("/half-open")
    async def half_open(_: CoordinatorOrOpenNetwork) -> str:
        return "in"

    return app


async def status(app: FastAPI, path: str, address: str, **headers: str) -> int:
    transport = httpx.ASGITransport(app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return (await client.get(path, headers=names)).status_code


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.1.2.3", 200),
        ("::ffff:10.1.2.3", 200),
        ("2001:db8::7", 200),
        ("127.0.0.1", 403),
        ("::1", 403),
        ("::ffff:11.1.2.3", 403),
        ("::10.1.2.3", 403),
        ("nowhere", 403),
    ],
)
async def test_it_is_the_address_at_the_other_end_that_counts(
    app: FastAPI, address: str, expected: int
) -> None:
    assert await status(app, "/metrics", address) == expected


@pytest.mark.parametrize("header", ["x_forwarded_for", "x_real_ip", "forwarded", "via"])
async def test_what_a_proxy_passes_on_comes_from_anywhere(app: FastAPI, header: str) -> None:
    assert await status(app, "/metrics", "10.1.2.3", **{header: "10.9.9.9"}) == 403
    assert await status(app, "/metrics", "127.0.0.1", **{header: "10.9.9.9"}) == 403


async def test_elsewhere_it_takes_a_coordinators_token(app: FastAPI) -> None:
    assert await status(app, "/half-open", "10.1.2.3") == 200
    assert await status(app, "/half-open", "127.0.0.1") == 401
    for role, expected in (("mentor", 403), ("coordinator", 200), ("admin", 200)):
        token = bearer(signed(role, ORGANIZATION))
        assert await status(app, "/half-open", "127.0.0.1", **token) == expected
    assert await status(app, "/half-open", "10.1.2.3", authorization="Bearer x") == 401
    assert await status(app, "/half-open", "10.1.2.3", authorization="Basic x") == 200
