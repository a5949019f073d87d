"""What applications' users read themselves once it is exposed, as the roles PostgREST acts as."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
import pytest

from schema import apply, exposure
from schema.check import check
from sinks.pool import Connection
from streams.errors import Failure
from tests.integration.schema.people import People, define, settle
from tests.integration.schema.roles import claiming

pytestmark = pytest.mark.anyio

CLAIMS = {
    "mentor": "sub",
    "organization": "app_metadata.organization_id",
    "role": "app_metadata.role",
}
BY_MENTOR = ("badge_awards", "badge_award_events", "peer_mentor_stats")
RIGHTS = """
SELECT c.oid::regclass::text AS name, a.privilege_type AS "right"
FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace IN ('public'::regnamespace, 'badges_private'::regnamespace)
    AND a.grantee = $1::regrole
UNION
SELECT p.oid::regprocedure::text, a.privilege_type
FROM pg_proc p, aclexplode(p.proacl) a
WHERE p.pronamespace IN ('public'::regnamespace, 'badges_private'::regnamespace)
    AND a.grantee = $1::regrole
"""


@dataclass(frozen=True)
class Home:
    """An organization with two mentors, each of whom holds a badge and has stats."""

    people: People
    second: UUID
    draft: UUID


async def home(db: Connection, slug: str) -> Home:
    """Insert such an organization."""
    people = await settle(db, slug)
    second = await db.fetchval(
        "INSERT INTO peer_mentors (organization_id, display_name) VALUES ($1, 'Ola') RETURNING id",
        people.organization,
    )
    for mentor in (people.mentor, second):
        await db.execute("SELECT award_badge($1, $2, now(), '{}')", mentor, people.definition)
        await db.execute("INSERT INTO peer_mentor_stats (peer_mentor_id) VALUES ($1)", mentor)
    draft = await define(db, people.organization, f"draft-{slug}", "draft")
    return Home(people, second, draft)


def claims(role: str, organization: UUID, sub: UUID | None = None) -> Mapping[str, object]:
    """Claims as Supabase's tokens have them."""
    metadata = {"organization_id": str(organization), "role": role}
    return {"sub": str(sub or uuid4()), "role": "authenticated", "app_metadata": metadata}


async def mentors_in(db: Connection, table: str) -> set[UUID]:
    """Whose rows of a table whoever acts can see."""
    return {row[0] for row in await db.fetch(f"SELECT peer_mentor_id FROM {table}")}


async def test_nothing_is_exposed_before_somebody_says_so(supabase: Connection) -> None:
    assert await supabase.fetch(RIGHTS, "authenticated") == []
    assert await supabase.fetch(RIGHTS, "anon") == []


async def test_a_mentor_sees_their_own_rows(supabase: Connection) -> None:
    here, _ = await home(supabase, "oslo"), await home(supabase, "bergen")
    await exposure.expose(supabase, CLAIMS)
    mentor, organization = here.people.mentor, here.people.organization
    async with claiming(supabase, "authenticated", claims("mentor", organization, mentor)):
        for table in BY_MENTOR:
            assert await mentors_in(supabase, table) == {mentor}, table
        seen = {row["id"] for row in await supabase.fetch("SELECT id FROM badge_definitions")}
    assert here.people.definition in seen
    assert here.people.everywhere in seen
    assert here.draft not in seen
    assert len(seen) == 3  # the other organization's badge for everybody is one too


@pytest.mark.parametrize("role", ["coordinator", "admin"])
async def test_who_coordinates_sees_the_organizations(supabase: Connection, role: str) -> None:
    here, other = await home(supabase, "oslo"), await home(supabase, "bergen")
    await exposure.expose(supabase, CLAIMS)
    async with claiming(supabase, "authenticated", claims(role, here.people.organization)):
        for table in BY_MENTOR:
            assert await mentors_in(supabase, table) == {here.people.mentor, here.second}, table
        seen = {row["id"] for row in await supabase.fetch("SELECT id FROM badge_definitions")}
    assert here.draft in seen
    assert not seen & {other.people.definition, other.draft}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"sub": "nobody"},
        {"sub": "MENTOR", "app_metadata": {"organization_id": "HERE"}},
        {"sub": "MENTOR", "app_metadata": {"organization_id": "HERE", "role": "owner"}},
        {"sub": "MENTOR", "app_metadata": {"organization_id": "OTHER", "role": "mentor"}},
        {"sub": "MENTOR", "app_metadata": {"organization_id": "no id", "role": "admin"}},
        {"sub": "no id", "app_metadata": {"organization_id": "HERE", "role": "mentor"}},
        {"sub": "MENTOR", "user_metadata": {"organization_id": "HERE", "role": "admin"}},
        {"sub": "MENTOR", "app_metadata": "HERE"},
    ],
)
async def test_claims_that_say_nothing_show_no_mentor(
    supabase: Connection, wrong: dict[str, object]
) -> None:
    here, other = await home(supabase, "oslo"), await home(supabase, "bergen")
    await exposure.expose(supabase, CLAIMS)
    names = {
        "MENTOR": str(here.people.mentor),
        "HERE": str(here.people.organization),
        "OTHER": str(other.people.organization),
    }
    async with claiming(supabase, "authenticated", filled(wrong, names)):
        for table in BY_MENTOR:
            assert await mentors_in(supabase, table) == set(), table


