"""/v1/peer-mentors: search and pages, of one's own organization alone."""

import httpx
import pytest

from tests.api.conftest import Organization
from tests.api.service import Service
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio


async def test_a_coordinator_finds_mentors_by_a_part_of_their_name(
    service: Service, mine: Organization, other: Organization
) -> None:
    with service.client("coordinator", mine.id) as client:
        found = client.get("/v1/peer-mentors", params={"search": "kari"}).json()
        everybody = client.get("/v1/peer-mentors").json()
    assert [each["display_name"] for each in found["items"]] == ["Kari Nordmann"]
    assert [each["peer_mentor_id"] for each in everybody["items"]] == sorted(mine.mentors)
    assert not {each["peer_mentor_id"] for each in everybody["items"]} & {*other.mentors}


async def test_pages_follow_each_other(service: Service, mine: Organization) -> None:
    with service.client("admin", mine.id) as client:
        first = client.get("/v1/peer-mentors", params={"limit": 1}).json()
        second = client.get("/v1/peer-mentors", params={"limit": 1, "after": first["next"]}).json()
    found = [each["peer_mentor_id"] for each in [*first["items"], *second["items"]]]
    assert found == sorted(mine.mentors)
    assert second["next"] is None


async def test_it_is_for_coordinators(service: Service, mine: Organization) -> None:
    with service.client("mentor", mine.id, mine.mentors[0]) as client:
        refused = client.get("/v1/peer-mentors")
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    async with httpx.AsyncClient(timeout=LIMIT_S) as nobody:
        assert (await nobody.get(f"{service.url}/v1/peer-mentors")).status_code == 401
