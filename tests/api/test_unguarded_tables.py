"""An application's own tables may be without row-level security: the API keeps to its tenant."""

from uuid import uuid4

import pytest

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.definitions import PATH, created, definition
from tests.api.mentors import COUNT, define, grant
from tests.api.service import Service

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("unguarded")]


async def test_mentors_of_another_organization_are_not_found(
    service: Service, mine: Organization, other: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        found = client.get("/v1/peer-mentors", params={"limit": 1000}).json()["items"]
        assert [each["peer_mentor_id"] for each in found] == sorted(mine.mentors)
        badge = created(client, status="active")["id"]
        path = f"/v1/peer-mentors/{other.mentors[0]}"
        for response in (
            client.get(f"{path}/badges"),
            client.get(f"{path}/progress"),
            client.get(f"{path}/stats"),
            client.post(f"{path}/badges", json={"badge_definition_id": badge}),
            client.delete(f"{path}/badges/{badge}"),
        ):
            assert response.status_code == 404, response.url


async def test_definitions_of_another_organization_are_neither_read_nor_changed(
    service: Service, mine: Organization, other: Organization, owner: Pool
) -> None:
    with service.client("admin", other.id) as client:
        theirs = created(client, status="active")
    path = f"{PATH}/{theirs['id']}"
    with service.client("admin", mine.id) as client:
        ours = created(client, key=theirs["key"])
        listed = client.get(PATH, params={"limit": 1000}).json()["items"]
        assert [each["id"] for each in listed if each["organization_id"]] == [ours["id"]]
        given = {"badge_definition_id": theirs["id"]}
        asking = {"version": 1, "type": "badges", "badges": [theirs["key"], f"none-{uuid4()}"]}
        for response, status in (
            (client.get(path), 404),
            (client.get(f"{path}/versions"), 404),
            (client.get(f"{path}/awards"), 404),
            (client.put(path, json=definition(), headers={"If-Match": "*"}), 404),
            (client.delete(path), 404),
            (client.post(f"/v1/peer-mentors/{mine.mentors[0]}/badges", json=given), 404),
            (client.post(PATH, json=definition(asking)), 422),
        ):
            assert response.status_code == status, response.url
    saved = await owner.fetchrow(
        "SELECT version, status FROM badge_definitions WHERE id = $1::text::uuid", theirs["id"]
    )
    assert saved is not None
    assert tuple(saved) == (1, "active")


async def test_badges_of_an_organization_that_the_mentor_has_left_are_told_to_nobody(
    service: Service, mine: Organization, other: Organization, owner: Pool
) -> None:
    mentor, left = mine.mentors[0], await define(owner, mine.id, COUNT, name="Theirs alone")
    await grant(owner, mentor, left, "2026-01-01", {"rows": ["theirs"]})
    await owner.execute(
        "UPDATE peer_mentors SET organization_id = $2::text::uuid WHERE id = $1::text::uuid",
        *(mentor, other.id),
    )
    for role, sub in (("admin", None), ("mentor", mentor)):
        with service.client(role, other.id, sub) as client:
            answer = client.get(f"/v1/peer-mentors/{mentor}/badges")
        assert answer.json()["items"] == []
