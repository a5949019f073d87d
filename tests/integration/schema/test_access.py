"""Who may do what: from the catalog, and as each role."""

import json
from uuid import uuid4

import asyncpg
import pytest

from schema import apply
from schema.check import check
from sinks.pool import Connection
from streams.log import generations
from tests.integration.schema.people import People, settle
from tests.integration.schema.postgres import Server
from tests.integration.schema.roles import SUPABASE_ROLES, acting

pytestmark = pytest.mark.anyio

OPEN = """
SELECT c.oid::regclass::text, coalesce(a.grantee::regrole::text, 'PUBLIC'), a.privilege_type
FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace IN ('public'::regnamespace, 'badges_private'::regnamespace)
    AND (a.grantee = 0 OR a.grantee = ANY (
        SELECT oid FROM pg_roles WHERE rolname IN ('anon', 'authenticated')))
"""

EXECUTABLE = """
SELECT p.oid::regprocedure::text AS function, r.rolname::text AS role
FROM pg_proc p, pg_roles r
WHERE p.pronamespace IN ('public'::regnamespace, 'badges_private'::regnamespace)
    AND r.rolname = ANY ($1) AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
"""

MEASURES = {
    f"badges_private.{name}"
    for name in (
        "period_of", "gains", "amounts", "rolling_amounts", "names", "reached", "enough_parts",
        "decided_awards", "holders",
        "measured", "measure", "measure_threshold", "measure_tier", "measure_streak",
        "measure_training", "measure_badges", "measure_all", "measure_any",
    )
}  # fmt: skip
MAY_ASK = {"badge_progress", "peer_mentor_streaks", "badges_private.streaks_now"}
"""What answers by the claims, and what the views call."""
MAY_FOLLOW = {
    "badges_private.highest_unlock",
    "badges_private.read_unlock_cursor",
    "badges_private.unlock_cursor",
    "badges_private.unlock_snapshot",
    "badges_private.unlocks",
    "badges_private.unlocks_of_all",
    "badges_private.visible_mentors",
    "unlocks_since",
}
"""What the unlock feed calls."""

ROLES = ["badges_worker", "badges_api", "badges_connect", *SUPABASE_ROLES]


async def test_nothing_is_open_to_everybody(db: Connection) -> None:
    assert await db.fetch(OPEN) == []
    for row in await db.fetch(
        "SELECT p.oid::regprocedure::text AS name, p.proacl FROM pg_proc p "
        "WHERE p.pronamespace IN ('public'::regnamespace, 'badges_private'::regnamespace)"
    ):
        assert row["proacl"] is not None, f"{row['name']} has the default: open to everybody"
        assert not any(entry.startswith("=") for entry in row["proacl"]), row["name"]


async def test_every_table_has_row_level_security(db: Connection) -> None:
    rows = await db.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND NOT relrowsecurity "
        "AND relnamespace IN ('public'::regnamespace, 'badges_private'::regnamespace)"
    )
    assert rows == []


async def test_views_show_what_their_reader_may_see(db: Connection) -> None:
    rows = await db.fetch(
        "SELECT relname, reloptions FROM pg_class "
        "WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace"
    )
    assert {row["relname"] for row in rows} == {
        "peer_mentor_stats_current",
        "peer_mentor_streaks_at_risk",
    }
    assert all(row["reloptions"] == ["security_invoker=true"] for row in rows)


async def test_functions_with_rights_of_their_own_have_a_fixed_search_path(db: Connection) -> None:
    rows = await db.fetch(
        "SELECT p.proname, p.proconfig FROM pg_proc p WHERE p.prosecdef "
        "AND p.pronamespace IN ('public'::regnamespace, 'badges_private'::regnamespace)"
    )
    assert len(rows) > 15
    for row in rows:
        assert "search_path=pg_catalog, pg_temp" in (row["proconfig"] or []), row["proname"]