def filled(claims: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """Claims with ids in the place of their names."""
    return {
        key: filled(value, names) if isinstance(value, dict) else names.get(str(value), value)
        for key, value in claims.items()
    }


async def test_text_that_is_no_json_shows_nothing(supabase: Connection) -> None:
    await home(supabase, "oslo")
    await exposure.expose(supabase, CLAIMS)
    async with claiming(supabase, "authenticated", {}):
        await supabase.execute("SELECT set_config('request.jwt.claims', 'no json', false)")
        assert await mentors_in(supabase, "badge_awards") == set()
        assert await supabase.fetch("SELECT FROM badge_definitions") == []


async def test_views_and_functions_answer_by_the_claims_alone(supabase: Connection) -> None:
    here, other = await home(supabase, "oslo"), await home(supabase, "bergen")
    await supabase.execute(
        "UPDATE peer_mentor_stats s SET day_streak_length = 3, "
        "day_streak_last_on = badges_private.today_of(s.peer_mentor_id) - 1"
    )
    await exposure.expose(supabase, CLAIMS)
    mentor, organization = here.people.mentor, here.people.organization
    async with claiming(supabase, "authenticated", claims("mentor", organization, mentor)):
        current = await supabase.fetch(
            "SELECT peer_mentor_id, day_streak_current FROM peer_mentor_stats_current"
        )
        assert [tuple(row) for row in current] == [(mentor, 3)]
        at_risk = await supabase.fetch(
            "SELECT peer_mentor_id, period FROM peer_mentor_streaks_at_risk"
        )
        assert [tuple(row) for row in at_risk] == [(mentor, "day")]
        for function in ("badge_progress", "peer_mentor_streaks"):
            assert await supabase.fetch(f"SELECT FROM {function}($1)", mentor) != []
            for somebody in (here.second, other.people.mentor, uuid4()):
                assert await supabase.fetch(f"SELECT FROM {function}($1)", somebody) == []
    async with claiming(supabase, "authenticated", claims("coordinator", organization)):
        assert await mentors_in(supabase, "peer_mentor_stats_current") == {mentor, here.second}
        assert await supabase.fetch("SELECT FROM badge_progress($1)", here.second) != []
        assert await supabase.fetch("SELECT FROM badge_progress($1)", other.second) == []


async def test_nothing_can_be_written_and_nothing_else_be_read(supabase: Connection) -> None:
    here = await home(supabase, "oslo")
    await exposure.expose(supabase, CLAIMS)
    admin = claims("admin", here.people.organization)
    async with claiming(supabase, "authenticated", admin):
        for statement in (
            "UPDATE badge_awards SET revoked_at = now()",
            "DELETE FROM badge_award_events",
            "INSERT INTO peer_mentor_stats (peer_mentor_id) VALUES (gen_random_uuid())",
            "UPDATE badge_definitions SET status = 'retired'",
            "SELECT FROM badge_definition_versions",
            "SELECT FROM badge_alerts",
            "SELECT FROM badge_logs",
            "SELECT FROM peer_mentors",
            "SELECT badges_private.visible_mentors()",
            "SELECT badges_private.expose()",
            "SELECT FROM badges_private.claim_paths",
            "SELECT award_badge(gen_random_uuid(), gen_random_uuid(), now(), '{}')",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await supabase.execute(statement)
    async with claiming(supabase, "anon", admin):
        for table in (*BY_MENTOR, "badge_definitions"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await supabase.execute(f"SELECT FROM {table}")
    assert await supabase.fetch(RIGHTS, "anon") == []


async def test_the_rights_are_these(supabase: Connection) -> None:
    told = await exposure.expose(supabase, CLAIMS)
    found = {(row["name"], row["right"]) for row in await supabase.fetch(RIGHTS, "authenticated")}
    there = {
        name.removeprefix("public.")
        for name in exposure.EXPOSABLE
        if await supabase.fetchval(
            "SELECT CASE WHEN $1 LIKE '%)' THEN to_regprocedure($1)::oid "
            "ELSE to_regclass($1)::oid END IS NOT NULL",
            name,
        )
    }
    assert found == {
        (name.replace(", ", ","), "EXECUTE" if name.endswith(")") else "SELECT") for name in there
    }
    assert set(told) == {name for name in there if not name.startswith("badges_private.")}
    assert await supabase.fetchval("SELECT badges_private.exposable()") == [*exposure.EXPOSABLE]


async def test_it_stays_through_migrate_and_is_taken_back_whole(supabase: Connection) -> None:
    told = await exposure.expose(supabase, CLAIMS)
    assert await exposure.expose(supabase, CLAIMS) == told
    assert await check(supabase, prefix="badges") == []
    # Something is missing, so that every file is applied again.
    await supabase.execute("DROP POLICY badges_worker_all ON badge_awards")
    await supabase.execute("REVOKE SELECT ON badge_awards FROM authenticated")
    differing = [each.found for each in await check(supabase, prefix="badges")]
    assert "lacks SELECT on public.badge_awards" in differing
    await apply.migrate(supabase, prefix="badges", role_passwords={})
    assert await check(supabase, prefix="badges") == []
    here = await home(supabase, "oslo")
    async with claiming(supabase, "authenticated", claims("admin", here.people.organization)):
        assert await mentors_in(supabase, "badge_awards") == {here.people.mentor, here.second}

    assert await exposure.conceal(supabase) == told
    assert await supabase.fetch(RIGHTS, "authenticated") == []
    assert await check(supabase, prefix="badges") == []
    policies = "SELECT FROM pg_policy WHERE polname = 'badges_exposed'"
    assert await supabase.fetch(policies) == []
    await apply.migrate(supabase, prefix="badges", role_passwords={})
    assert await supabase.fetch(RIGHTS, "authenticated") == []


async def test_what_is_open_besides_is_told(supabase: Connection) -> None:
    await exposure.expose(supabase, CLAIMS)
    await supabase.execute("GRANT SELECT ON badge_alerts TO authenticated")
    await supabase.execute("GRANT INSERT ON badge_awards TO authenticated")
    found = {(each.where, each.found) for each in await check(supabase, prefix="badges")}
    assert found == {
        ("table badge_alerts", "is open to authenticated"),
        ("table badge_awards", "is open to authenticated"),
    }


async def test_claims_may_have_other_names(supabase: Connection) -> None:
    here = await home(supabase, "oslo")
    paths = {"mentor": "who.mentor", "organization": "https://x.test/org", "role": "who.is"}
    await exposure.expose(supabase, paths)
    organization, mentor = str(here.people.organization), str(here.people.mentor)
    other = {
        "sub": str(uuid4()),
        "https://x.test/org": organization,
        "who": {"mentor": mentor, "is": "mentor"},
    }
    async with claiming(supabase, "authenticated", other):
        assert await mentors_in(supabase, "badge_awards") == {here.people.mentor}
    # The names that Supabase gives say nothing then, unless `badges api` has read the token.
    usual = claims("admin", here.people.organization)
    async with claiming(supabase, "authenticated", usual):
        assert await mentors_in(supabase, "badge_awards") == set()
    async with claiming(supabase, "badges_api", usual):
        assert await mentors_in(supabase, "badge_awards") == {here.people.mentor, here.second}


async def test_definitions_that_everybody_would_read_are_not_exposed(supabase: Connection) -> None:
    await supabase.execute("ALTER TABLE badge_definitions DISABLE ROW LEVEL SECURITY")
    with pytest.raises(Failure, match="row-level security is off") as raised:
        await exposure.expose(supabase, CLAIMS)
    assert raised.value.hint is not None
    assert "ENABLE ROW LEVEL SECURITY" in raised.value.hint
    assert await supabase.fetch(RIGHTS, "authenticated") == []


async def test_a_right_that_the_application_gave_stays(supabase: Connection) -> None:
    await supabase.execute("GRANT SELECT ON badge_definitions TO authenticated")
    assert "badge_definitions" not in await exposure.expose(supabase, CLAIMS)
    await exposure.conceal(supabase)
    rights = await supabase.fetch(RIGHTS, "authenticated")
    assert [tuple(row) for row in rights] == [("badge_definitions", "SELECT")]


async def test_without_supabases_roles_it_says_what_is_missing(db: Connection) -> None:
    with pytest.raises(Failure, match="authenticated is missing") as raised:
        await exposure.expose(db, CLAIMS)
    assert raised.value.hint == "CREATE ROLE authenticated NOLOGIN;"
