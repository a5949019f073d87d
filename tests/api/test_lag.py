"""/v1/lag: for coordinators and open networks, and asked of the servers once for all who ask."""

import asyncio

import httpx
import pytest

from badges.api.shared import Shared
from streams.lag.stages import Lag
from tests.api.conftest import Organization
from tests.api.service import Service
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio

NEVER = Lag(
    on_time=False,
    behind_seconds=None,
    behind_records=None,
    as_of=None,
    stages=[],
    partitions=[],
    workers=[],
    backfill=None,
    generation=None,
    alerts=[],
)


async def test_without_a_log_nothing_is_on_time(service: Service, mine: Organization) -> None:
    with service.client("coordinator", mine.id) as client:
        answer = client.get("/v1/lag")
    assert answer.status_code == 200
    found = answer.json()
    assert found["on_time"] is False
    assert found["behind_seconds"] is None
    assert found["generation"] is None
    assert [each["name"] for each in found["stages"]] == ["slot", "connector", "kafka", "worker"]


async def test_a_token_has_to_be_a_coordinators(service: Service, mine: Organization) -> None:
    with service.client("mentor", mine.id, mine.mentors[0]) as client:
        assert client.get("/v1/lag").status_code == 403


async def test_an_open_network_needs_no_token_unless_a_proxy_passes_it_on(
    service: Service,
) -> None:
    async with httpx.AsyncClient(base_url=service.url, timeout=LIMIT_S) as nobody:
        assert (await nobody.get("/v1/lag")).status_code == 200
        passed_on = await nobody.get("/v1/lag", headers={"X-Forwarded-For": "127.0.0.1"})
        assert passed_on.status_code == 401


async def test_many_who_ask_at_once_share_one_measurement() -> None:
    begun, go_on = 0, asyncio.Event()

    async def measure() -> Lag:
        nonlocal begun
        begun += 1
        await go_on.wait()
        return NEVER

    shared = Shared(measure, LIMIT_S)
    asking = [asyncio.create_task(shared.now()) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.wait(asking[:1])
    go_on.set()
    assert await asyncio.gather(*asking[1:]) == [NEVER] * 49
    assert await shared.now() == NEVER
    assert begun == 1
    await shared.close()


async def test_what_cannot_be_measured_is_told_to_all_who_ask() -> None:
    begun = 0

    async def measure() -> Lag:
        nonlocal begun
        begun += 1
        raise LookupError("nobody thought of this")

    shared = Shared(measure, 1.0)
    told = await asyncio.gather(*(shared.now() for _ in range(5)), return_exceptions=True)
    assert [str(each) for each in told] == ["nobody thought of this"] * 5
    assert begun == 1
    await shared.close()