async def test_supabase_roles_get_what_the_contract_says(supabase: Connection) -> None:
    assert await supabase.fetch(OPEN) == []
    rows = await supabase.fetch(EXECUTABLE, ROLES)
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["role"], set()).add(row["function"].partition("(")[0])
    assert found == {
        "badges_worker": {
            "award_badge",
            "badges_private.lock_for_awards",
            "badges_private.lock_at_once",
            "badges_private.grant_awards",
            "badges_private.withdraw_awards",
            "badges_private.depart_mentors",
            "badges_private.backfill",
            "badges_private.backfill_pace",
            "badges_private.missed_versions",
            "badges_private.streaks_now",
            *MEASURES,
        },
        "badges_api": {
            "award_badge",
            "badges_private.alerts_by_kind",
            "badges_private.as_of",
            "badges_private.award_seconds",
            "badges_private.backfill",
            "badges_private.backfill_pace",
            "badges_private.claimed_organization",
            "badges_private.claimed_role",
            "badges_private.definition_states",
            "badges_private.first_request",
            "badges_private.is_told",
            "badges_private.last_audit",
            "badges_private.newest_awards_of_rules",
            "badges_private.open_alerts",
            "badges_private.names_nobody_else",
            "badges_private.names_somebody_of",
            "badges_private.progress",
            "badges_private.refused_writes_waiting",
            "badges_private.unlocks_by_minute",
            *MEASURES,
            *MAY_FOLLOW,
            *MAY_ASK,
        },
        "service_role": {"award_badge", "unlocks_since", *MAY_ASK},
    }
    assert await check(supabase, prefix="badges") == []


