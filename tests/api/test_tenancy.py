"""Row-level security under the API: what its role reads, whatever the route asks for."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from badges.api.database import acting, acting_for
from badges.api.problem import ProblemError
from sinks.errors import StoreError
from sinks.pool import Connection, Pool
from tests.api.callers import caller, request
from tests.api.conftest import Organization
from tests.api.service import Service, claims_of
from tests.api.world import World, world
from tests.patience import patient_pool
from tests.stack import Stack

pytestmark = pytest.mark.anyio

READABLE = """
    SELECT c.oid::regclass::text AS name, string_agg(quote_ident(a.attname), ', ') AS columns
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace IN ('public'::regnamespace, 'badges_private'::regnamespace)
        AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
        AND has_column_privilege('badges_api', c.oid, a.attnum, 'SELECT')
    GROUP BY c.oid ORDER BY 1
"""
EVERYTHING = "SELECT coalesce(string_agg(concat_ws(' ', {columns}), ' '), '') FROM {name}"

WITH_RIGHTS_OF_THEIR_OWN = """
    SELECT p.oid::regprocedure::text FROM pg_proc p
    WHERE p.pronamespace IN ('public'::regnamespace, 'badges_private'::regnamespace)
        AND p.prosecdef AND has_function_privilege('badges_api', p.oid, 'EXECUTE')
"""
BOUND_BY_CLAIMS = {
    "award_badge(uuid,uuid,timestamp with time zone,jsonb,text,integer,text,"
    "timestamp with time zone)",
    "badge_progress(uuid)",
    "badges_private.claimed_organization()",
    "badges_private.claimed_role()",
    "badges_private.first_request(text,bytea,uuid)",
    "badges_private.progress(uuid,uuid,integer)",
    "badges_private.visible_mentors()",
    "peer_mentor_streaks(uuid)",
    "unlocks_since(text)",
}
"""They answer for the organization of the claims alone."""
TELL_OF_NOBODY = {
    "badges_private.alerts_by_kind()",
    "badges_private.as_of()",
    "badges_private.award_seconds(timestamp with time zone)",
    "badges_private.backfill(text)",
    "badges_private.backfill_pace(text)",
    "badges_private.definition_states()",
    "badges_private.highest_unlock()",
    "badges_private.is_told(text[],text)",
    "badges_private.last_audit()",
    "badges_private.names_nobody_else(uuid,text)",
    "badges_private.names_somebody_of(uuid,text)",
    "badges_private.newest_awards_of_rules()",
    "badges_private.open_alerts()",
    "badges_private.refused_writes_waiting()",
    "badges_private.streaks_now(uuid,integer,date,integer,date,integer,date)",
    "badges_private.unlocks_by_minute(timestamp with time zone)",
}
"""Ids, kinds, numbers and dates, which no answer hands on as they are."""
TELL_OF_ALL = {"badges_private.unlocks_of_all(text,integer)"}
"""For the one reader of the feed, which has no caller, and sorts events by organization."""


@pytest.fixture
async def there(owner: Pool, mine: Organization, other: Organization) -> World:
    return await world(owner, mine, other)


@pytest.fixture
async def pool(service: Service, postgres: Stack) -> AsyncIterator[Pool]:
    """Connections in the API's own role."""
    url = postgres.role_url("badges_api", service.database_url)
    async with await patient_pool(url, role="badges_api", application_name="test") as pool:
        # Whoever is given it has less time than a connection may take.
        await pool.execute("SELECT 1")
        yield pool


@asynccontextmanager
async def claiming(pool: Pool, claims: str) -> AsyncIterator[Connection]:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('request.jwt.claims', $1, true)", claims)
        yield connection


async def seen(pool: Pool, owner: Pool, claims: str) -> dict[str, str]:
    """All that can be read under some claims, by table."""
    tables = await owner.fetch(READABLE)
    assert len(tables) > 10
    async with claiming(pool, claims) as connection:
        return {
            table["name"]: await connection.fetchval(EVERYTHING.format(**table)) for table in tables
        }


def admins(organization: str) -> str:
    """The claims of an admin."""
    return json.dumps(claims_of("admin", organization))


async def test_every_table_shows_ones_own_organization_alone(
    pool: Pool, owner: Pool, there: World
) -> None:
    own = await seen(pool, owner, admins(there.organization))
    foreign = await seen(pool, owner, admins(there.foreign_organization))

    assert [table for table, rows in foreign.items() if any(id in rows for id in there.ids())] == []
    missing = {id for id in there.ids() if not any(id in rows for rows in own.values())}
    assert missing == set(), "this test would see what it looks for"


