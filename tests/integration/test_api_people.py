"""What admins do over HTTP, while the worker decides."""

import asyncio
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from tests.api.definitions import RAW, created, saved
from tests.api.service import Service, serving_api
from tests.integration.pipeline import Pipeline, Rig, count_of

ADMIN = "6d1c5c0e-0000-4000-8000-000000000003"


@pytest.fixture
def service(working: Rig, tmp_path: Path) -> Iterator[Service]:
    """The API beside a pipeline with a worker."""
    p = working.pipeline
    settings = {"BADGES_PREFIX": p.site.prefix}
    with serving_api(p.stack, p.owner_url, tmp_path / "log", **settings) as running:
        yield running


def given(client: httpx.Client, mentor: UUID, badge: UUID) -> httpx.Response:
    """Give a badge by hand."""
    return client.post(
        f"/v1/peer-mentors/{mentor}/badges", json={"badge_definition_id": str(badge)}
    )


async def visits(p: Pipeline, mentor: UUID, number: int) -> None:
    for day in range(1, number + 1):
        await p.activity(mentor, date(2026, 1, day).isoformat())


@pytest.mark.parametrize("revocable", [False, True])
def test_who_was_given_a_raw_badge_keeps_it_when_it_gets_a_rule(
    working: Rig, service: Service, revocable: bool
) -> None:
    async def test(p: Pipeline) -> None:
        organization, chosen = await p.newcomer()
        busy, idle = await p.mentor(organization), await p.mentor(organization)
        await visits(p, busy, 2)
        with service.client("admin", organization, ADMIN) as client:
            raw = created(client, RAW, status="active", revocable=revocable)
            badge = UUID(raw["id"])
            assert given(client, chosen, badge).status_code == 201
            await p.settle()
            assert await p.award(busy, badge) is None
            rule = {"version": 1, **count_of(2)}
            assert saved(client, raw, criteria=rule).status_code == 200
        await p.until(lambda: p.award(busy, badge))
        await p.settle()

        kept = await p.award(chosen, badge)
        assert kept is not None
        assert (kept["awarded_by"], kept["definition_version"]) == (ADMIN, 1)
        assert kept["revoked_at"] is None
        assert await p.events(chosen, badge) == ["granted"]
        earned = await p.award(busy, badge)
        assert earned is not None
        assert (earned["awarded_by"], earned["definition_version"]) == ("rule", 2)
        assert await p.award(idle, badge) is None

    working.run(test)


def test_what_is_taken_away_while_the_worker_promotes_stays_taken(
    working: Rig, service: Service
) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        tiers = [{"name": f"tier-{level}", "at_least": level} for level in range(1, 31)]
        badge = await p.badge(organization, {"type": "tier", "metric": "count", "tiers": tiers})
        await visits(p, mentor, 1)
        await p.until(lambda: p.award(mentor, badge))
        async with service.async_client("admin", organization, ADMIN) as client:
            path = f"/v1/peer-mentors/{mentor}/badges/{badge}"
            taken, _ = await asyncio.gather(
                client.delete(path, params={"reason": "A mistake"}), visits(p, mentor, 30)
            )
        assert taken.status_code == 200, taken.text
        assert taken.json()["revoked_by"] == ADMIN
        await p.settle()
        award = await p.award(mentor, badge)
        assert award is not None
        assert award["revoked_by"] == ADMIN
        assert award["tier"] == taken.json()["tier"]
        happened = await p.events(mentor, badge)
        assert happened.count("revoked") == 1
        assert happened[-1] == "revoked"

    working.run(test)


def test_everything_of_this_file_agrees_with_the_reference(working: Rig) -> None:
    working.run(Pipeline.verify)
