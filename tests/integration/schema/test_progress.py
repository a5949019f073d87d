"""badge_progress and peer_mentor_streaks: asked by SQL, as PostgREST does."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from schema import exposure
from sinks.pool import Connection
from tests.integration.schema.people import People, settle
from tests.integration.schema.roles import acting, claiming

pytestmark = pytest.mark.anyio

CRITERIA = '{"version": 1, "type": "threshold", "metric": "count", "at_least": 3}'
CLAIMS = {
    "mentor": "sub",
    "organization": "app_metadata.organization_id",
    "role": "app_metadata.role",
}


async def settled(db: Connection, slug: str = "oslo") -> People:
    """People with one activity, and one badge of their own that asks for three."""
    people = await settle(db, slug)
    await db.execute("UPDATE badge_definitions SET criteria = $1", CRITERIA)
    await db.execute(
        "INSERT INTO activities (peer_mentor_id, activity_type, activity_date) "
        "VALUES ($1, 'visit', current_date)",
        people.mentor,
    )
    return people


async def asked(db: Connection, function: str, mentor: object) -> list[dict[str, Any]]:
    return [dict(row) for row in await db.fetch(f"SELECT * FROM {function}($1)", mentor)]


async def test_progress_has_what_the_criteria_amount_to(db: Connection) -> None:
    people = await settled(db)
    found = {row["key"]: row for row in await asked(db, "badge_progress", people.mentor)}
    assert set(found) == {"first-visit", "global-oslo"}
    own = found["first-visit"]
    assert own["badge_definition_id"] == people.definition
    assert (own["held"], own["tier"], own["amounts"], own["at_risk"]) == (
        False, None, '{"$": 1}', "{}",
    )  # fmt: skip
    await db.fetch("SELECT award_badge($1, $2, NULL, NULL)", people.mentor, people.definition)
    found = {row["key"]: row for row in await asked(db, "badge_progress", people.mentor)}
    assert [found[key]["held"] for key in ("first-visit", "global-oslo")] == [True, False]


@pytest.mark.parametrize("function", ["badge_progress", "peer_mentor_streaks"])
async def test_the_api_is_told_of_its_own_organization_alone(db: Connection, function: str) -> None:
    mine, other = await settled(db), await settled(db, "bergen")
    async with acting(db, "badges_api", mine.organization):
        assert await asked(db, function, mine.mentor) != []
        assert await asked(db, function, other.mentor) == []


async def test_what_is_exposed_answers_by_the_claims(supabase: Connection) -> None:
    mine, other = await settled(supabase), await settled(supabase, "bergen")
    functions = ("badge_progress", "peer_mentor_streaks")
    for people in (mine, other):
        await supabase.execute(
            "INSERT INTO peer_mentor_stats (peer_mentor_id, day_streak_length, day_streak_last_on) "
            "SELECT $1, 4, badges_private.today_of($1) - 1",
            people.mentor,
        )
    async with claiming(supabase, "authenticated", {}):
        for function in functions:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asked(supabase, function, mine.mentor)
    await exposure.expose(supabase, CLAIMS)
    for claims in (claimed("mentor", mine, mine.mentor), claimed("coordinator", mine)):
        async with claiming(supabase, "authenticated", claims):
            assert [len(await asked(supabase, each, mine.mentor)) for each in functions] == [3, 3]
            assert [await asked(supabase, each, other.mentor) for each in functions] == [[], []]
            for view in ("peer_mentor_stats_current", "peer_mentor_streaks_at_risk"):
                rows = await supabase.fetch(f"SELECT peer_mentor_id FROM {view}")
                assert [row["peer_mentor_id"] for row in rows] == [mine.mentor], view
    for claims in (claimed("mentor", mine), claimed("mentor", other, mine.mentor), {}):
        async with claiming(supabase, "authenticated", claims):
            assert [await asked(supabase, each, mine.mentor) for each in functions] == [[], []]


def claimed(role: str, people: People, sub: UUID | None = None) -> Mapping[str, object]:
    """Claims of somebody in an organization, as Supabase's tokens have them."""
    metadata = {"organization_id": str(people.organization), "role": role}
    return {"sub": str(sub or uuid4()), "role": "authenticated", "app_metadata": metadata}


async def test_service_role_is_told_of_everybody(supabase: Connection) -> None:
    people = await settled(supabase)
    async with claiming(supabase, "service_role", {"role": "service_role"}):
        assert len(await asked(supabase, "badge_progress", people.mentor)) == 2
        assert len(await asked(supabase, "peer_mentor_streaks", people.mentor)) == 3
        assert await supabase.fetch("SELECT FROM peer_mentor_streaks_at_risk") == []