@pytest.mark.parametrize(
    "claims",
    [
        "",
        "{}",
        "no JSON",
        "[]",
        "null",
        '{"app_metadata": null}',
        '{"app_metadata": "admin"}',
        '{"app_metadata": {"organization_id": null}}',
        '{"app_metadata": {"organization_id": ""}}',
        '{"app_metadata": {"organization_id": "%"}}',
        '{"app_metadata": {"organization_id": ["x"]}}',
        '{"organization_id": "11111111-1111-4111-8111-111111111111"}',
    ],
)
async def test_claims_that_name_no_organization_show_none(
    pool: Pool, owner: Pool, there: World, claims: str
) -> None:
    found = await seen(pool, owner, claims)

    assert [table for table, rows in found.items() if any(id in rows for id in there.ids())] == []


async def test_every_function_with_rights_of_its_own_is_known(owner: Pool) -> None:
    found = {row[0] for row in await owner.fetch(WITH_RIGHTS_OF_THEIR_OWN)}

    assert found == BOUND_BY_CLAIMS | TELL_OF_NOBODY | TELL_OF_ALL


async def test_functions_for_people_answer_for_the_organization_of_the_claims(
    pool: Pool, there: World
) -> None:
    asked = """
        SELECT (SELECT count(*) FROM badge_progress($1)
                WHERE badge_definition_id = ANY ($2::uuid[])),
               (SELECT count(*) FROM badges_private.progress($1, NULL, NULL)
                WHERE badge_definition_id = ANY ($2::uuid[])),
               (SELECT count(*) FROM peer_mentor_streaks($1)),
               (SELECT count(*) FROM badges_private.visible_mentors() AS v WHERE v = $1)
    """
    # Of those alone: other tests leave badges of every organization.
    definitions = [there.definition, there.given]
    for organization, expected in (
        (there.organization, (2, 2, 3, 1)),
        (there.foreign_organization, (0, 0, 0, 0)),
    ):
        async with claiming(pool, admins(organization)) as connection:
            found = await connection.fetchrow(asked, there.mentor, definitions)
            assert tuple(found or ()) == expected


async def test_claims_end_with_their_transaction(pool: Pool, there: World) -> None:
    count = "SELECT count(*) FROM peer_mentors"
    for _ in range(3):
        async with acting(request(pool), caller(there.organization)) as connection:
            assert await connection.fetchval(count) == 2
    assert await pool.fetchval(count) == 0


async def test_no_setting_of_role_or_database_names_another_organization(
    only: Pool, there: World
) -> None:
    """badges.organization is for people at a prompt."""
    await only.execute("SELECT set_config('badges.organization', $1, false)", there.organization)
    assert await only.fetchval("SELECT id::text FROM organizations") == there.organization
    async with acting(request(only), caller(there.foreign_organization)) as connection:
        found = await connection.fetchval("SELECT id::text FROM organizations")
    assert found == there.foreign_organization


async def test_a_mentors_data_is_for_that_mentor_and_who_coordinates(
    pool: Pool, there: World
) -> None:
    mentor = UUID(there.mentor)
    for who in (
        caller(there.organization),
        caller(there.organization, "coordinator"),
        caller(there.organization, "mentor", there.mentor),
    ):
        async with acting_for(request(pool), who, mentor) as connection:
            assert await connection.fetchval("SELECT 1") == 1
    for who in (
        caller(there.organization, "mentor", there.another_mentor),
        caller(there.foreign_organization),
        caller(there.foreign_organization, "coordinator"),
        caller(there.foreign_organization, "mentor", there.mentor),
    ):
        with pytest.raises(ProblemError) as refused:
            async with acting_for(request(pool), who, mentor):
                raise AssertionError("nobody else comes here")
        assert refused.value.status == 404


async def test_awards_are_given_in_ones_own_organization_alone(pool: Pool, there: World) -> None:
    award = "SELECT award_badge($1, $2, now(), '{}')"
    with pytest.raises(StoreError):
        async with acting(request(pool), caller(there.foreign_organization)) as connection:
            await connection.execute(award, there.another_mentor, there.definition)
    async with acting(request(pool), caller(there.organization)) as connection:
        await connection.execute(award, there.another_mentor, there.definition)
        held = await connection.fetchval("SELECT count(*) FROM badge_awards")
    assert held == 2


async def test_callers_of_two_organizations_at_once_each_see_their_own(
    service: Service, mine: Organization, other: Organization
) -> None:
    """They share connections, and no claim stays on one."""

    async def asked(organization: Organization) -> bool:
        async with service.async_client("coordinator", organization.id) as client:
            answer = await client.get("/v1/peer-mentors")
        return {each["peer_mentor_id"] for each in answer.json()["items"]} == {
            *organization.mentors
        }

    told = await asyncio.gather(*(asked(each) for each in (mine, other) * 50))
    assert all(told)