async def test_an_edge_function_awards_and_revokes(supabase: Connection) -> None:
    people = await settle(supabase)
    async with acting(supabase, "service_role"):
        row = await supabase.fetchrow(
            "SELECT * FROM award_badge($1, $2, now(), '{}')", people.mentor, people.definition
        )
        assert row is not None
        assert row["awarded_by"] == "someone"
        await supabase.execute("UPDATE badge_awards SET revoked_at = now()")
        for statement in (
            "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at) "
            "SELECT peer_mentor_id, badge_definition_id, now() FROM badge_awards",
            "UPDATE badge_awards SET changed_by = 'rule'",
            "INSERT INTO badge_award_events (badge_award_id, peer_mentor_id, badge_definition_id, "
            "kind, source) SELECT id, peer_mentor_id, badge_definition_id, 'granted', 'stream' "
            "FROM badge_awards",
            "DELETE FROM peer_mentor_stats",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await supabase.execute(statement)


@pytest.mark.parametrize("role", ["anon", "authenticated"])
async def test_visitors_reach_nothing(supabase: Connection, role: str) -> None:
    people = await settle(supabase)
    async with acting(supabase, role):
        for table in ("activities", "badge_awards", "badge_alerts", "peer_mentor_stats_current"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await supabase.fetch(f"SELECT * FROM {table}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await supabase.fetch(
                "SELECT award_badge($1, $2, now(), '{}')", people.mentor, people.definition
            )


async def two_organizations(db: Connection) -> tuple[People, People]:
    mine, other = await settle(db), await settle(db, "bergen")
    for people in (mine, other):
        await db.execute(
            "SELECT award_badge($1, $2, now(), '{}')", people.mentor, people.definition
        )
        await db.execute(
            "INSERT INTO peer_mentor_stats (peer_mentor_id) VALUES ($1)", people.mentor
        )
        await db.execute(
            "INSERT INTO activities (peer_mentor_id, activity_type, activity_date) "
            "VALUES ($1, 'visit', '2026-01-01')",
            people.mentor,
        )
    return mine, other


async def test_the_api_sees_the_organization_of_its_claims(db: Connection) -> None:
    mine, _ = await two_organizations(db)
    async with acting(db, "badges_api", mine.organization):
        for table, expected in (
            ("organizations", 1), ("peer_mentors", 1), ("activities", 1), ("badge_awards", 1),
            ("badge_award_events", 1), ("peer_mentor_stats", 1), ("peer_mentor_stats_current", 1),
            ("badge_definitions", 3), ("badge_definition_versions", 3),
            ("organization_versions", 1),
        ):  # fmt: skip
            assert await db.fetchval(f"SELECT count(*) FROM {table}") == expected, table
        for statement in (
            "DELETE FROM badge_awards",
            "UPDATE badge_awards SET revoked_by = 'Kari'",
            "UPDATE badge_awards SET tier = 'gold'",
            "UPDATE badge_definitions SET organization_id = NULL",
            "UPDATE badge_definitions SET version = 7",
            "DELETE FROM badge_definitions",
            "INSERT INTO organizations (slug) VALUES ('x')",
            "SELECT badges_private.depart_mentors('{}')",
            "SELECT * FROM badges_private.idempotency_keys",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.execute(statement)


async def test_by_the_api_only_an_admin_writes_what_is_the_organizations(db: Connection) -> None:
    mine, other = await two_organizations(db)
    give = "SELECT (award_badge($1, $2, now(), '{}')).awarded_by"
    take = "UPDATE badge_awards SET revoked_at = now() RETURNING peer_mentor_id"
    rename = "UPDATE badge_definitions SET name = 'Another' RETURNING id"
    new = (
        "INSERT INTO badge_definitions (organization_id, key, criteria) VALUES ($1, 'new', '{}') "
        "RETURNING key"
    )
    for claimed in ("coordinator", "mentor", "Admin", ""):
        async with acting(db, "badges_api", mine.organization, claimed):
            assert await db.fetch(take) == []
            assert await db.fetch(rename) == []
            for statement, arguments in (
                (new, [mine.organization]),
                (give, [mine.mentor, mine.everywhere]),
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await db.fetch(statement, *arguments)
    async with acting(db, "badges_api", mine.organization, "admin"):
        assert await db.fetchval(give, mine.mentor, mine.everywhere) == "someone"
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await db.fetch(give, other.mentor, other.definition)
        assert {row[0] for row in await db.fetch(take)} == {mine.mentor}
        assert {row[0] for row in await db.fetch(rename)} == {mine.definition}
        assert await db.fetchval(new, mine.organization) == "new"
        for organization in (other.organization, None):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.fetch(new, organization)
    taken = await db.fetch("SELECT DISTINCT revoked_by FROM badge_awards WHERE revoked_by <> ''")
    assert [row["revoked_by"] for row in taken] == ["someone"]


@pytest.mark.parametrize("claims", ["", "not json", "[]", '{"app_metadata": "admin"}', "{}"])
async def test_claims_without_a_role_claim_none(db: Connection, claims: str) -> None:
    people = await settle(db)
    async with acting(db, "badges_api", people.organization, "admin"):
        assert await db.fetchval("SELECT badges_private.claimed_role()") == "admin"
        await db.execute("SELECT set_config('request.jwt.claims', $1, false)", claims)
        assert await db.fetchval("SELECT badges_private.claimed_role()") is None


@pytest.mark.parametrize("claim", ["", "not-a-uuid"])
async def test_without_a_claim_the_api_sees_no_organization(db: Connection, claim: str) -> None:
    await two_organizations(db)
    async with acting(db, "badges_api", claim):
        assert await db.fetchval("SELECT count(*) FROM peer_mentors") == 0
        assert await db.fetchval("SELECT count(*) FROM badge_awards") == 0


async def test_the_api_sees_alerts_that_name_nobody_of_another_organization(
    db: Connection,
) -> None:
    mine, other = await two_organizations(db)
    row = "SELECT id FROM {} WHERE peer_mentor_id = $1"
    details: dict[str, dict[str, object]] = {
        "my mentor": {"mentors": [str(mine.mentor)]},
        "my activity": {"row": str(await db.fetchval(row.format("activities"), mine.mentor))},
        "my award": {"id": str(await db.fetchval(row.format("badge_awards"), mine.mentor))},
        "my badge": {"subject": str(mine.definition), "organization_id": str(mine.organization)},
        "a badge for everybody": {"message": f"the badge {other.everywhere} is frozen"},
        "nobody": {"message": "no worker is connected"},
        "their mentor": {"mentors": [str(other.mentor)]},
        "their mentor in words": {"message": f"of mentor {str(other.mentor).upper()}: refused"},
        "their activity": {"row": str(await db.fetchval(row.format("activities"), other.mentor))},
        "their award": {"id": str(await db.fetchval(row.format("badge_awards"), other.mentor))},
        "their badge": {"subject": str(other.definition)},
        "both mentors": {"mentors": [str(mine.mentor), str(other.mentor)]},
        "somebody who is gone": {"mentors": [str(uuid4())]},
    }
    for kind, detail in details.items():
        await db.execute(
            "INSERT INTO badge_alerts (kind, detail) VALUES ($1, $2)", kind, json.dumps(detail)
        )

    async def seen(organization: object) -> list[str]:
        async with acting(db, "badges_api", organization):
            rows = await db.fetch("SELECT kind FROM badge_alerts ORDER BY id")
            return [row["kind"] for row in rows]

    for_everybody = ["a badge for everybody", "nobody"]
    assert await seen(mine.organization) == [
        *("my mentor", "my activity", "my award", "my badge"),
        *for_everybody,
    ]
    assert await seen("") == for_everybody
    assert set(await seen(other.organization)) >= {"their mentor", "their mentor in words"}


WORDY = ("write_refused", "turn_stalled", "dead_letters", "partition_failed", "connector_failed")


@pytest.mark.parametrize("kind", [*WORDY, "time_zone"])
async def test_the_api_sees_words_about_its_own_organization_alone(
    db: Connection, kind: str
) -> None:
    mine, other = await two_organizations(db)
    details: dict[str, dict[str, object]] = {
        "of nobody that is known": {},
        "of a badge for everybody": {"badge_definition_id": str(mine.everywhere)},
        "of both": {"organizations": [str(mine.organization), str(other.organization)]},
        "of theirs": {"organizations": [str(other.organization)]},
        "of mine": {"organizations": [str(mine.organization)], "badge": str(mine.everywhere)},
        "of my mentor": {"row": str(mine.mentor)},
    }
    for subject, detail in details.items():
        words = {"subject": subject, "message": "mentor Kari Nordmann has not consented"}
        await db.execute(
            "INSERT INTO badge_alerts (kind, detail) VALUES ($1, $2)",
            kind,
            json.dumps({**detail, **words}),
        )

    async def seen(organization: object) -> list[str]:
        async with acting(db, "badges_api", organization):
            rows = await db.fetch("SELECT detail ->> 'subject' AS s FROM badge_alerts ORDER BY id")
            return [row["s"] for row in rows]

    assert await seen(mine.organization) == ["of mine", "of my mentor"]
    assert await seen(other.organization) == ["of theirs"]
    assert await seen("") == []


async def test_the_api_does_not_see_what_waited_when_a_log_went_live(db: Connection) -> None:
    people = await settle(db)
    await db.execute(
        """
        INSERT INTO badge_logs (log_id, generation, topic, slot, connector, partitions,
                                system_identifier, timeline, state, found)
        VALUES ('log', 1, 'topic', 'slot', 'connector', 1, '1', 1, 'live', '[]')
        """
    )
    async with acting(db, "badges_api", people.organization):
        for columns in ("found", "*"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.fetch(f"SELECT {columns} FROM badge_logs")
        live = await generations.live(db)
        assert live is not None
        assert live.log_id == "log"
    async with acting(db, "badges_worker"):
        assert await db.fetchval("SELECT found::text FROM badge_logs") == "[]"


async def test_the_worker_writes_results_and_nothing_else(db: Connection) -> None:
    await two_organizations(db)
    async with acting(db, "badges_worker"):
        for table in ("organizations", "peer_mentors", "activities", "badge_awards"):
            assert await db.fetchval(f"SELECT count(*) FROM {table}") == 2, table
        await db.execute("UPDATE badge_awards SET tier = 'x', tier_earned_at = now()")
        await db.execute("UPDATE peer_mentor_stats SET activity_count = 1, updated_at = now()")
        await db.execute("INSERT INTO badge_alerts (kind) VALUES ('stalled')")
        await db.execute("UPDATE badge_alerts SET resolved_at = now()")
        for statement in (
            "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at) "
            "SELECT peer_mentor_id, badge_definition_id, now() FROM badge_awards",
            "DELETE FROM badge_awards",
            "UPDATE badge_awards SET earned_at = now()",
            "UPDATE badge_awards SET changed_by = 'kari'",
            "UPDATE badge_award_events SET kind = 'revoked'",
            "DELETE FROM badge_award_events",
            "UPDATE peer_mentors SET active = false",
            "DELETE FROM activities",
            "INSERT INTO badge_definition_versions (id, version, saved_by) "
            "VALUES (gen_random_uuid(), 1, 'x')",
            "DELETE FROM badge_log_positions",
            "TRUNCATE activities",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.execute(statement)


async def test_the_connector_reads_the_published_columns(db: Connection) -> None:
    await two_organizations(db)
    async with acting(db, "badges_connect"):
        assert len(await db.fetch("SELECT id, organization_id, active FROM peer_mentors")) == 2
        assert len(await db.fetch("SELECT id, tier, changed_by FROM badge_awards")) == 2
        await db.execute("UPDATE badge_heartbeats SET at = now()")
        for statement in (
            "SELECT display_name FROM peer_mentors",
            "SELECT evidence FROM badge_awards",
            "SELECT name FROM organizations",
            "DELETE FROM badge_heartbeats",
            "UPDATE peer_mentors SET active = false",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.execute(statement)
    assert await db.fetchval(
        "SELECT rolreplication AND NOT rolsuper FROM pg_roles WHERE rolname = 'badges_connect'"
    )


async def test_roles_log_in_with_the_passwords_that_were_set(
    server: Server, url: str, db: Connection
) -> None:
    # The password is the one that the stack's own roles have, for roles are the server's.
    for role in ("badges_worker", "badges_api", "badges_connect"):
        role_url = server.role_url(role, url)
        password = role_url.partition("//")[2].partition("@")[0].partition(":")[2] or "any"
        await apply.migrate(db, prefix="badges", role_passwords={role: password})
        connection = await asyncpg.connect(role_url)
        try:
            assert await connection.fetchval("SELECT session_user::text") == role
        finally:
            await connection.close()
